"""What a build reads, embeds, keeps and refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import numpy as np
import pytest
from conftest import Build, StubEncoder

from index import reading, search_folder
from index.build import LOCK_NAME, BuildConfig, build_index
from index.changes import pending_changes
from index.check import check_index
from index.embedding import load_encoder
from index.errors import CorpusError, IndexBusy, IndexMismatch, ModelError, StorageError
from index.planning import Bounds, Planner
from index.snapshot import Snapshot
from index.status import status_of
from index.store import FILE_NAME, Store

OLD = 1_600_000_000


def settle(folder: Path) -> None:
    """Give every file an old time stamp, as files have that nobody is just writing."""
    for path in folder.rglob("*"):
        os.utime(path, (OLD, OLD))


def paths(index_dir: Path) -> set[str]:
    snapshot = Snapshot.open(index_dir)
    return {source.path for i in snapshot.document_ids() for source in snapshot.document(i).sources}


def test_a_first_build_holds_every_document(build: Build, index_dir: Path) -> None:
    report = build()
    assert (report.generation, report.documents, report.added, report.removed) == (1, 3, 3, 0)
    assert report.embedded == report.chunks == 3
    assert paths(index_dir) == {"docs/rivers.txt", "docs/cheese.txt", "docs/space.md"}
    assert check_index(index_dir).is_sound


def test_an_unchanged_folder_is_not_read_again(build: Build, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(folder)
    first = build()
    monkeypatch.setattr(reading, "read_bytes", lambda entry, **_: pytest.fail(f"{entry.name} was read"))
    again = build()
    assert (again.generation, again.index_id, again.unchanged_files) == (1, first.index_id, 3)
    assert (again.added, again.removed, again.embedded) == (0, 0, 0)


def test_a_new_file_alone_is_embedded(build: Build, folder: Path, encoder: StubEncoder) -> None:
    build()
    encoder.embedded.clear()
    (folder / "new.txt").write_text("Mount Etna is a volcano.")
    report = build()
    assert (report.added, report.removed, report.embedded) == (1, 0, 1)
    assert encoder.embedded == ["Mount Etna is a volcano."]


def test_an_edited_file_replaces_its_text(build: Build, folder: Path, index_dir: Path) -> None:
    build()
    (folder / "cheese.txt").write_text("Gruyere is a Swiss cheese.")
    report = build()
    assert (report.documents, report.added, report.removed, report.embedded) == (3, 1, 1, 1)
    snapshot = Snapshot.open(index_dir)
    texts = [snapshot.document(doc_id).text for doc_id in snapshot.document_ids()]
    assert sum("cheese" in text for text in texts) == 1
    assert check_index(index_dir).is_sound


def test_an_edit_that_keeps_size_and_time_stamp_is_noticed_while_the_file_is_fresh(build: Build, folder: Path) -> None:
    build()
    stamp = (folder / "cheese.txt").stat()
    text = (folder / "cheese.txt").read_text()
    (folder / "cheese.txt").write_text(text.replace("Gouda", "Edam!"))
    os.utime(folder / "cheese.txt", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert build().added == 1


def test_a_renamed_or_moved_file_keeps_its_vectors(build: Build, folder: Path, index_dir: Path) -> None:
    build()
    (folder / "sub").mkdir()
    (folder / "cheese.txt").rename(folder / "sub" / "kaas.txt")
    report = build()
    assert (report.added, report.removed, report.embedded) == (0, 0, 0)
    assert paths(index_dir) == {"docs/rivers.txt", "docs/sub/kaas.txt", "docs/space.md"}


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Return what will be looked at for places to cut: by which thread, and the text."""
    looked: list[tuple[str, str]] = []
    bounds = Planner.bounds

    def noted(planner: Planner, text: str) -> Bounds:
        looked.append((threading.current_thread().name.split("_")[0], text))
        return bounds(planner, text)

    monkeypatch.setattr(Planner, "bounds", noted)
    return looked


def test_new_files_are_looked_at_by_the_thread_that_reads_and_known_texts_not_again(
    build: Build, folder: Path, looked_at: list[tuple[str, str]]
) -> None:
    documents = build().documents
    assert len(looked_at) == len(set(looked_at)) == documents
    assert {thread for thread, _ in looked_at} == {"reading"}
    looked_at.clear()
    (folder / "cheese.txt").rename(folder / "kaas.txt")
    build()
    assert looked_at == []


