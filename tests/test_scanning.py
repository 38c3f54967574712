"""Which files are found, and why others are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from index.errors import CorpusError
from index.scanning import Scan, label_roots, scan_folders

SUFFIXES = frozenset((".txt", ".md"))


def scan(root: Path, exclude: Path = Path("/nowhere")) -> Scan:
    return scan_folders(label_roots([root], known={}), exclude=exclude, readable_suffixes=SUFFIXES)


def names(result: Scan) -> list[str]:
    return [entry.name for entry in result.entries]


def reasons(result: Scan) -> dict[str, str]:
    return {note.name: note.reason for note in result.notes}


def test_files_are_named_by_folder_and_path(tmp_path: Path) -> None:
    root = tmp_path / "docs"
    (root / "b").mkdir(parents=True)
    (root / "b" / "two.md").write_text("2")
    (root / "one.txt").write_text("1")
    assert names(scan(root)) == ["docs/b/two.md", "docs/one.txt"]


def test_hidden_files_and_editors_leftovers_are_passed_over_in_silence(tmp_path: Path) -> None:
    for name in (".hidden.txt", "a.txt~", ".a.txt.swp", "b.txt.part"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "c.txt").write_text("x")
    assert scan(tmp_path) == Scan((), ())


def test_the_index_itself_is_not_indexed(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "a.txt").write_text("x")
    assert names(scan(tmp_path, exclude=tmp_path / "index")) == []


def test_formats_without_a_reader_are_reported(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_text("x")
    assert reasons(scan(tmp_path)) == {f"{tmp_path.name}/film.mp4": "no reader for .mp4"}


def test_a_pipe_is_reported_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    assert list(reasons(scan(tmp_path)).values()) == ["not a regular file"]


def test_links_out_of_the_folder_and_to_nowhere_are_reported(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("x")
    root = tmp_path / "docs"
    root.mkdir()
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    (root / "lost.txt").symlink_to(root / "gone.txt")
    assert reasons(scan(root)) == {"docs/out.txt": "points outside the corpus", "docs/lost.txt": "points at nothing"}


def test_link_loops_end(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("x")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    assert names(scan(tmp_path)) == [f"{tmp_path.name}/sub/a.txt"]


def test_a_name_that_is_not_utf8_gets_a_printable_one(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff\xfe.txt", "w") as file:
        file.write("x")
    assert names(scan(tmp_path)) == [f"{tmp_path.name}/\\xff\\xfe.txt"]


def test_folders_of_the_same_name_get_labels_of_their_own(tmp_path: Path) -> None:
    first, second = tmp_path / "x" / "docs", tmp_path / "y" / "docs"
    for path in (first, second):
        path.mkdir(parents=True)
    labels = label_roots([first], known={})
    assert label_roots([second, first], known=labels) == {first: "docs", second: "docs-2"}


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("x")
    for path in (tmp_path / "file.txt", tmp_path / "missing"):
        with pytest.raises(CorpusError, match="is not a folder"):
            label_roots([path], known={})
