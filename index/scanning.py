"""Which files a corpus folder holds, without opening any of them."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from index.errors import CorpusError

MAX_FILES = 1_000_000
IGNORED_SUFFIXES = ("~", ".swp", ".swx", ".tmp", ".part", ".crdownload")


class FileEntry(NamedTuple):
    """A regular file of a corpus folder.

    Attributes:
        path: where it is now, as the operating system takes it.
        name: folder label, then the path inside the folder, ``/`` between; undecodable bytes written as ``\\xff``.
        size: bytes.
        mtime_ns: time of last change, nanoseconds since the epoch.
    """

    path: str
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
    """What a look at the folders found, without opening a file.

    Attributes:
        entries: the files that may be documents, by name.
        notes: what was passed over, with its reason, by name.
        unlisted: names, each ending in ``/``, of folders that could not be listed; what is in them is not known.
    """

    entries: tuple[FileEntry, ...]
    notes: tuple[FileNote, ...]
    unlisted: tuple[str, ...] = ()


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


def scan_folders(
    roots: Mapping[Path, str], *, exclude: Path, readable_suffixes: frozenset[str], max_files: int = MAX_FILES
) -> Scan:
    """Return the files below each labelled folder that may be documents.

    Hidden files and folders, editors' leftovers and ``exclude`` (the index itself) are passed over in silence; links
    out of the folder, special files and formats without a reader are reported. Each folder is visited once, so link
    loops end.

    Raises:
        CorpusError: there are more than ``max_files`` files.
    """
    scanner = _Scanner(os.path.realpath(exclude), readable_suffixes, max_files)
    for root, label in roots.items():
        scanner.scan(root, label)
    notes = sorted(scanner.notes, key=lambda note: note.name)
    return Scan(tuple(scanner.entries[name] for name in sorted(scanner.entries)), tuple(notes), tuple(scanner.unlisted))


def is_passed_over(name: str) -> bool:
    """Return whether a file or folder of this name is left out in silence: hidden, or an editor's leftover."""
    return name.startswith(".") or name.endswith(IGNORED_SUFFIXES)


def printable(path: str | Path) -> str:
    """Return a path as text that can be stored: bytes that are not UTF-8 become ``\\xff``."""
    text = os.fspath(path)
    return text if text.isascii() else os.fsencode(text).decode("utf-8", "backslashreplace")


class _Scanner:
    """Walks folders, one look at each file."""

    def __init__(self, exclude: str, suffixes: frozenset[str], max_files: int) -> None:
        self.entries: dict[str, FileEntry] = {}
        self.notes: list[FileNote] = []
        self.unlisted: list[str] = []
        self._excluded = os.stat(exclude) if os.path.exists(exclude) else None
        self._suffixes = tuple(suffixes)
        self._max_files = max_files
        self._visited: set[tuple[int, int]] = set()

    def scan(self, root: Path, label: str) -> None:
        real_root = os.path.realpath(root)
        folders = [(str(root), f"{label}/")]
        while folders:
            folder, name = folders.pop()
            try:
                found = self._list(folder)
            except OSError as error:
                self.unlisted.append(name)
                self.notes.append(FileNote(name.rstrip("/"), f"cannot be listed: {_words(error)}"))
                continue
            inside = [entry for entry in found if not is_passed_over(entry.name)]
            below = [entry for entry in inside if entry.is_dir(follow_symlinks=False)]
            folders += [(entry.path, f"{name}{printable(entry.name)}/") for entry in reversed(below)]
            for entry in inside:
                if not entry.is_dir(follow_symlinks=False):
                    self._take(self._examine(entry, f"{name}{printable(entry.name)}", real_root))

    def _list(self, folder: str) -> list[os.DirEntry[str]]:
        """Return what a folder holds, by name; nothing for the index itself and for a folder seen before."""
        info = os.stat(folder)
        seen = (info.st_dev, info.st_ino) in self._visited
        if seen or (self._excluded and os.path.samestat(info, self._excluded)):
            return []
        self._visited.add((info.st_dev, info.st_ino))
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)

    def _take(self, found: FileEntry | FileNote) -> None:
        if isinstance(found, FileNote):
            self.notes.append(found)
        elif found.name in self.entries:  # a byte that is not UTF-8, and a file that is called the way it is written
            self.notes.append(FileNote(found.name, "another file's name is written the same"))
        else:
            self.entries[found.name] = found
        if len(self.entries) + len(self.notes) > self._max_files:
            raise CorpusError(
                f"There are more than {self._max_files:,} files below the folder of {found.name}. "
                "Name a smaller folder, or raise the limit: --max-files."
            )

    def _examine(self, entry: os.DirEntry[str], name: str, real_root: str) -> FileEntry | FileNote:
        is_link = entry.is_symlink()
        try:
            if is_link and not f"{os.path.realpath(entry.path)}/".startswith(f"{real_root.rstrip('/')}/"):
                return FileNote(name, "points outside the corpus")
            info = entry.stat()
        except FileNotFoundError:
            return FileNote(name, "points at nothing" if is_link else "gone")
        except OSError as error:
            return FileNote(name, _words(error))
        if is_link and stat.S_ISDIR(info.st_mode):
            return FileNote(name, "a link to a folder; that folder is read where it stands")
        if not stat.S_ISREG(info.st_mode):
            return FileNote(name, "not a regular file")
        if not entry.name.lower().endswith(self._suffixes):
            suffix = os.path.splitext(entry.name)[1]
            return FileNote(name, f"no reader for {printable(suffix) or 'files without a suffix'}")
        return FileEntry(entry.path, name, info.st_size, info.st_mtime_ns)


def _words(error: OSError) -> str:
    if error.errno == errno.ENAMETOOLONG:
        return "path too long"
    if error.errno == errno.ELOOP:
        return "a link that leads to itself"
    return error.strerror or "cannot be examined"