def test_the_first_documents_of_a_large_file_do_not_wait_for_its_last(
    build: Build, looked_at: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LOOKED_AT_CHARACTERS", 10)
    documents = build().documents
    assert [thread for thread, _ in looked_at] == ["MainThread"] * documents


def test_a_deleted_file_leaves_the_index(build: Build, folder: Path, index_dir: Path) -> None:
    build()
    (folder / "cheese.txt").unlink()
    assert build().removed == 1
    assert "docs/cheese.txt" not in paths(index_dir)
    assert check_index(index_dir).is_sound


def test_the_same_text_in_many_files_is_embedded_once_with_all_sources(
    build: Build, folder: Path, index_dir: Path, encoder: StubEncoder
) -> None:
    (folder / "b").mkdir()
    for number in range(20):
        (folder / "b" / f"copy{number:02}.txt").write_text("Gouda is a Dutch cheese. Brie comes from France.\n")
    report = build()
    assert (report.documents, report.embedded) == (3, 3)
    snapshot = Snapshot.open(index_dir)
    sources = [snapshot.document(doc_id).sources for doc_id in snapshot.document_ids()]
    assert max(len(group) for group in sources) == 21


def test_two_files_of_one_name_in_two_folders_are_two_documents(build: Build, folder: Path, index_dir: Path) -> None:
    for name in ("x", "y"):
        (folder / name).mkdir()
        (folder / name / "same.txt").write_text(f"The text of {name}.")
    build()
    assert {"docs/x/same.txt", "docs/y/same.txt"} <= paths(index_dir)


def test_a_title_that_changes_is_embedded_anew(build: Build, folder: Path, encoder: StubEncoder) -> None:
    build()
    encoder.embedded.clear()
    (folder / "space.md").write_text("---\ntitle: Mars news\ndate: 2021-02-18\n---\nThe rover landed on Mars.\n")
    assert build().embedded == 1
    assert encoder.embedded == ["Mars news\nThe rover landed on Mars.\n".rstrip()]


def test_further_folders_are_added_to_those_covered(build: Build, tmp_path: Path, index_dir: Path) -> None:
    build()
    more = tmp_path / "more"
    more.mkdir()
    (more / "a.txt").write_text("Another text.")
    assert build(more).documents == 4
    (more / "b.txt").write_text("Yet another text.")
    assert build().documents == 5
    assert "more/b.txt" in paths(index_dir)


def test_bad_files_are_listed_and_good_ones_answer(build: Build, folder: Path) -> None:
    (folder / "empty.txt").write_text("")
    (folder / "film.mp4").write_bytes(b"\x00")
    (folder / "binary.txt").write_bytes(bytes(range(32)) * 100)
    report = build()
    assert report.documents == 3
    assert {note.name: note.reason for note in report.notes} == {
        "docs/empty.txt": "empty",
        "docs/film.mp4": "no reader for .mp4",
        "docs/binary.txt": "looks binary",
    }


def test_remarks_on_files_stay_in_later_reports(build: Build, folder: Path) -> None:
    (folder / "lines.jsonl").write_text('{"text": "good"}\n{broken\n')
    settle(folder)
    first = build()
    assert [(note.reason, note.skipped) for note in first.notes] == [("line 2: not JSON", False)]
    assert build().notes == first.notes


def test_the_last_good_version_of_a_file_stays(build: Build, folder: Path, index_dir: Path) -> None:
    build()
    (folder / "cheese.txt").write_bytes(b"")
    report = build()
    assert [note.reason for note in report.notes] == ["empty; its last good version stays"]
    assert "docs/cheese.txt" in paths(index_dir)


@pytest.mark.parametrize("indexed_before", [False, True])
def test_a_folder_without_documents_is_refused_and_says_what_was_looked_at(
    tmp_path: Path, build: Build, index_dir: Path, indexed_before: bool
) -> None:
    if indexed_before:
        build()
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CorpusError, match=r"No readable documents in .*empty. Looked at 0 files\. Formats"):
        build(empty)
    (empty / "film.mp4").write_bytes(b"x")
    with pytest.raises(CorpusError, match=r"Looked at 1 file\. empty/film\.mp4: no reader for \.mp4\."):
        build(empty)
    if indexed_before:
        assert build().generation == 1


def test_a_missing_folder_is_refused_before_anything_is_made(tmp_path: Path, build: Build, index_dir: Path) -> None:
    with pytest.raises(CorpusError, match="is not a folder"):
        build(tmp_path / "nowhere")
    assert not index_dir.exists()


