"""An index may be opened at any moment: while it is made, and while commits overtake the one who opens it."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import Build, StubEncoder
from faults import Counter, Operation, Running, evenly, in_child, watch

from index import search_folder, snapshot
from index.build import build_index
from index.database import Database
from index.errors import IndexEmpty, IndexingError, IndexNotFound
from index.snapshot import Snapshot
from index.store import FILE_NAME, Store

CREATED = 60
BUILDS = 25
OPENED = 20  # times, by all readers


def outcomes_until_there(folders: list[Path]) -> set[str]:
    """Try to open one index after the other, each until it is there; return what kinds of answers came."""
    seen = set()
    for folder in folders:
        outcome: type[Exception] = IndexNotFound
        until = time.monotonic() + 30
        while outcome is not IndexEmpty and time.monotonic() < until:
            try:
                Snapshot.open(folder)
            except IndexingError as error:
                outcome = type(error)
            seen.add(outcome.__name__)
    return seen


def seen_by_readers_while_made(place: Path) -> set[str]:
    folders = [place / str(number) for number in range(CREATED)]
    for folder in folders:
        folder.mkdir()
    readers = [Running(lambda: outcomes_until_there(folders)) for _ in range(2)]
    for folder in folders:
        Store.create_or_open(folder / FILE_NAME).close()
    ended = [reader.wait() for reader in readers]
    assert all(child.error is None for child in ended), ended
    return set.union(*(child.value for child in ended))


def test_an_index_that_is_being_made_is_not_there_yet_or_empty(ram_path: Path) -> None:
    assert seen_by_readers_while_made(ram_path) <= {"IndexNotFound", "IndexEmpty"}


def test_an_index_made_in_place_would_seem_damaged(ram_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""

    @contextmanager
    def in_place(path: Path) -> Iterator[Database]:
        database = Database.open_for_writing(path)
        yield database
        database.close()

    monkeypatch.setattr(Database, "appearing_whole", in_place)
    assert seen_by_readers_while_made(ram_path) - {"IndexNotFound", "IndexEmpty"}


def test_an_index_that_cannot_be_made_whole_is_not_there(ram_path: Path) -> None:
    """No room at one of its writes; the later ones are those that merge the log into the file."""

    def full(operation: Operation) -> None:
        raise OSError(28, os.strerror(28), operation.path)

    def make(folder: Path, counter: Counter) -> int:
        watch(folder, counter)
        Store.create_or_open(folder / FILE_NAME).close()
        return counter.count

    whole = ram_path / "whole"
    whole.mkdir()
    total = in_child(lambda: make(whole, Counter())).value
    for at in evenly(total, 20):
        folder = ram_path / str(at)
        folder.mkdir()
        in_child(lambda folder=folder, at=at: make(folder, Counter(full, range(at, at + 1))))
        assert outcome_of(folder) in (IndexNotFound, IndexEmpty), f"write {at} of {total}"


def outcome_of(folder: Path) -> type[Exception]:
    with pytest.raises(IndexingError) as raised:
        Snapshot.open(folder)
    return raised.type


@pytest.mark.parametrize("moment", ["before it looks", "while it reads"])
def test_a_reader_overtaken_by_commits_takes_the_newest_generation_and_makes_nothing_again(
    build: Build, folder: Path, index_dir: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    build()
    overtaken: list[int] = []
    name = "_folder" if moment == "before it looks" else "_sha256"
    original = getattr(search_folder, name)

    def slowly(*arguments: object) -> object:
        if not overtaken:
            overtaken.append(1)
            for number in range(3):
                (folder / "cheese.txt").write_text(f"Cheese number {number}.")
                build()
        return original(*arguments)

    monkeypatch.setattr(search_folder, name, slowly)
    monkeypatch.setattr(snapshot, "write_search_folder", lambda *_, **__: pytest.fail("made again"))
    assert Snapshot.open(index_dir).generation == 4
    assert overtaken


def generations_opened(done: Path, index_dir: Path) -> list[int]:
    """Open again and again, slower than generations are built; whoever would make search files again fails."""
    open_folder, pauses = snapshot.open_search_folder, random.Random(os.getpid())

    def slowly(index_dir: Path, generation: int) -> search_folder.SearchFiles:
        time.sleep(pauses.uniform(0, 0.4))
        return open_folder(index_dir, generation)

    snapshot.open_search_folder = slowly
    snapshot.write_search_folder = None  # type: ignore[assignment]
    generations = []
    with open(done.with_name("opened"), "ab", buffering=0) as opened:
        while not done.exists():
            generations.append(Snapshot.open(index_dir).generation)
            opened.write(b".")
    return generations


def test_readers_that_open_again_and_again_during_builds_make_nothing_again(ram_path: Path) -> None:
    folder, index_dir, done = ram_path / "docs", ram_path / "index", ram_path / "done"
    folder.mkdir()
    (folder / "a.txt").write_text("The river is in state 0.")
    build_index(index_dir, [folder], encoder=StubEncoder())
    readers = [Running(lambda: generations_opened(done, index_dir)) for _ in range(3)]
    opened, number = ram_path / "opened", 0
    opened.touch()
    while number < BUILDS or (opened.stat().st_size < OPENED and number < 20 * BUILDS):
        number += 1
        (folder / "a.txt").write_text(f"The river is in state {number}.")
        build_index(index_dir, [folder], encoder=StubEncoder())
    done.touch()
    for reader in readers:
        ended = reader.wait()
        assert ended.error is None, ended.trace
        assert ended.value == sorted(ended.value)
