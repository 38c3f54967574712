"""Build or update an index: scan, load, segment, chunk, embed what is new, commit.

The transaction that writes the new generation number is the commit point. Its search folder is complete and synced
before it. A build that is killed leaves the old generation, and the vectors it had computed.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from index.chunking import ChunkingConfig, chunk_spans
from index.documents import Document, Source, Span, with_heading
from index.embedding import Encoder
from index.errors import CorpusError, IndexBusy, IndexMismatch
from index.loading import Unreadable, load, read_bytes, readable_names, readable_suffixes
from index.scanning import FileEntry, FileNote, Scan, label_roots, scan_folders
from index.search_folder import Difference, remove_search_folders, write_search_folder
from index.segmenting import SEGMENTER_VERSION, segment
from index.store import FILE_NAME, FileRecord, Place, PlannedChunk, PlannedDocument, Store

LOCK_NAME = "build.lock"
SPECIAL_TOKENS = 2
HEADING_TOKENS = 24
_EMBEDDED_AT_A_TIME = 256
_RACY_NS = 2_000_000_000

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class BuildConfig:
    """How to build.

    Attributes:
        chunking: how documents are cut.
        allow_shrink: go on when more than half of the files are gone.
        rebuild: read and cut every file again, also with another model. Vectors that the same model made of the same
            words are used again.
    """

    chunking: ChunkingConfig = field(default_factory=ChunkingConfig)
    allow_shrink: bool = False
    rebuild: bool = False


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did.

    Attributes:
        generation: of the index now; the same as before when nothing had changed.
        documents, chunks: in the index now.
        added, removed: documents; a changed file is one of each.
        unchanged_files: not read again.
        embedded: chunks whose vectors were computed.
        notes: files skipped, or indexed with a remark.
    """

    generation: int
    index_id: str
    documents: int
    chunks: int
    added: int
    removed: int
    unchanged_files: int
    embedded: int
    seconds: float
    notes: tuple[FileNote, ...]

    def to_dict(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "notes"}
        return {**plain, "notes": [note.to_dict() for note in self.notes]}


def build_index(
    index_dir: Path,
    roots: Sequence[Path],
    *,
    encoder: Encoder,
    config: BuildConfig | None = None,
    on_progress: Progress = lambda stage, done, total: None,
) -> BuildReport:
    """Bring an index up to date with its folders; make it when there is none.

    Args:
        index_dir: the index folder.
        roots: folders to cover from now on, besides those covered already.
        encoder: must be the one the index was made with, unless ``config.rebuild``.
        config: None builds with the defaults.
        on_progress: called often, from this thread.

    Raises:
        CorpusError: a root is no folder, nothing is readable, or more than half of the files are gone.
        IndexBusy: another process is building this index.
        IndexMismatch: the index was made with another model, chunking or format.
        ModelError: the encoder cannot be loaded or misbehaves.
    """
    label_roots(roots, known={})  # a wrong path must not leave an empty index behind
    index_dir.mkdir(parents=True, exist_ok=True)
    with _lock(index_dir):
        store = Store.create_or_open(index_dir / FILE_NAME)
        try:
            return _Build(store, roots, encoder, config or BuildConfig(), on_progress).run()
        finally:
            store.close()


