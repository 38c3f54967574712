"""Files are read, parsed and got ready for cutting one thread ahead of whoever works on them, in their order."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from index.changes import same_bytes
from index.documents import Document
from index.loading import Unreadable, load, read_bytes
from index.planning import Bounds
from index.scanning import FileEntry, FileNote
from index.store import FileRecord, Place

AHEAD_BYTES = 16_000_000
AHEAD_FILES = 512
LOOKED_AT_CHARACTERS = 400_000
LAST_GOOD_STAYS = "; its last good version stays"


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What reading one file gave.

    Attributes:
        record: what the index is to remember of it; None when its bytes could not be had.
        documents: one source each; None when they are those the index holds.
        notes: for the report.
        bounds: by document id, where its texts may be cut, when that was found already.
    """

    entry: FileEntry
    record: FileRecord | None
    documents: tuple[Document, ...] | None
    notes: tuple[FileNote, ...] = ()
    bounds: Mapping[str, Bounds] = field(default_factory=dict)

    @property
    def is_as_before(self) -> bool:
        """Its bytes are those that were read last, so what the report said of it still holds."""
        return self.documents is None and not self.notes

    def places(self) -> list[Place]:
        """Return where its documents stand."""
        return [Place(doc.doc_id, self.entry.name, doc.sources[0]) for doc in self.documents or ()]


def read_ahead(
    entries: Sequence[FileEntry],
    known: Mapping[str, FileRecord],
    *,
    max_file_mb: int,
    load_all: bool,
    bounds_of: Callable[[str], Bounds],
) -> Iterator[ReadFile]:
    """Yield every file, in order, while a thread reads the next ones, up to some megabytes of them.

    The thread also finds where texts may be cut, in files whose documents are likely new: those of other names and
    bytes than the index holds. Large files are left: their first documents are wanted early.

    Args:
        entries: what to read.
        known: the files of the index, by name.
        max_file_mb: larger files are not read.
        load_all: parse also those whose bytes are as they were.
        bounds_of: finds where a text may be cut.
    """
    held = {record.sha256 for record in known.values()}

    def read(entry: FileEntry) -> ReadFile:
        file = _read(entry, known.get(entry.name), max_file_mb=max_file_mb, load_all=load_all)
        documents = file.documents or ()
        is_new = file.record is not None and file.record.sha256 not in held and entry.name not in known
        if not (is_new or load_all) or sum(len(document.text) for document in documents) > LOOKED_AT_CHARACTERS:
            return file
        return replace(file, bounds={document.doc_id: bounds_of(document.text) for document in documents})

    return _ahead(entries, read)


def _ahead(entries: Sequence[FileEntry], read: Callable[[FileEntry], ReadFile]) -> Iterator[ReadFile]:
    waiting: deque[tuple[int, Future[ReadFile]]] = deque()
    held = 0
    pool = ThreadPoolExecutor(1, thread_name_prefix="reading")
    try:
        for entry in entries:
            waiting.append((entry.size, pool.submit(read, entry)))
            held += entry.size
            while len(waiting) > 1 and (held > AHEAD_BYTES or len(waiting) > AHEAD_FILES):
                size, future = waiting.popleft()
                yield future.result()
                held -= size
        while waiting:
            yield waiting.popleft()[1].result()
    finally:
        pool.shutdown(cancel_futures=True)


def _read(entry: FileEntry, known: FileRecord | None, *, max_file_mb: int, load_all: bool) -> ReadFile:
    good = known.sha256 if known else ""
    stamp = (entry.name, entry.size, entry.mtime_ns, time.time_ns())
    digest = None
    try:
        data = read_bytes(entry, max_file_mb=max_file_mb)
        digest = hashlib.sha256(data).hexdigest()
        if known is not None and not load_all and same_bytes(digest, known):
            return ReadFile(entry, FileRecord(*stamp, known.sha256, known.refused), None)
        loaded = load(data, name=entry.name)
    except Unreadable as reason:
        note = FileNote(entry.name, f"{reason}{LAST_GOOD_STAYS if good else ''}")
        return ReadFile(entry, FileRecord(*stamp, good, digest) if digest else None, None, (note,))
    by_path = {document.path: document for document in loaded.documents}
    twice = len(loaded.documents) - len(by_path)
    notes = [*loaded.notes, *([f"{twice} documents have the name of a later one, which counts"] if twice else [])]
    remarks = tuple(FileNote(entry.name, note, skipped=False) for note in notes)
    return ReadFile(entry, FileRecord(*stamp, digest), tuple(by_path.values()), remarks)
