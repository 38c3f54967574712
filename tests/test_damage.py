"""Damage to any file of an index is named or heals itself; no answer is ever another one, and nothing is executed."""

from __future__ import annotations

import io
import pickle
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import StubEncoder, StubReader
from faults import fresh_copy, state_of

from index import database, search_folder
from index.build import build_index
from index.check import check_index
from index.errors import IndexEmpty, IndexingError
from qa.corpus import Corpus
from qa.retrieval import Filters

PAGE = 4096
TRUTH = "corpus.sqlite"
Damage = Callable[[bytearray, int], bytes]


def flip(data: bytearray, at: int) -> bytes:
    data[at] ^= 1 << at % 8
    return bytes(data)


def truncate(data: bytearray, at: int) -> bytes:
    return bytes(data[:at])


def zero_tail(data: bytearray, at: int) -> bytes:
    return bytes(data[:at]) + bytes(len(data) - at)


def zero_page(data: bytearray, at: int) -> bytes:
    start = at // PAGE * PAGE
    return bytes(data[:start]) + bytes(len(data[start : start + PAGE])) + bytes(data[start + PAGE :])


DAMAGES = (flip, flip, flip, truncate, zero_tail, zero_page)


@pytest.fixture
def sound(ram_path: Path) -> Path:
    """An index of documents small and large, in two generations; its last page holds rows to lose."""
    folder, index_dir = ram_path / "docs", ram_path / "sound"
    folder.mkdir()
    (folder / "rivers.md").write_text(
        "---\ntitle: On rivers\ndate: 2021-02-18\n---\nThe Danube flows through Vienna.\n"
    )
    (folder / "cheese.txt").write_text("Gouda is a Dutch cheese. Brie comes from France.\n")
    long = (f"Sentence {number} tells of {number * 7919 % 1000} birds near the river." for number in range(400))
    (folder / "birds.txt").write_text(" ".join(long))
    for number in range(30):
        (folder / f"note{number}.txt").write_text(f"Note {number} of the rover on Mars, day {number * 13}.")
    build_index(index_dir, [folder], encoder=StubEncoder())
    (folder / "cheese.txt").write_text("Edam is a Dutch cheese.\n")
    build_index(index_dir, [folder], encoder=StubEncoder())
    for left in index_dir.glob("corpus.sqlite-*"):
        assert not left.stat().st_size or left.name.endswith("-shm")
    return index_dir


def everything(index_dir: Path) -> object:
    """Return what an index answers, also with filters, all its documents and its status."""
    corpus = Corpus.open(index_dir, encoder=StubEncoder(), reader=StubReader())
    filtered = [
        [(p.text, p.citation.id) for p in corpus.retrieve("rover", filters=filters)]
        for filters in (Filters(sources=("docs/note1*",)), Filters(date_from="2020-01-01"))
    ]
    birds = [(p.text, p.citation.id) for p in corpus.retrieve("how many birds near the river", 40)]
    status = corpus.status().to_dict()
    return state_of(index_dir), filtered, birds, {key: status[key] for key in status.keys() - {"index"}}


def outcome(index_dir: Path) -> object:
    """Return everything an index says, or the foreseen error with which it refuses."""
    try:
        return everything(index_dir)
    except IndexEmpty:
        raise
    except IndexingError as error:
        return error


def damaged_copies(sound: Path, target: Path, names: list[str], count: int) -> Iterator[tuple[str, Path]]:
    """Yield an index with one damage each, spread over the files and over each file's bytes."""
    places = random.Random(7)
    for number in range(count):
        name, damage = names[number % len(names)], DAMAGES[number // len(names) % len(DAMAGES)]
        fresh_copy(sound, target)
        path = target / name
        data = bytearray(path.read_bytes())
        if not data:
            continue
        at = places.randrange(len(data))
        path.unlink()
        path.write_bytes(damage(data, at))
        yield f"{damage.__name__} at {at} of {len(data)} in {name}", target


def derived_files(index_dir: Path) -> list[str]:
    newest = [path for path in (index_dir / "search").rglob("*") if path.is_file() and path.suffix != ".lock"]
    return sorted(path.relative_to(index_dir).as_posix() for path in newest)


@pytest.mark.parametrize("large", [1, 1 << 40], ids=["read at once", "read in turn"])
def test_damaged_search_files_heal(sound: Path, ram_path: Path, monkeypatch: pytest.MonkeyPatch, large: int) -> None:
    monkeypatch.setattr(search_folder, "_LARGE_BYTES", large)
    wanted = everything(sound)
    names = derived_files(sound)
    for what, index_dir in damaged_copies(sound, ram_path / "damaged", names, 2 * len(names)):
        assert outcome(index_dir) == wanted, what


def test_a_damaged_truth_is_named_and_never_answers_otherwise(sound: Path, ram_path: Path) -> None:
    wanted = everything(sound)
    refused = 0
    for number, (what, index_dir) in enumerate(damaged_copies(sound, ram_path / "damaged", [TRUTH], 90)):
        if number % 3 == 0:  # everything must come from the truth
            shutil.rmtree(index_dir / "search")
        found = outcome(index_dir)
        refused += isinstance(found, IndexingError)
        assert found == wanted or (isinstance(found, IndexingError) and TRUTH in str(found)), f"{what}: {found}"
    assert refused > 30


def test_check_finds_damage_anywhere(sound: Path, ram_path: Path) -> None:
    names = [TRUTH, TRUTH, *derived_files(sound)]
    original = {name: (sound / name).read_bytes() for name in names}
    for what, index_dir in damaged_copies(sound, ram_path / "damaged", names, 2 * len(names)):
        if all((index_dir / name).read_bytes() == data for name, data in original.items()):
            continue  # bytes that were zero before
        try:
            report = check_index(index_dir)
        except IndexingError:
            continue
        used = what.rpartition(" in ")[2].startswith(("corpus", f"search/{report.generation}/"))
        assert not used or not report.is_sound, what


@pytest.mark.parametrize("checksums", [True, False])
def test_without_checksums_another_date_would_be_served(
    sound: Path, monkeypatch: pytest.MonkeyPatch, checksums: bool
) -> None:
    """The control: one bit in the row of a source, with SQLite as it comes."""
    wanted = everything(sound)
    data = bytearray((sound / TRUTH).read_bytes())
    data[data.index(b"2021-02-18") + 9] ^= 1
    (sound / TRUTH).write_bytes(data)
    if not checksums:
        monkeypatch.setattr(database, "_VFS", "unix")
    found = outcome(sound)
    assert isinstance(found, IndexingError) is checksums
    assert found != wanted


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, (str(self.marker), "w"))


def bombs(marker: Path) -> Iterator[bytes]:
    yield pickle.dumps(Bomb(marker))
    array = io.BytesIO()
    np.save(array, np.array([Bomb(marker)], dtype=object), allow_pickle=True)
    yield array.getvalue()


def test_a_pickle_under_any_name_of_an_index_is_never_executed(sound: Path, ram_path: Path) -> None:
    marker = ram_path / "exploded"
    names = sorted(path.relative_to(sound).as_posix() for path in sound.rglob("*") if path.is_file())
    for bomb in bombs(marker):
        for name in [*names, "corpus.sqlite-wal", "index.pkl", "search/index.npy"]:
            index_dir = fresh_copy(sound, ram_path / "damaged")
            (index_dir / name).unlink(missing_ok=True)
            (index_dir / name).write_bytes(bomb)
            outcome(index_dir)
            assert not marker.exists(), name
    pickle.loads(next(bombs(marker)))
    assert marker.exists()  # the bomb is a bomb