@dataclass(frozen=True, slots=True)
class PendingChanges:
    """Files that differ from what the index holds, by name."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.removed)

    def to_dict(self) -> dict[str, list[str]]:
        return {"new": list(self.new), "changed": list(self.changed), "removed": list(self.removed)}


def pending_changes(index_dir: Path) -> PendingChanges:
    """Return what an update would find. Only files whose size or time stamp leaves a doubt are read."""
    store = Store.open_for_reading(index_dir / FILE_NAME)
    try:
        known = store.files()
        skipped = {name for name, _, skip in store.notes() if skip}
        roots = {Path(path): label for path, label in (store.meta("roots") or {}).items()}
    finally:
        store.close()
    found = {entry.name: entry for entry in _scan(roots, index_dir).entries}
    return PendingChanges(
        new=tuple(sorted(found.keys() - known.keys() - skipped)),
        changed=tuple(name for name in sorted(found.keys() & known.keys()) if _differs(found[name], known[name])),
        removed=tuple(sorted(known.keys() - found.keys())),
    )


@contextlib.contextmanager
def _lock(index_dir: Path) -> Iterator[None]:
    # a lock of the operating system: it goes with the process that held it, however that ends
    try:
        with filelock.FileLock(index_dir / LOCK_NAME, timeout=0):
            yield
    except filelock.Timeout:
        raise IndexBusy(f"Another process is updating {index_dir}. Try again when it has finished.") from None


def _scan(roots: Mapping[Path, str], index_dir: Path) -> Scan:
    present = {root: label for root, label in roots.items() if root.is_dir()}
    return scan_folders(present, exclude=index_dir, readable_suffixes=readable_suffixes())


def _same_stamp(entry: FileEntry, record: FileRecord) -> bool:
    settled = entry.mtime_ns < record.seen_ns - _RACY_NS
    return settled and (entry.size, entry.mtime_ns) == (record.size, record.mtime_ns)


def _differs(entry: FileEntry, record: FileRecord) -> bool:
    if _same_stamp(entry, record):
        return False
    try:
        return hashlib.sha256(read_bytes(entry)).hexdigest() != record.sha256
    except Unreadable:
        return True


@dataclass(slots=True)
class _Reading:
    """What reading the changed files gave."""

    documents: dict[str, Document] = field(default_factory=dict)  # by id, one source each
    places: list[Place] = field(default_factory=list)
    records: list[FileRecord] = field(default_factory=list)
    reread: set[str] = field(default_factory=set)  # files whose sources are replaced
    notes: list[FileNote] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Cut:
    """A document cut into segments and chunks, before its chunks have vectors."""

    document: Document
    heading: str | None
    segments: tuple[Span, ...]
    chunks: tuple[Span, ...]


class _Build:
    """One run; `run` reads like the life of a document."""

    def __init__(
        self, store: Store, roots: Sequence[Path], encoder: Encoder, config: BuildConfig, on_progress: Progress
    ) -> None:
        self.store = store
        self.index_dir = store.path.parent
        self.encoder = encoder
        self.config = config
        self.progress = on_progress
        self.started = time.monotonic()
        self.known_roots = {Path(path): label for path, label in (store.meta("roots") or {}).items()}
        self.roots = label_roots(roots, known=self.known_roots)
        self.named = [Path(os.path.abspath(root)) for root in roots]
        if config.allow_shrink:
            self.roots = {root: label for root, label in self.roots.items() if root.is_dir()}
        self.embedded = 0

    def run(self) -> BuildReport:
        self._refuse_other_settings()
        self.progress("scanning", 0, 0)
        scan = _scan(self.roots, self.index_dir)
        known = self.store.files()
        gone = known.keys() - {entry.name for entry in scan.entries}
        self._refuse_shrinking(len(known), len(gone), scan)
        to_read, unchanged = self._changed(scan, known)
        reading = self._read(to_read, known)
        reading.notes += scan.notes
        untouched = {entry.name for entry in unchanged}
        reading.notes += [FileNote(*note) for note in self.store.notes() if note[0] in untouched]
        places = self._places_after(gone, reading)
        self._refuse_folders_without_documents(places, scan, reading.notes)
        return self._commit(places, gone, reading, len(unchanged))

    # refusals

    def _settings(self) -> dict[str, Any]:
        return {
            "encoder": self.encoder.fingerprint.to_dict(),
            "chunking": asdict(self.config.chunking),
            "segmenter": SEGMENTER_VERSION,
        }

    def _refuse_other_settings(self) -> None:
        if self.store.generation == 0 or self.config.rebuild:
            return
        for name, wanted in self._settings().items():
            refuse_mismatch(name, self.store.meta(name), wanted)

    def _refuse_shrinking(self, known: int, gone: int, scan: Scan) -> None:
        if not known or self.config.allow_shrink:
            return
        if gone == known and not scan.entries:
            raise CorpusError(
                f"All {known} files of the index are missing; is a disk not mounted? The index is kept as it is. "
                "Use --allow-shrink if they are gone for good."
            )
        if gone * 2 > known:
            raise CorpusError(
                f"{gone} of {known} files are missing; the index is kept as it is. "
                "Use --allow-shrink if they are gone for good."
            )

    def _refuse_folders_without_documents(
        self, places: Mapping[str, Place], scan: Scan, notes: Sequence[FileNote]
    ) -> None:
        labels_with_documents = {place.file.partition("/")[0] for place in places.values()}
        for root in self.named or ([] if places else self.roots):
            label = self.roots[root]
            if label in labels_with_documents:
                continue
            names = [entry.name for entry in scan.entries] + [note.name for note in scan.notes]
            looked_at = sum(name.startswith(f"{label}/") for name in names)
            reasons = "".join(f" {note.name}: {note.reason}." for note in notes if note.name.startswith(f"{label}/"))
            raise CorpusError(
                f"No readable documents in {root}. Looked at {looked_at} file{'s' * (looked_at != 1)}.{reasons[:300]} "
                f"Formats read: {readable_names()}."
            )

    # files -> documents

    def _changed(self, scan: Scan, known: Mapping[str, FileRecord]) -> tuple[list[FileEntry], list[FileEntry]]:
        changed: list[FileEntry] = []
        unchanged: list[FileEntry] = []
        for entry in scan.entries:
            record = known.get(entry.name)
            same = record is not None and not self.config.rebuild and _same_stamp(entry, record)
            (unchanged if same else changed).append(entry)
        return changed, unchanged

    def _read(self, entries: Sequence[FileEntry], known: Mapping[str, FileRecord]) -> _Reading:
        reading = _Reading()
        for done, entry in enumerate(entries):
            self.progress("reading", done, len(entries))
            try:
                self._read_file(entry, known.get(entry.name), reading)
            except Unreadable as reason:
                kept = "; its last good version stays" if entry.name in known else ""
                reading.notes.append(FileNote(entry.name, f"{reason}{kept}"))
        self.progress("reading", len(entries), len(entries))
        return reading

    def _read_file(self, entry: FileEntry, record: FileRecord | None, reading: _Reading) -> None:
        seen_ns = time.time_ns()
        data = read_bytes(entry)
        digest = hashlib.sha256(data).hexdigest()
        if record is None or record.sha256 != digest or self.config.rebuild:
            loaded = load(data, name=entry.name)
            reading.reread.add(entry.name)
            for document in loaded.documents:
                reading.documents[document.doc_id] = document
                reading.places.append(Place(document.doc_id, entry.name, document.sources[0]))
            reading.notes += [FileNote(entry.name, note, skipped=False) for note in loaded.notes]
        reading.records.append(FileRecord(entry.name, entry.size, entry.mtime_ns, seen_ns, digest))

    def _places_after(self, gone: Iterable[str], reading: _Reading) -> dict[str, Place]:
        """Return, by path, every place the index will have: those of untouched files, and those just read."""
        dropped = set(gone) | reading.reread
        after = {path: place for path, place in self.store.places().items() if place.file not in dropped}
        for place in reading.places:
            path = place.source.path
            if path in after:
                reading.notes.append(FileNote(place.file, f"{path} stands twice; the last one counts", skipped=False))
            after[path] = place
        return after

    # documents -> rows

    def _commit(self, after: dict[str, Place], gone: Iterable[str], reading: _Reading, unchanged: int) -> BuildReport:
        before = self.store.places()
        first_source: dict[str, Source] = {}
        for path in sorted(after):
            first_source.setdefault(after[path].doc_id, after[path].source)
        headings = {doc_id: source.title for doc_id, source in first_source.items()}
        held = self.store.headings()
        keep = {i for i, heading in headings.items() if i in held and held[i] == heading and not self.config.rebuild}
        added, removed = sorted(headings.keys() - keep), sorted(held.keys() - keep)
        plans = self._embed([self._cut(self._text_of(i, reading), headings[i]) for i in added], reading)
        notes = tuple(sorted(reading.notes, key=lambda note: note.name))
        with self.store.transaction():
            self.store.remove_files(gone)
            self.store.put_files(reading.records)
            self.store.replace_notes((note.name, note.reason, note.skipped) for note in notes)
            if after != before or added or removed or self.known_roots != self.roots:
                self._write_generation(before, after, plans, removed)
        remove_search_folders(self.index_dir, keep=(self.store.generation - 1, self.store.generation))
        documents, chunks = self.store.counts()
        return BuildReport(
            generation=self.store.generation,
            index_id=self.store.meta("index_id"),
            documents=documents,
            chunks=chunks,
            added=len(headings.keys() - held.keys()),
            removed=len(held.keys() - headings.keys()),
            unchanged_files=unchanged,
            embedded=self.embedded,
            seconds=time.monotonic() - self.started,
            notes=notes,
        )

    def _text_of(self, doc_id: str, reading: _Reading) -> Document:
        return reading.documents.get(doc_id) or self.store.document(doc_id)

    def _cut(self, document: Document, heading: str | None) -> _Cut:
        segments = segment(document.text)
        budget = self.encoder.fingerprint.max_tokens - SPECIAL_TOKENS - (HEADING_TOKENS if heading else 0)
        chunking = self.config.chunking
        chunk_tokens = min(chunking.chunk_tokens, budget)
        fitted = ChunkingConfig(chunk_tokens, min(chunking.overlap_tokens, chunk_tokens // 2))
        chunks = chunk_spans(segments, self.encoder.token_starts(document.text), fitted)
        return _Cut(document, heading, tuple(segments), tuple(chunks))

    def _embed(self, cuts: Sequence[_Cut], reading: _Reading) -> list[PlannedDocument]:
        """Compute the vectors that are not stored yet, store them as they come, and return what to write."""
        salt = json.dumps(self.encoder.fingerprint.to_dict(), sort_keys=True)
        texts: dict[bytes, str] = {}
        keyed: list[list[bytes]] = []
        for cut in cuts:
            words = [with_heading(cut.heading, span.of(cut.document.text)) for span in cut.chunks]
            keys = [hashlib.sha256(f"{salt}\n{text}".encode()).digest()[:16] for text in words]
            texts.update(zip(keys, words, strict=True))
            keyed.append(keys)
        known = self.store.known_vector_keys(texts)
        self._embed_missing({key: text for key, text in texts.items() if key not in known})
        usable = self.store.known_vector_keys(texts)
        if lost := len(texts) - len(usable):
            reading.notes.append(FileNote("", f"{lost} passages left out: the model gave no finite vector", False))
        return [
            PlannedDocument(
                cut.document,
                cut.heading,
                cut.segments,
                tuple(PlannedChunk(span, key) for span, key in zip(cut.chunks, keys, strict=True) if key in usable),
            )
            for cut, keys in zip(cuts, keyed, strict=True)
        ]

    def _embed_missing(self, missing: dict[bytes, str]) -> None:
        keys = sorted(missing, key=lambda key: len(missing[key]))  # like lengths together: less padding
        for start in range(0, len(keys), _EMBEDDED_AT_A_TIME):
            self.progress("embedding", start, len(keys))
            batch = keys[start : start + _EMBEDDED_AT_A_TIME]
            vectors = self.encoder.encode_documents([missing[key] for key in batch])
            finite = np.isfinite(vectors).all(axis=1)
            for row in np.flatnonzero(~finite):
                vectors[row] = self.encoder.encode_documents([missing[batch[row]]])[0]
            finite = np.isfinite(vectors).all(axis=1)
            usable = np.flatnonzero(finite)
            self.store.put_vectors([batch[row] for row in usable], vectors[usable])
            self.embedded += len(batch)
        self.progress("embedding", len(keys), len(keys))

    def _write_generation(
        self,
        before: dict[str, Place],
        after: dict[str, Place],
        plans: Sequence[PlannedDocument],
        removed: Sequence[str],
    ) -> None:
        generation = self.store.generation + 1
        self.progress("writing", 0, 0)
        stale = [path for path, place in before.items() if after.get(path) != place]
        self.store.retire((before[path].doc_id, path) for path in stale)
        removed_chunks = self.store.remove_documents(removed)
        added_chunks = self.store.add_documents(plans)
        self.store.replace_places(stale, [place for path, place in after.items() if before.get(path) != place])
        self.store.remove_unused_vectors()
        self.store.set_meta(
            **self._settings(),
            generation=generation,
            index_id=_index_id(self._settings(), after.values()),
            roots={str(root): label for root, label in self.roots.items()},
            built_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )
        since = None if self.config.rebuild else Difference(added_chunks, removed_chunks)
        dimension = self.encoder.fingerprint.dimension
        write_search_folder(self.store, generation, dimension=dimension, since=since)


def refuse_mismatch(name: str, found: Any, wanted: Any) -> None:
    """Compare a setting of an index with the one asked for.

    Raises:
        IndexMismatch: they differ; the message names what.
    """
    if found == wanted:
        return
    if isinstance(found, dict) and isinstance(wanted, dict):
        differing = [key for key in wanted if found.get(key) != wanted[key]]
        name = f"{name} {differing[0]}"
        found, wanted = found.get(differing[0]), wanted[differing[0]]
    raise IndexMismatch(
        f"The index was made with {name} {found!r}, not {wanted!r}. "
        "Use the same, or build it anew with --rebuild (pincite index --rebuild)."
    )


def _index_id(settings: Mapping[str, Any], places: Iterable[Place]) -> str:
    """Return 12 hexadecimal digits that name exactly this content, made in exactly this way."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for place in sorted(places, key=lambda place: place.source.path):
        digest.update(json.dumps([place.doc_id, *astuple(place.source)]).encode())
    return digest.hexdigest()[:12]
