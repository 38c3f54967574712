"""Which files are found, and why others are not."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from pathlib import Path

import pytest
from conftest import Build
from faults import unprivileged

from index.errors import CorpusError
from index.loading import Unreadable, read_bytes
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


def test_sockets_and_devices_are_reported_and_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.txt")
        made = {"socket.txt"}
        try:
            os.mknod("device.txt", 0o666 | stat.S_IFCHR, os.makedev(1, 5))  # endless zeros
            made.add("device.txt")
        except PermissionError:  # only root makes devices
            pass
        found = reasons(scan(tmp_path))
    assert found == {f"{tmp_path.name}/{name}": "not a regular file" for name in made}


@pytest.mark.parametrize("becomes", ["a pipe", "a socket", "a folder", "nothing"])
def test_a_file_that_became_something_else_since_it_was_listed_is_not_read(tmp_path: Path, becomes: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    (entry,) = scan(tmp_path).entries
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        if becomes == "a pipe":
            os.mkfifo(path)
        elif becomes == "a socket":
            listening.bind(os.path.relpath(path))
        elif becomes == "a folder":
            path.mkdir()
        with pytest.raises(Unreadable) as refused:
            read_bytes(entry)
    words = {
        "a pipe": "not a regular file",
        "a socket": "No such device or address",
        "a folder": "Is a directory",
        "nothing": "gone",
    }
    assert str(refused.value) == words[becomes]


@pytest.mark.parametrize("times", [1, 9])
def test_a_file_that_changes_while_it_is_read_is_read_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    (entry,) = scan(tmp_path).entries
    look, looks = os.fstat, iter(range(100))

    def while_it_grows(descriptor: int) -> os.stat_result:
        if next(looks) < 2 * times:
            with open(path, "a") as file:
                file.write(".")
        return look(descriptor)

    monkeypatch.setattr(os, "fstat", while_it_grows)
    if times == 1:
        assert read_bytes(entry) == b"text.."
    else:
        with pytest.raises(Unreadable, match="kept changing while it was read"):
            read_bytes(entry)


def test_a_file_or_folder_that_may_not_be_read_is_skipped_with_the_system_s_words(
    folder: Path, index_dir: Path
) -> None:
    (folder / "secret.txt").write_text("x")
    (folder / "secrets").mkdir()
    for name in ("secret.txt", "secrets"):
        (folder / name).chmod(0)

    def look() -> tuple[dict[str, str], str]:
        found = scan(folder)
        (entry,) = [entry for entry in found.entries if entry.name == "docs/secret.txt"]
        with pytest.raises(Unreadable) as refused:
            read_bytes(entry)
        return reasons(found), str(refused.value)

    for parent in folder.parents[:-2]:
        parent.chmod(parent.stat().st_mode | 0o055)
    looked = unprivileged(look)
    assert looked.value == ({"docs/secrets": "cannot be listed: Permission denied"}, "Permission denied"), looked.trace


def test_files_that_vanish_between_the_look_and_the_reading_leave_the_others_indexed(
    build: Build, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*arguments: object, **limits: object) -> Scan:
        found = scan_folders(*arguments, **limits)  # type: ignore[arg-type]
        (folder / "cheese.txt").unlink(missing_ok=True)
        return found

    monkeypatch.setattr("index.build.scan_folders", late)
    report = build()
    assert report.documents == 2
    assert [(note.name, note.reason) for note in report.notes] == [("docs/cheese.txt", "gone")]


def test_the_longest_names_and_a_deep_path_are_indexed(build: Build, folder: Path) -> None:
    (folder / f"{'n' * 251}.txt").write_text("The name of this file has 255 bytes.")
    deep = folder
    while len(os.fsencode(deep)) < 3_700:
        deep /= "d" * 200
    deep.mkdir(parents=True)
    (deep / "a.txt").write_text("This file lies deep.")
    report = build()
    assert (report.documents, report.notes) == (5, ())


def test_a_path_that_is_too_long_is_reported_and_the_others_are_indexed(build: Build, folder: Path) -> None:
    """Deeper than the system takes a path at once: it can be made, and looked into, only step by step."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    with open(os.open("a.txt", os.O_CREAT | os.O_WRONLY, dir_fd=here), "w") as file:
        file.write("This file cannot be reached.")
    os.close(here)
    try:
        report = build()
    finally:
        shutil.rmtree(folder / ("d" * 200))
    assert report.documents == 3
    assert {note.reason.removeprefix("cannot be listed: ") for note in report.notes} == {"path too long"}


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
