"""The recipes are run, in order and in one folder: shell commands, Python in a fresh namespace, and what they print."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, SEEDS
from test_readme import run

RECIPES = PROJECT / "docs" / "recipes.md"
NEEDED = {"qa.for_langchain": "langchain_core", "qa.for_llama_index": "llama_index", "from mcp": "mcp"}


@dataclass(frozen=True)
class Block:
    """Something that is run, and what it is shown to print, if that is shown."""

    language: str
    code: str
    printed: str | None


def blocks_of(text: str) -> list[Block]:
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    following = [*found, ("", "")][1:]
    return [
        Block(language, code, after[1] if after[0] == "text" else None)
        for (language, code), after in zip(found, following, strict=True)
        if language in ("bash", "python")
    ]


def recipes() -> dict[str, list[Block]]:
    """The blocks under each heading, by heading; those above the first are what all need."""
    preparation, *sections = re.split(r"^## (?=\d+\. )", RECIPES.read_text(), flags=re.MULTILINE)
    named = {section.splitlines()[0]: blocks_of(section) for section in sections}
    return {"preparation": blocks_of(preparation), **named}


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipes")
    shutil.copytree(SEEDS, folder / "seeds")
    for block in recipes()["preparation"]:
        run(block.code, folder)
    return folder


def printed_by(block: Block, folder: Path) -> str:
    if block.language == "bash":
        return run(block.code, folder)
    out = io.StringIO()
    namespace: dict[str, Any] = {"__name__": "recipe"}
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        exec(compile(block.code, str(RECIPES), "exec"), namespace)
    return out.getvalue()


def comparable(printed: str) -> str:
    """What is printed, without the id of the index, which names this very build's files and software."""
    return re.sub(r"\bIndex [0-9a-f]{12}\b", "Index ...", printed.strip())


@pytest.mark.model
@pytest.mark.parametrize("name", [name for name in recipes() if name != "preparation"])
def test_a_recipe_does_what_it_shows(name: str, kitchen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PINCITE_INDEX", raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    blocks = recipes()[name]
    assert blocks
    for block in blocks:
        for words, package in NEEDED.items():
            if words in block.code:
                pytest.importorskip(package, reason=f"this recipe needs {package}, which the dev extra installs")
        printed = printed_by(block, kitchen)
        if block.printed is not None:
            assert comparable(printed) == comparable(block.printed)


def test_there_are_at_least_ten_and_what_python_prints_is_shown() -> None:
    named = recipes()
    assert len(named) > 10
    for name, blocks in named.items():
        for block in blocks:
            if block.language == "python" and "print(" in block.code:
                assert block.printed, name