@pytest.mark.parametrize("gone", [["rivers.txt", "cheese.txt"], ["rivers.txt", "cheese.txt", "space.md"]])
def test_a_build_that_would_lose_most_files_is_refused(
    build: Build, folder: Path, index_dir: Path, gone: list[str]
) -> None:
    build()
    for name in gone:
        (folder / name).unlink()
    with pytest.raises(CorpusError, match="--allow-shrink"):
        build()
    assert len(paths(index_dir)) == 3
    if len(gone) < 3:
        assert build(allow_shrink=True).documents == 1


def test_a_folder_that_vanished_is_refused_too(
    build: Build, folder: Path, index_dir: Path, encoder: StubEncoder
) -> None:
    build()
    shutil.rmtree(folder)
    with pytest.raises(CorpusError, match="is a disk not mounted"):
        build_index(index_dir, [], encoder=encoder)
    assert len(paths(index_dir)) == 3


def test_a_second_builder_is_refused_at_once(build: Build, index_dir: Path) -> None:
    build()
    with filelock.FileLock(index_dir / LOCK_NAME), pytest.raises(IndexBusy, match="Another process is updating"):
        build()


def test_a_killed_builder_leaves_no_lock(build: Build, index_dir: Path) -> None:
    build()
    program = "import filelock, os, sys; filelock.FileLock(sys.argv[1]).acquire(); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", program, index_dir / LOCK_NAME], check=False)
    assert build().documents == 3


def test_another_model_is_refused_and_rebuild_takes_it(build: Build, index_dir: Path, encoder: StubEncoder) -> None:
    build()
    other = encoder.of_model("other")
    with pytest.raises(IndexMismatch, match=r"encoder model 'stub', not 'other'.*--rebuild"):
        build(encoder=other)
    report = build(encoder=other, rebuild=True)
    assert (report.generation, report.embedded) == (2, 3)
    assert Snapshot.open(index_dir).fingerprint == other.fingerprint
    assert check_index(index_dir).is_sound


def test_a_rebuild_gives_the_same_index_id(build: Build) -> None:
    first = build()
    again = build(rebuild=True)
    assert (again.index_id, again.embedded) == (first.index_id, 0)


def test_an_index_of_another_format_is_refused(build: Build, index_dir: Path) -> None:
    build()
    store = Store.create_or_open(index_dir / FILE_NAME)
    with store.transaction():
        store.set_meta(format=99)
    store.close()
    with pytest.raises(IndexMismatch, match="has format 99"):
        build()


def test_a_build_that_fails_keeps_the_old_generation_and_the_vectors_it_computed(
    build: Build, folder: Path, index_dir: Path, encoder: StubEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build()
    (folder / "new.txt").write_text("Mount Etna is a volcano.")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(search_folder, "write_search_folder", fail)
        with pytest.raises(StorageError, match=r"^Disk full: .* up to 1 MB are needed and its disk has [\d,]+ MB left"):
            build()
    assert Snapshot.open(index_dir).index_id == first.index_id
    encoder.embedded.clear()
    assert build().documents == 4
    assert encoder.embedded == []


def test_a_build_killed_while_embedding_is_taken_up_where_it_stopped(tmp_path: Path) -> None:
    """2,000 chunks; the process says how many it has embedded once they are half or more, and kills itself."""
    folder = tmp_path / "docs"
    folder.mkdir()
    lines = (json.dumps({"_id": number, "text": f"document number {number}"}) for number in range(2000))
    (folder / "all.jsonl").write_text("\n".join(lines))
    program = """
import os, sys
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
from conftest import StubEncoder
from index.build import build_index
class Dying(StubEncoder):
    def encode_documents(self, texts):
        if len(self.embedded) >= 1000:
            print(len(self.embedded), flush=True)
            os.kill(os.getpid(), 9)
        return super().encode_documents(texts)
build_index(Path(sys.argv[4]), [Path(sys.argv[3])], encoder=Dying())
"""
    here = Path(__file__).parent
    arguments = [here.parent, here, folder, tmp_path / "index"]
    died = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=False
    )
    assert died.returncode == -9
    kept = int(died.stdout)
    encoder = StubEncoder()
    report = build_index(tmp_path / "index", [folder], encoder=encoder)
    assert report.documents == 2000
    assert report.embedded == len(encoder.embedded) == 2000 - kept


