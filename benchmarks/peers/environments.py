"""An environment for each system: its own packages, pinned in its adapter; torch and the model from this project's.

A folder of the project's environment is added to each, so all systems run the same torch, sentence-transformers and
FAISS where their versions allow. What a system pins otherwise is installed into its own environment and comes first.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
import venv
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

ADAPTERS = Path(__file__).parent / "adapters"
PROJECT = Path(__file__).parents[2]


class InstallError(RuntimeError):
    """A system cannot be installed; the message is the last that pip said."""


@dataclass(frozen=True, slots=True)
class Pins:
    """What an adapter's header asks for; ``alone`` is installed without the dependencies it declares."""

    packages: tuple[str, ...]
    alone: tuple[str, ...] = ()


def pins_of(adapter: Path) -> Pins:
    """Return the pins in the ``# /// script`` block of an adapter."""
    block = adapter.read_text().partition("# /// script\n")[2].partition("# ///\n")[0]
    header = tomllib.loads("\n".join(line.removeprefix("#") for line in block.splitlines()))
    alone = header.get("tool", {}).get("bench", {}).get("without-dependencies", ())
    return Pins(tuple(header["dependencies"]), tuple(alone))


def about(adapter: Path) -> dict[str, Any]:
    """Return what an adapter says of its system, read without importing it, and the version of its first pin."""
    classes = (node for node in ast.parse(adapter.read_text()).body if isinstance(node, ast.ClassDef))
    (peer,) = (node for node in classes if node.name == "Peer")
    said = {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value) for node in peer.body if isinstance(node, ast.Assign)
    }
    pins = pins_of(adapter)
    pinned = next((pin.partition("==")[2] for pin in (*pins.alone, *pins.packages)), None)
    return {"version": pinned or metadata.version(said["package"]), **said}


def prepare(adapter: Path, cache: Path) -> Path:
    """Return the interpreter that runs an adapter, installing what it needs; the project's own where it needs nothing.

    Raises:
        InstallError: pip failed.
    """
    pins = pins_of(adapter)
    if not pins.packages:
        return Path(sys.executable)
    folder = cache / "environments" / adapter.stem
    python, stamp = folder / "bin" / "python", folder / "installed.json"
    wanted = json.dumps([pins.packages, pins.alone, sys.version])
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(folder, clear=True, with_pip=True)
        share_packages(folder)
        for options, packages in (([], pins.packages), (["--no-deps"], pins.alone)):
            if packages:
                install(python, [*options, *packages])
        stamp.write_text(wanted)
    return python


def share_packages(folder: Path) -> None:
    """Let an environment fall back on the packages of this one."""
    own = [entry for entry in sys.path if Path(entry).name == "site-packages"]
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "shared.pth").write_text("\n".join(own) + "\n")


def install(python: Path, arguments: list[str]) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise InstallError((done.stderr.strip().splitlines() or ["pip failed"])[-1])


def surroundings(python: Path) -> dict[str, str]:
    """Return the environment variables of a system's processes: no network, no reports home."""
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HAYSTACK_TELEMETRY_ENABLED": "False"}
    project = {"PYTHONPATH": str(PROJECT)} if python == Path(sys.executable) else {}
    return {**os.environ, **offline, **project}
