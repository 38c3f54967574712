"""A disk that is full, failing or read-only: one sentence, the old index answers, the next build needs no help."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import StubEncoder
from faults import (
    Child,
    Counter,
    Operation,
    Scene,
    evenly,
    in_child,
    make_scene,
    operations,
    problems_after,
    state_of,
    unprivileged,
)
from typer.testing import CliRunner

import index.embedding
from index.check import check_index
from index.errors import IndexDamaged, IndexingError, StorageError
from qa.corpus import Corpus
from ui.cli import EXIT_USAGE, app


@pytest.fixture
def scene(ram_path: Path) -> Scene:
    return make_scene(ram_path, update=True)


def failing(number: int) -> Callable[[Operation], None]:
    def fail(operation: Operation) -> None:
        raise OSError(number, os.strerror(number), operation.path)

    return fail


def assert_foreseen(ended: Child, where: str) -> None:
    """A build that met a fault either did not need what failed, or says so in one sentence."""
    assert ended.status == 0, where
    if ended.error is not None:
        assert isinstance(ended.error, IndexingError), f"{where}: {ended.trace}"
        assert "\n" not in str(ended.error)


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
def test_a_write_that_fails_anywhere_loses_nothing(scene: Scene, error: str, lasting: bool) -> None:
    number = getattr(errno, error)
    total = operations(scene)
    said = set()
    for at in evenly(total, 10):
        scene.restart()
        counter = Counter(failing(number), range(at, total * 2 if lasting else at + 1))
        ended = in_child(lambda counter=counter: scene.watched_build(counter))
        assert_foreseen(ended, f"operation {at} of {total}")
        said.add(str(ended.error)[:9] if ended.error else "")
        assert not problems_after(scene), f"operation {at} of {total}"
    assert ("Disk full" in said) is (error == "ENOSPC")


def test_a_file_that_cannot_grow_loses_nothing(scene: Scene) -> None:
    """Files limited to more and more bytes; this reaches what the native libraries write too."""
    largest = max(path.stat().st_size for path in scene.index_dir.rglob("*") if path.is_file())
    outcomes = []
    for size in evenly(largest, 10):
        scene.restart()

        def build(size: int = size) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            scene.build()

        ended = in_child(build)
        assert_foreseen(ended, f"at most {size} bytes")
        outcomes.append(ended.error)
        assert not problems_after(scene), f"at most {size} bytes"
    assert isinstance(outcomes[0], StorageError)


@pytest.fixture
def read_only(scene: Scene) -> Iterator[Path]:
    """The old index in a folder that nobody can write."""
    top = Path(tempfile.mkdtemp())
    shutil.copytree(scene.before, top / "index")
    make_writable(top, False)
    yield top / "index"
    make_writable(top, True)
    shutil.rmtree(top)


def make_writable(top: Path, writable: bool) -> None:
    for path in [top, *top.rglob("*")]:
        path.chmod(0o755 if writable else 0o555)


def test_an_index_that_cannot_be_written_answers_and_is_not_built(scene: Scene, read_only: Path) -> None:
    scene.folder.parent.chmod(0o755)
    asked = unprivileged(lambda: (state_of(read_only), check_index(read_only).is_sound))
    assert asked.value == (scene.old, True), asked.trace
    scene = Scene(scene.folder, scene.before, read_only, scene.old, scene.new)
    refused = unprivileged(scene.build)
    assert isinstance(refused.error, IndexingError), refused.trace
    assert "cannot be read or written" in str(refused.error)


def test_a_read_only_index_whose_search_files_are_damaged_says_what_to_do(scene: Scene, read_only: Path) -> None:
    make_writable(read_only, True)
    shutil.rmtree(read_only / "search")
    make_writable(read_only, False)
    asked = unprivileged(lambda: Corpus.open(read_only, encoder=StubEncoder()))
    assert isinstance(asked.error, IndexDamaged), asked.trace
    assert "pincite check --repair" in str(asked.error)


def test_the_command_line_says_it_in_one_sentence(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index.embedding, "load_encoder", lambda model: StubEncoder())

    def index_on_a_full_disk() -> tuple[int, str]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        result = CliRunner().invoke(app, ["index", str(scene.folder), "--index", str(scene.index_dir)])
        return result.exit_code, result.stderr

    scene.restart()
    ended = in_child(index_on_a_full_disk)
    code, said = ended.value
    assert code == EXIT_USAGE
    assert said.startswith("Disk full: ")
    assert "MB" in said
    assert "Traceback" not in said
