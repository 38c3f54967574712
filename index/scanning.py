"""Which files a corpus folder holds, without opening any of them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.errors import CorpusError

IGNORED_SUFFIXES = ("~", ".swp", ".swx", ".tmp", ".part", ".crdownload")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A regular file of a corpus folder.

    Attributes:
        path: where it is now.
        name: folder label, then the path inside the folder, ``/`` between; undecodable bytes written as ``\\xff``.
        size: bytes.
        mtime_ns: time of last change, nanoseconds since the epoch.
    """

    path: Path
    name: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class FileNote:
    """What the report says of one file.

    Attributes:
        name: as in ``FileEntry.name``.
        reason: one clause a person understands.
        skipped: True when nothing of the file was read; False for a remark on a file that was indexed.
    """

    name: str
    reason: str
    skipped: bool = True

    def to_dict(self) -> dict[str, str | bool]:
        return {"file": self.name, "reason": self.reason, "skipped": self.skipped}


@dataclass(frozen=True, slots=True)
class Scan:
    """All files found, by name, and what was passed over with its reason."""

    entries: tuple[FileEntry, ...]
    notes: tuple[FileNote, ...]


def label_roots(roots: Sequence[Path], *, known: Mapping[Path, str]) -> dict[Path, str]:
    """Return the known folders and the given ones, each with a distinct label.

    A label is the folder's own name, with a number where another folder has that name already.

    Raises:
        CorpusError: a given path is not a folder.
    """
    labels = dict(known)
    for root in roots:
        path = Path(os.path.abspath(root))
        if not path.is_dir():
            raise CorpusError(f"{printable(root)} is not a folder. Give the folder that holds the documents.")
        base = printable(path.name) or "corpus"
        label, number = base, 2
        while path not in labels and label in labels.values():
            label, number = f"{base}-{number}", number + 1
        labels.setdefault(path, label)
    return labels


def scan_folders(roots: dict[Path, str], *, exclude: Path, readable_suffixes: frozenset[str]) -> Scan:
    """Return the files below each labelled folder that may be documents.

    Hidden files and folders, editors' leftovers and ``exclude`` (the index itself) are passed over in silence; links
    out of the folder, special files and formats without a reader are reported. Each folder is visited once, so link
    loops end.
    """
    entries: dict[str, FileEntry] = {}
    notes: list[FileNote] = []
    for root, label in roots.items():
        real_root = root.resolve()
        unlistable: list[OSError] = []
        for path in _walk(root, exclude, unlistable):
            name = f"{label}/{printable(path.relative_to(root).as_posix())}"
            found = _examine(path, name, real_root, readable_suffixes)
            if isinstance(found, FileEntry):
                entries[name] = found
            elif found is not None:
                notes.append(found)
        for error in unlistable:
            name = printable(os.path.relpath(error.filename or root, root))
            notes.append(FileNote(f"{label}/{name}", f"cannot be listed: {error.strerror}"))
    return Scan(tuple(entries[name] for name in sorted(entries)), tuple(sorted(notes, key=lambda note: note.name)))


def printable(path: str | Path) -> str:
    """Return a path as text that can be stored: bytes that are not UTF-8 become ``\\xff``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _walk(root: Path, exclude: Path, unlistable: list[OSError]) -> Iterator[Path]:
    visited: set[tuple[int, int]] = set()
    excluded = os.path.realpath(exclude)

    for folder, folders, files in os.walk(root, onerror=unlistable.append, followlinks=False):
        info = os.stat(folder)
        if (info.st_dev, info.st_ino) in visited or os.path.realpath(folder) == excluded:
            folders.clear()
            continue
        visited.add((info.st_dev, info.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and not name.endswith(IGNORED_SUFFIXES):
                yield Path(folder, name)


def _examine(path: Path, name: str, real_root: Path, suffixes: frozenset[str]) -> FileEntry | FileNote | None:
    try:
        if path.is_symlink() and not path.resolve().is_relative_to(real_root):
            return FileNote(name, "points outside the corpus")
        info = path.stat()
    except FileNotFoundError:
        return FileNote(name, "points at nothing" if path.is_symlink() else "gone")
    except OSError as error:
        return FileNote(name, error.strerror or "cannot be examined")
    if not stat.S_ISREG(info.st_mode):
        return FileNote(name, "not a regular file")
    if path.suffix.lower() not in suffixes:
        return FileNote(name, f"no reader for {path.suffix or 'files without a suffix'}")
    return FileEntry(path, name, info.st_size, info.st_mtime_ns)
