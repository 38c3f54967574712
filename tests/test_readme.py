"""What the README shows is what happens: its commands and its Python are run, on a copy of the seeds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT, SEEDS

README = (PROJECT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the seeds, and their index made by the README's first command."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(SEEDS, folder / "seeds")
    run("pincite index seeds", folder)
    return folder


def run(script: str, folder: Path) -> str:
    """Run shell commands with this environment's Python first on the path, as in an activated one."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", script],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.model
def test_the_commands_run(workplace: Path) -> None:
    (commands,) = blocks("bash")
    out = run(commands, workplace)
    assert "The index is sound." in out
    assert '"verdict": "answered"' in out


@pytest.mark.model
def test_the_answer_shown_is_the_answer_given(workplace: Path) -> None:
    (commands,), (shown,) = blocks("bash"), blocks("text")
    second = commands.splitlines()[1]
    assert second.startswith("pincite ask")
    assert run(second, workplace) == shown


@pytest.mark.model
def test_the_python_runs(workplace: Path) -> None:
    (program,) = blocks("python")
    (workplace / "program.py").write_text(program)
    out = run(f"PYTHONPATH={PROJECT} {sys.executable} program.py", workplace)
    assert "answered Col Myles Caggins" in out


def test_every_make_target_and_file_named_exists() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (PROJECT / path).exists(), path
