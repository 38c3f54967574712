"""Which files differ from what the index holds, and which only seem to be gone."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from index.loading import Unreadable, read_bytes, readable_suffixes
from index.scanning import FileEntry, Scan, scan_folders
from index.store import FILE_NAME, FileRecord, Store

_RACY_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a scan found against what the index knows.

    Attributes:
        to_read: files that are new, or whose size or time stamp leaves a doubt.
        unchanged: names of files that need not be read.
        gone: names of files that are there no longer.
        kept: names of files that cannot be read now; what they held last stays.
    """

    to_read: tuple[FileEntry, ...]
    unchanged: frozenset[str]
    gone: tuple[str, ...]
    kept: frozenset[str]


def compare(scan: Scan, known: Mapping[str, FileRecord], *, read_all: bool = False, settle_s: float = 0) -> Comparison:
    """Sort the files of a scan by what has to be done with them; no file is opened.

    Args:
        scan: what is there.
        known: the files of the index, by name.
        read_all: every file is to be read.
        settle_s: files changed in the last so many seconds are passed over, somebody may be writing them.
    """
    now = time.time_ns()
    to_read, unchanged = [], set()
    for entry in scan.entries:
        record = known.get(entry.name)
        settling = 0 <= now - entry.mtime_ns < settle_s * 1e9
        if settling or (record is not None and not read_all and same_stamp(entry, record)):
            unchanged.add(entry.name)
        else:
            to_read.append(entry)
    listed = {entry.name for entry in scan.entries}
    noted = {note.name for note in scan.notes}
    absent = sorted(known.keys() - listed)
    kept = frozenset(name for name in absent if name in noted or name.startswith(scan.unlisted))
    return Comparison(tuple(to_read), frozenset(unchanged), tuple(n for n in absent if n not in kept), kept)


def same_stamp(entry: FileEntry, record: FileRecord) -> bool:
    """Return whether size and time of last change prove that a file is as it was when it was read."""
    settled = entry.mtime_ns < record.seen_ns - _RACY_NS
    return settled and (entry.size, entry.mtime_ns) == (record.size, record.mtime_ns)


def same_bytes(sha256: str, record: FileRecord) -> bool:
    """Return whether these are the bytes the file had when it was last read, good or not."""
    return sha256 == (record.refused or record.sha256)


@dataclass(frozen=True, slots=True)
class PendingChanges:
    """Files that differ from what the index holds, by name, and folders that could not be looked into."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unlisted: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.removed)

    def to_dict(self) -> dict[str, list[str]]:
        return {name: list(getattr(self, name)) for name in self.__slots__}


def pending_changes(index_dir: Path) -> PendingChanges:
    """Return what an update would find. Only files whose size or time stamp leaves a doubt are read."""
    store = Store.open_for_reading(index_dir / FILE_NAME)
    try:
        known = store.files()
        skipped = {name for name, _, skip in store.notes() if skip}
        roots = {Path(path): label for path, label in (store.meta("roots") or {}).items()}
    finally:
        store.close()
    scan = scan_folders(roots, exclude=index_dir, readable_suffixes=readable_suffixes())
    found = compare(scan, known)
    return PendingChanges(
        new=tuple(e.name for e in found.to_read if e.name not in known and e.name not in skipped),
        changed=tuple(e.name for e in found.to_read if e.name in known and _differs(e, known[e.name])),
        removed=found.gone,
        unlisted=scan.unlisted,
    )


def _differs(entry: FileEntry, record: FileRecord) -> bool:
    try:
        return not same_bytes(hashlib.sha256(read_bytes(entry)).hexdigest(), record)
    except Unreadable:
        return not record.refused
