"""Readers see one whole generation, and damage is healed or named, never served."""

from __future__ import annotations

import logging
import os
import pickle
import re
import shutil
from pathlib import Path

import pytest
from conftest import Build, StubEncoder

from index.check import check_index
from index.errors import IndexDamaged, IndexEmpty, IndexNotFound
from index.newest import Newest
from index.packing import pack_text
from index.search_folder import open_search_folder
from index.snapshot import Snapshot, _Recent
from index.store import FILE_NAME, Store


def search_files(index_dir: Path) -> list[Path]:
    return sorted(p for p in (index_dir / "search").rglob("*") if p.is_file() and not p.name.endswith(".lock"))


def flip_bit(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.unlink()  # other generations may share the file
    path.write_bytes(data)


def test_a_snapshot_keeps_its_generation_while_newer_ones_are_built(
    build: Build, folder: Path, index_dir: Path
) -> None:
    build()
    snapshot = Snapshot.open(index_dir)
    before = {doc_id: snapshot.document(doc_id).text for doc_id in snapshot.document_ids()}
    for number in range(4):
        (folder / "cheese.txt").write_text(f"Cheese number {number}.")
        build()
    assert {doc_id: snapshot.document(doc_id).text for doc_id in snapshot.document_ids()} == before
    assert set(snapshot.chunks(snapshot.vectors.ids.tolist())) == set(snapshot.vectors.ids.tolist())
    assert Newest(index_dir).version() != snapshot.version


def test_an_index_deleted_and_made_again_is_another_version(build: Build, index_dir: Path) -> None:
    newest = Newest(index_dir)
    build()
    first = Snapshot.open(index_dir)
    assert newest.version() == first.version
    index_dir.rename(index_dir.with_name("moved"))
    with pytest.raises(IndexNotFound):
        newest.version()
    build()
    assert newest.version().generation == first.generation
    assert newest.version() != first.version


@pytest.mark.parametrize("may_write", [True, False])
def test_each_commit_is_seen_at_the_next_look(
    build: Build, folder: Path, index_dir: Path, may_write: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    build()
    monkeypatch.setattr(os, "access", lambda *_: may_write)  # a reader without the right to write, beside a builder
    newest = Newest(index_dir)
    for number in range(4):
        before = newest.version()
        assert newest.version() == before
        (folder / "cheese.txt").write_text(f"Cheese number {number}.")
        build()
        assert newest.version() == Snapshot.open(index_dir).version != before


def test_every_damaged_search_file_is_noticed_and_made_again(
    build: Build, index_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build()
    whole = open_search_folder(index_dir, 1)
    wanted = whole.vectors.search(whole.vectors.vectors_of(whole.vectors.ids)[0], k=3)[1].tolist()
    for number, path in enumerate(search_files(index_dir)):
        name = path.relative_to(index_dir / "search" / "1")
        path = search_files(index_dir)[number]
        flip_bit(path, path.stat().st_size // 2)
        with pytest.raises(IndexDamaged, match="search/1/"):
            open_search_folder(index_dir, 1)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            snapshot = Snapshot.open(index_dir)
        assert "nothing is lost" in caplog.text, name
        found = snapshot.vectors.search(snapshot.vectors.vectors_of(snapshot.vectors.ids)[0], k=3)[1].tolist()
        assert found == wanted
        assert check_index(index_dir).is_sound


@pytest.mark.parametrize("loss", ["folder", "file", "truncated", "other generation"])
def test_a_missing_or_short_search_folder_is_made_again(build: Build, folder: Path, index_dir: Path, loss: str) -> None:
    build()
    (folder / "new.txt").write_text("Another text.")
    build()
    newest = index_dir / "search" / "2"
    (vectors,) = (newest / "vectors").glob("*.vectors")
    if loss == "folder":
        shutil.rmtree(index_dir / "search")
    elif loss == "file":
        vectors.unlink()
    elif loss == "truncated":
        vectors.write_bytes(vectors.read_bytes()[:-10])
    else:
        shutil.rmtree(newest)
        (index_dir / "search" / "1").rename(newest)
    assert len(Snapshot.open(index_dir).vectors) == 4
    assert check_index(index_dir).is_sound


def test_pickles_under_the_names_of_index_files_are_never_loaded(build: Build, index_dir: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str, ...]]:
            return (open, (str(tmp_path / "exploded"), "w"))

    build()
    for path in search_files(index_dir):
        path.write_bytes(pickle.dumps(Bomb()))
        assert len(Snapshot.open(index_dir).vectors) == 3
    store_path = index_dir / FILE_NAME
    store_path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(IndexDamaged, match=r"corpus\.sqlite is damaged"):
        Snapshot.open(index_dir)
    assert not (tmp_path / "exploded").exists()


def test_an_altered_text_is_refused_by_name(build: Build, index_dir: Path) -> None:
    build()
    store = Store.create_or_open(index_dir / FILE_NAME)
    place = store.place_at("docs/rivers.txt")
    assert place
    altered = pack_text(store.document(place.doc_id).text.replace("Danube", "Volga!"))
    store._db.execute("UPDATE documents SET text = ? WHERE doc_id = ?", (altered, place.doc_id))
    store.close()
    snapshot = Snapshot.open(index_dir)
    refused = []
    for doc_id in snapshot.document_ids():
        try:
            snapshot.document(doc_id)
        except IndexDamaged as error:
            refused.append(str(error))
    assert len(refused) == 1
    assert "(docs/rivers.txt) is not what was indexed" in refused[0]
    report = check_index(index_dir)
    assert not report.is_sound
    assert "docs/rivers.txt" in report.store_problems[0]


@pytest.mark.parametrize(
    ("damage", "problem", "repairable"),
    [
        ('UPDATE chunks SET "end" = 100000 WHERE chunk_id = 1', "a chunk of docs/.* is outside its text", True),
        ("UPDATE chunks SET start = start + 1 WHERE chunk_id = 1", "have the vectors of other words", True),
        ("UPDATE documents SET segments = x'0000000000000000'", "the segments of docs/.* are damaged", True),
        ("UPDATE documents SET segments = x'00000000ffff0000'", "a segment of docs/.* ends outside its text", True),
        ("UPDATE documents SET heading = 'Other'", "indexed under another title", True),
        ("UPDATE vectors SET vector = zeroblob(36)", "not of unit length", True),
        ("UPDATE vectors SET vector = zeroblob(60)", "no vector, or one of another length", True),
        ("DELETE FROM vectors", "no vector", True),
        ("DELETE FROM chunks WHERE chunk_id = 1", "documents and chunks, not", False),
        ("UPDATE sources SET date = '1999-01-01' WHERE path LIKE '%space%'", "that index id .* names", False),
        ("DELETE FROM sources WHERE path LIKE '%space%'", "The index holds no document", False),
        ("DELETE FROM documents WHERE rowid = 1", "1 chunks belong to documents that are not there", False),
    ],
)
def test_check_finds_what_does_not_fit_together_and_repairs_what_the_texts_give(
    build: Build, index_dir: Path, encoder: StubEncoder, damage: str, problem: str, repairable: bool
) -> None:
    build()
    assert check_index(index_dir).is_sound
    store = Store.create_or_open(index_dir / FILE_NAME)
    store._db.execute(damage)
    store.close()
    report = check_index(index_dir)
    assert not report.is_sound
    found = report.document_problems if repairable else report.store_problems
    assert any(re.search(problem, sentence) for sentence in found), report
    repaired = check_index(index_dir, repair=True, encoder=encoder)
    assert repaired.repaired is repairable
    assert check_index(index_dir).is_sound is repairable
    if repairable:
        assert len(Snapshot.open(index_dir).vectors) == 3


def test_chunks_that_the_index_id_does_not_name_are_found_and_named(
    build: Build, index_dir: Path, encoder: StubEncoder
) -> None:
    before = build().index_id
    store = Store.create_or_open(index_dir / FILE_NAME)
    copied = 'doc_id, start, "end", vector_key'
    store._db.execute(f"INSERT INTO chunks ({copied}) SELECT {copied} FROM chunks LIMIT 1")
    store.set_meta(chunks=4)
    store.close()
    assert "the chunks are not those that the index id names" in check_index(index_dir).document_problems
    assert check_index(index_dir, repair=True, encoder=encoder).repaired
    assert check_index(index_dir).is_sound
    assert Snapshot.open(index_dir).index_id != before


def test_a_search_folder_of_other_chunks_is_found_and_repaired(build: Build, folder: Path, index_dir: Path) -> None:
    build()
    other = index_dir.with_name("other")
    (folder / "new.txt").write_text("Another text.")
    shutil.copytree(index_dir, other)
    build()
    shutil.rmtree(index_dir / "search" / "2")
    shutil.copytree(other / "search" / "1", index_dir / "search" / "2")
    manifest = index_dir / "search" / "2" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"generation": 1', '"generation": 2'))
    assert "holds the vectors of other chunks" in str(check_index(index_dir).search_problem)
    assert check_index(index_dir, repair=True).repaired
    assert check_index(index_dir).search_problem is None


def test_no_index_and_an_empty_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound, match="pincite index FOLDER"):
        Snapshot.open(tmp_path)
    Store.create_or_open(tmp_path / FILE_NAME).close()
    with pytest.raises(IndexEmpty, match="no documents yet"):
        Snapshot.open(tmp_path)


def test_a_file_that_was_sound_and_is_altered_in_place_is_noticed(build: Build, index_dir: Path) -> None:
    """Files that a process has verified are not read again for each generation, unless their stamps differ."""
    build()
    (path,) = (index_dir / "search" / "1" / "vectors").glob("*.vectors")
    old = path.stat().st_mtime - 100
    os.utime(path, (old, old))
    open_search_folder(index_dir, 1)
    data = bytearray(path.read_bytes())
    data[7] ^= 1
    path.write_bytes(data)
    with pytest.raises(IndexDamaged, match=r"vectors is damaged"):
        open_search_folder(index_dir, 1)


def test_an_update_links_what_did_not_change(build: Build, folder: Path, index_dir: Path) -> None:
    build()
    (folder / "new.txt").write_text("Another text.")
    build()
    shared = {path.stat().st_ino for path in (index_dir / "search" / "1" / "lexical").iterdir()}
    assert shared & {path.stat().st_ino for path in (index_dir / "search" / "2" / "lexical").iterdir()}


def test_large_documents_are_not_all_held_in_memory() -> None:
    read: list[str] = []

    def of_length(key: str) -> str:
        read.append(key)
        return "x" * int(key)

    recent = _Recent(of_length, len, most=100)
    for key in ("60", "30", "60", "50", "60", "30", "500", "500", "60"):
        assert len(recent(key)) == int(key)
    assert read == ["60", "30", "50", "60", "30", "500", "60"]