def test_vectors_that_are_not_finite_are_tried_again_then_left_out_with_a_note(
    build: Build, folder: Path, index_dir: Path
) -> None:
    class Faulty(StubEncoder):
        def encode_documents(self, texts: list[str]) -> np.ndarray:
            vectors = super().encode_documents(texts)
            for row, text in enumerate(texts):
                if "Gouda" in text:
                    vectors[row] = np.nan
            return vectors

    report = build(encoder=Faulty())
    assert report.chunks == 2
    assert any("no finite vector" in note.reason for note in report.notes)
    assert np.isfinite(Snapshot.open(index_dir).vectors.vectors_of(Snapshot.open(index_dir).vectors.ids)).all()


def test_pending_changes_name_new_changed_and_removed_files(build: Build, folder: Path, index_dir: Path) -> None:
    build()
    assert not pending_changes(index_dir)
    settle(folder)
    assert not pending_changes(index_dir)
    (folder / "new.txt").write_text("new")
    (folder / "cheese.txt").write_text("changed")
    (folder / "rivers.txt").unlink()
    pending = pending_changes(index_dir)
    assert (pending.new, pending.changed, pending.removed) == (
        ("docs/new.txt",),
        ("docs/cheese.txt",),
        ("docs/rivers.txt",),
    )


def test_what_one_update_after_another_makes_is_what_a_fresh_build_makes(
    build: Build, folder: Path, index_dir: Path, tmp_path: Path, encoder: StubEncoder
) -> None:
    build()
    (folder / "new.txt").write_text("Mount Etna is a volcano.")
    build()
    (folder / "cheese.txt").unlink()
    last = build()
    fresh = build_index(tmp_path / "fresh", [folder], encoder=encoder)
    assert fresh.index_id == last.index_id
    assert check_index(index_dir).is_sound


def long_folder(tmp_path: Path, count: int) -> Path:
    folder = tmp_path / "long"
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:03}.txt").write_text(
            f"Letter {number} of the harbour office. " + f"Ship {number} came in. " * 60
        )
    return folder


def test_a_long_build_is_searchable_while_it_runs_and_ends_as_one_commit_would(index_dir: Path, tmp_path: Path) -> None:
    folder = long_folder(tmp_path, 80)  # 1,400 characters each: parts of 25,000, 50,000 ... characters
    held: list[int] = []

    class Watching(StubEncoder):
        def encode_documents(self, texts: list[str]) -> np.ndarray:
            held.append(status_of(index_dir).documents if (index_dir / "search").exists() else 0)
            return super().encode_documents(texts)

    report = build_index(index_dir, [folder], encoder=Watching(), config=BuildConfig(commit_after_s=0))
    assert report.generation > 1
    assert held == sorted(held)
    assert 0 < held[-1] < 80
    at_once = build_index(tmp_path / "other", [folder], encoder=StubEncoder(), config=BuildConfig(commit_after_s=1e9))
    assert (at_once.generation, at_once.index_id, at_once.chunks) == (1, report.index_id, report.chunks)
    assert check_index(index_dir).is_sound


def test_a_build_killed_between_two_commits_does_not_read_again_what_it_committed(
    index_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = long_folder(tmp_path, 80)
    settle(folder)

    class Dying(StubEncoder):
        def encode_documents(self, texts: list[str]) -> np.ndarray:
            if any("Letter 60 " in text for text in texts):  # in the third part; the first is committed
                raise ModelError("the model is gone")
            return super().encode_documents(texts)

    with pytest.raises(ModelError):
        build_index(index_dir, [folder], encoder=Dying(), config=BuildConfig(commit_after_s=0))
    committed = status_of(index_dir).documents
    read: list[str] = []
    read_bytes = reading.read_bytes
    monkeypatch.setattr(
        reading, "read_bytes", lambda entry, **limits: read.append(entry.name) or read_bytes(entry, **limits)
    )
    assert build_index(index_dir, [folder], encoder=StubEncoder()).documents == 80
    assert len(read) == 80 - committed < 80
    assert check_index(index_dir).is_sound


def test_a_rebuild_commits_as_it_goes_unless_the_model_is_another(index_dir: Path, tmp_path: Path) -> None:
    """So a rebuild does not hold all that it has cut, and answers never mix two models."""
    folder = long_folder(tmp_path, 80)
    config = BuildConfig(commit_after_s=0, rebuild=True)
    first = build_index(index_dir, [folder], encoder=StubEncoder(), config=config)
    assert first.generation > 1
    again = build_index(index_dir, [folder], encoder=StubEncoder(), config=config)
    assert again.generation > first.generation + 1
    assert (again.index_id, again.chunks, again.embedded) == (first.index_id, first.chunks, 0)
    assert check_index(index_dir).is_sound
    other = build_index(index_dir, [folder], encoder=StubEncoder().of_model("other"), config=config)
    assert other.generation == again.generation + 1
    assert check_index(index_dir).is_sound


def test_nothing_vanishes_on_the_way_of_a_build_that_moves_files(index_dir: Path, tmp_path: Path) -> None:
    folder = long_folder(tmp_path, 80)
    build_index(index_dir, [folder], encoder=StubEncoder())
    for path in sorted(folder.iterdir())[:60]:
        path.rename(folder / f"z{path.name}")
    for path in sorted(folder.glob("0*.txt")):
        path.write_text(path.read_text() + "One more line.")
    for number in range(60):
        (folder / f"new{number}.txt").write_text(f"Report {number} on salt. " * 60)
    held: list[int] = []

    class Watching(StubEncoder):
        def encode_documents(self, texts: list[str]) -> np.ndarray:
            held.append(status_of(index_dir).documents)
            return super().encode_documents(texts)

    config = BuildConfig(commit_after_s=0, allow_shrink=True)
    report = build_index(index_dir, [folder], encoder=Watching(), config=config)
    assert min(held) >= 80
    assert report.documents == 140
    assert check_index(index_dir).is_sound


@pytest.mark.model
def test_an_unchanged_folder_loads_no_model_and_no_search_library(index_dir: Path, tmp_path: Path) -> None:
    folder = long_folder(tmp_path, 3)
    settle(folder)
    build_index(index_dir, [folder], encoder=load_encoder())
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from ui.cli import app; from typer.testing import CliRunner;"
        "results = [CliRunner().invoke(app, a + ['--index', sys.argv[1]]).exit_code for a in (['index'], ['status'])];"
        "print(results, [m for m in ('torch', 'faiss', 'tantivy', 'tokenizers', 'gradio') if m in sys.modules])"
    )
    arguments = [sys.executable, "-c", program, str(Path(__file__).parent.parent), str(index_dir)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[0, 0] []"


def test_a_bad_file_is_not_parsed_again_as_long_as_it_does_not_change(
    build: Build, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "binary.txt").write_bytes(bytes(range(32)) * 100)
    settle(folder)
    first = build()
    monkeypatch.setattr(reading, "load", lambda data, name: pytest.fail(f"{name} was parsed"))
    assert build().notes == first.notes


def test_files_of_a_folder_that_cannot_be_listed_stay(build: Build, folder: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    (more / "a.txt").write_text("Another text.")
    build(folder, more)
    more.rename(tmp_path / "unmounted")
    report = build(folder)
    assert report.documents == 4
    assert [(note.name, note.reason) for note in report.notes] == [
        ("more", "cannot be listed: No such file or directory")
    ]


def test_a_file_over_the_limit_is_skipped_and_too_many_files_are_refused(build: Build, folder: Path) -> None:
    (folder / "large.txt").write_text("x" * 1_100_000)
    report = build(max_file_mb=1)
    assert [note.reason for note in report.notes] == ["1 MB is over the limit of 1 MB"]
    with pytest.raises(CorpusError, match=r"more than 2 files .* --max-files"):
        build(max_files=2)


def test_files_changed_a_moment_ago_are_left_for_the_next_build(build: Build, folder: Path) -> None:
    settle(folder)
    build()
    (folder / "new.txt").write_text("half a sen")
    assert build(settle_s=60).documents == 3
    assert build().documents == 4


def test_an_edited_sentence_embeds_the_chunks_that_hold_it_and_no_more(
    build: Build, folder: Path, index_dir: Path, encoder: StubEncoder
) -> None:
    """About three sentences a chunk: filled anew, every chunk behind the edit would be another."""
    birds = [f"tells {'of many birds ' * (number % 3 + 2)}in the delta" for number in range(90)]
    sentences = [f"Sentence {number} of the long report {words}." for number, words in enumerate(birds)]
    (folder / "long.txt").write_text(" ".join(sentences))
    build()
    encoder.embedded.clear()
    sentences[4] = "Sentence 4, which is another one by now, tells in a good many more words of the fish in the sea."
    (folder / "long.txt").write_text(" ".join(sentences))
    edited = build()
    assert encoder.embedded
    assert all("the fish in the sea" in text for text in encoder.embedded)
    assert check_index(index_dir).is_sound
    again = build(rebuild=True)
    assert len(encoder.embedded) > 10  # cut anew, the boundaries behind the edit are others
    assert again.index_id != edited.index_id  # as the passages are not the same
