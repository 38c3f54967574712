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
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import filelock

from index.changes import Comparison, compare
from index.chunking import CHUNKING_VERSION, ChunkingConfig
from index.documents import Document
from index.embedding import Encoder
from index.errors import CorpusError, IndexBusy, IndexMismatch, system_errors
from index.loading import MAX_FILE_MB, readable_names, readable_suffixes
from index.planning import Planner, ToCut
from index.reading import LAST_GOOD_STAYS, ReadFile, read_ahead
from index.recutting import Earlier
from index.scanning import MAX_FILES, FileNote, Scan, label_roots, printable, scan_folders
from index.segmenting import SEGMENTER_VERSION
from index.store import FILE_NAME, FileRecord, Place, PlannedDocument, Store

LOCK_NAME = "build.lock"
FIRST_PART_CHARACTERS = 25_000  # about 32 chunks, a second of embedding on 2 cores
PART_CHARACTERS = 400_000
LONGEST_PAUSE_S = 60.0
UNFINISHED = "unfinished"
_RECUT_AT_A_TIME = 256

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class BuildConfig:
    """How to build.

    Attributes:
        chunking: how documents are cut.
        allow_shrink: go on when more than half of the files are gone.
        rebuild: read and cut every file again, also with another model. Vectors that the same model made of the same
            words are used again. Everything is committed at once.
        commit_after_s: a long build makes what it has searchable after so many seconds, then after pauses that double
            up to a minute; docs/decisions/0007-update.md.
        settle_s: files changed in the last so many seconds are left for the next build.
        max_file_mb: larger files are skipped.
        max_files: more files below the folders are refused.
    """

    chunking: ChunkingConfig = field(default_factory=ChunkingConfig)
    allow_shrink: bool = False
    rebuild: bool = False
    commit_after_s: float = 2.0
    settle_s: float = 0.0
    max_file_mb: int = MAX_FILE_MB
    max_files: int = MAX_FILES


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
        StorageError: the index folder cannot be written: disk full, read-only, I/O error.
    """
    label_roots(roots, known={})  # a wrong path must not leave an empty index behind
    with system_errors(index_dir):
        index_dir.mkdir(parents=True, exist_ok=True)
    with system_errors(index_dir), build_lock(index_dir):
        store = Store.create_or_open(index_dir / FILE_NAME)
        try:
            return _Build(store, roots, encoder, config or BuildConfig(), on_progress).run()
        finally:
            store.close()


@contextlib.contextmanager
def build_lock(index_dir: Path) -> Iterator[None]:
    """Hold the right to change an index.

    Raises:
        IndexBusy: another process holds it.
    """
    # a lock of the operating system: it goes with the process that held it, however that ends
    try:
        with filelock.FileLock(index_dir / LOCK_NAME, timeout=0):
            yield
    except filelock.Timeout:
        raise IndexBusy(f"Another process is updating {index_dir}. Try again when it has finished.") from None


@dataclass(slots=True)
class _Part:
    """What is cut and embedded together.

    Attributes:
        placed: documents and where they stand.
        finished: files whose last document is in this part or was in one before it.
        begun: the file whose next documents come in the next part.
        size: bytes of files it stands for.
    """

    placed: list[tuple[Document, Place]] = field(default_factory=list)
    finished: list[ReadFile] = field(default_factory=list)
    begun: ReadFile | None = None
    size: float = 0


def _parts(files: Iterable[ReadFile]) -> Iterator[_Part]:
    """Yield the documents of files in parts of like size, the first ones small so that something is ready early."""
    part, limit, held = _Part(), FIRST_PART_CHARACTERS, 0
    for file in files:
        bytes_per_character = file.entry.size / max(1, sum(len(document.text) for document in file.documents or ()))
        for number, (document, place) in enumerate(zip(file.documents or (), file.places(), strict=True)):
            if held >= limit:
                part.begun = file if number else None
                yield part
                part, limit, held = _Part(), min(2 * limit, PART_CHARACTERS), 0
            part.placed.append((document, place))
            part.size += len(document.text) * bytes_per_character
            held += len(document.text)
        part.finished.append(file)
        part.size += 0 if file.documents else file.entry.size
    if part.placed or part.finished:
        yield part


@dataclass(slots=True)
class _Changes:
    """What the next commit will write.

    Attributes:
        places: by path, what will stand there.
        paths: by document id, where it will stand anew.
        stale: paths at which nothing will stand.
        plans: by id, documents that are new or get new chunks.
        records, removed_files: of files.
        notes: on files that were read, which have none but these.
    """

    places: dict[str, Place] = field(default_factory=dict)
    paths: dict[str, set[str]] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    plans: dict[str, PlannedDocument] = field(default_factory=dict)
    records: list[FileRecord] = field(default_factory=list)
    removed_files: tuple[str, ...] = ()
    notes: dict[str, list[FileNote]] = field(default_factory=dict)

    def place(self, place: Place) -> None:
        self.places[place.source.path] = place
        self.paths.setdefault(place.doc_id, set()).add(place.source.path)


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
        self.known = store.files()
        self.filled: set[str] = set()  # labels of folders that gave documents
        self.planner = Planner(store, encoder, config.chunking)
        self.resuming = bool(store.meta("unfinished"))
        self.changes = _Changes()
        self.released: list[bytes] = []
        self.added = self.removed = 0
        self.last_commit, self.commit_after_s = self.started, config.commit_after_s

    def run(self) -> BuildReport:
        self._refuse_other_settings()
        self.progress("scanning", 0, 0)
        scan = scan_folders(
            self.roots,
            exclude=self.index_dir,
            readable_suffixes=readable_suffixes(),
            max_files=self.config.max_files,
        )
        found = compare(scan, self.known, read_all=self.config.rebuild, settle_s=self.config.settle_s)
        self._refuse_shrinking(scan, found)
        self.filled |= {label_of(n) for n in self.known.keys() - set(found.gone) if self.known[n].sha256}
        self._refuse_empty_folders(scan)
        self._take_in(found)
        self._drop(found.gone)
        notes = self._all_notes(scan, found)
        self._refuse_folders_without_documents(scan, notes)
        self._recut_the_rest()
        self._commit(self.roots, notes)
        return self._report(len(found.unchanged), notes)

    # refusals

    def _settings(self) -> dict[str, Any]:
        return {
            "encoder": self.encoder.fingerprint.to_dict(),
            "chunking": {**asdict(self.config.chunking), "version": CHUNKING_VERSION},
            "segmenter": SEGMENTER_VERSION,
        }

    def _refuse_other_settings(self) -> None:
        if self.store.generation == 0 or self.config.rebuild:
            return
        for name, wanted in self._settings().items():
            refuse_mismatch(name, self.store.meta(name), wanted)

    def _refuse_shrinking(self, scan: Scan, found: Comparison) -> None:
        good = [name for name, record in self.known.items() if record.sha256]
        gone = sum(bool(self.known[name].sha256) for name in found.gone)
        if not good or self.config.allow_shrink:
            return
        if not scan.entries and gone + len(found.kept) >= len(good):
            raise CorpusError(
                f"All {len(good)} files of the index are missing; is a disk not mounted? The index is kept as it is. "
                "Use --allow-shrink if they are gone for good."
            )
        if gone * 2 > len(good):
            raise CorpusError(
                f"{gone} of {len(good)} files are missing; the index is kept as it is. "
                "Use --allow-shrink if they are gone for good."
            )

    def _refuse_empty_folders(self, scan: Scan) -> None:
        """Refuse a named folder without a file that might be read, before anything is read."""
        promising = {label_of(entry.name) for entry in scan.entries} | self.filled
        self._refuse_unless_in(promising, scan, scan.notes)

    def _refuse_folders_without_documents(self, scan: Scan, notes: Sequence[FileNote]) -> None:
        self._refuse_unless_in(self.filled, scan, notes)

    def _refuse_unless_in(self, labels: Container[str], scan: Scan, notes: Sequence[FileNote]) -> None:
        for root in self.named or ([] if labels else self.roots):
            label = self.roots[root]
            if label in labels:
                continue
            names = [entry.name for entry in scan.entries] + [note.name for note in scan.notes]
            looked_at = sum(label_of(name) == label for name in names)
            reasons = "".join(f" {note.name}: {note.reason}." for note in notes if label_of(note.name) == label)
            raise CorpusError(
                f"No readable documents in {printable(root)}. Looked at {looked_at} file{'s' * (looked_at != 1)}."
                f"{reasons[:300]} Formats read: {readable_names()}."
            )

    # files -> documents with vectors

    def _take_in(self, found: Comparison) -> None:
        """Read, cut and embed what is new, and commit as it goes."""
        files = read_ahead(found.to_read, self.known, max_file_mb=self.config.max_file_mb, load_all=self.config.rebuild)
        total, done = sum(entry.size for entry in found.to_read), 0.0
        for part in _parts(files):
            self._commit_if_due()
            here = partial(self._show, done, part.size, total)
            here(0)
            self._place(part)
            self._cut(dict.fromkeys(place.doc_id for _, place in part.placed), _texts(part), on_progress=here)
            done += part.size
            here(1)

    def _show(self, done: float, size: float, total: int, fraction: float) -> None:
        self.progress("indexing, kB", int((done + size * fraction) / 1000), total // 1000)

    def _place(self, part: _Part) -> None:
        for _, place in part.placed:
            self.filled.add(label_of(place.file))
            if self.config.rebuild or self.store.place_at(place.source.path) != place:
                self.changes.place(place)
        for file in part.finished:
            if file.documents is not None:
                paths = {document.path for document in file.documents}
                self.changes.stale |= {p.source.path for p in self.store.places_in(file.entry.name)} - paths
            if file.record is not None:
                self.changes.records.append(file.record)
            if not file.is_as_before:
                self.changes.notes.setdefault(file.entry.name, []).extend(file.notes)
        if part.begun:  # as long as it is not finished it counts as another file than the one on disk
            self.changes.records.append(FileRecord(part.begun.entry.name, -1, 0, 0, UNFINISHED))

    def _cut(
        self,
        doc_ids: Iterable[str],
        texts: Mapping[str, str],
        on_progress: Callable[[float], None] = lambda fraction: None,
    ) -> None:
        """Plan those of the documents that are new, or are called otherwise than before."""
        wanted = [document for doc_id in doc_ids if (document := self._to_cut(doc_id, texts))]
        if wanted and not self.store.meta("unfinished"):
            with self.store.transaction():
                self.store.set_meta(unfinished=True)
        planned = self.planner.plan(wanted, on_progress=on_progress)
        self.changes.plans |= {plan.doc_id: plan for plan in planned.documents}
        for doc_id, count in planned.left_out.items():
            file = self._places_after(doc_id)[0].file
            reason = f"{count} passages left out: the model gave no finite vector"
            self.changes.notes.setdefault(file, []).append(FileNote(file, reason, skipped=False))

    def _recut_the_rest(self) -> None:
        """In a rebuild, plan also the documents of files that could not be read now."""
        held = self.store.document_ids() if self.config.rebuild else []
        for start in range(0, len(held), _RECUT_AT_A_TIME):
            self._cut(held[start : start + _RECUT_AT_A_TIME], {})

    def _to_cut(self, doc_id: str, texts: Mapping[str, str]) -> ToCut | None:
        places = self._places_after(doc_id)
        if not places:
            return None
        heading = places[0].source.title
        plan, is_held = self.changes.plans.get(doc_id), self.store.holds_document(doc_id)
        if plan is not None and plan.heading == heading:
            return None
        if plan is None and is_held and not self.config.rebuild and self.store.heading(doc_id) == heading:
            return None
        text = texts.get(doc_id) or (plan and plan.text) or self.store.document(doc_id).text
        earlier = None if is_held or self.config.rebuild else self._earlier(places[0].source.path, heading)
        return ToCut(doc_id, text, heading, is_held, earlier)

    def _earlier(self, path: str, heading: str | None) -> Earlier | None:
        """Return what stands at a path now, if its chunks can be kept: their vectors are of text and heading."""
        doc_id = self.store.document_at(path)
        if doc_id is None or self.store.heading(doc_id) != heading:
            return None
        spans = [chunk.span for chunk in self.store.chunks_of(doc_id)]
        return Earlier(self.store.document(doc_id).text, spans)

    def _places_after(self, doc_id: str) -> list[Place]:
        """Return where a document will stand after the next commit, by path."""
        changes = self.changes
        staying = {place.source.path: place for place in self.store.places_of(doc_id)}
        staying = {path: p for path, p in staying.items() if path not in changes.stale and path not in changes.places}
        coming = {path: changes.places[path] for path in changes.paths.get(doc_id, ())}
        return [place for _, place in sorted({**staying, **coming}.items()) if place.doc_id == doc_id]

    def _drop(self, gone: Sequence[str]) -> None:
        self.changes.removed_files = tuple(gone)
        for name in gone:
            self.changes.stale |= {place.source.path for place in self.store.places_in(name)}
        self.changes.stale -= self.changes.places.keys()

    def _all_notes(self, scan: Scan, found: Comparison) -> tuple[FileNote, ...]:
        """Return the notes on everything that is there now, read in this run or not, by name."""
        stays = {name for name in found.kept if self.known[name].sha256}
        notes = [
            FileNote(note.name, f"{note.reason}{LAST_GOOD_STAYS}") if note.name in stays else note
            for note in scan.notes
        ]
        here = {entry.name for entry in scan.entries} | {name for name in found.kept if name.startswith(scan.unlisted)}
        held = [FileNote(*row) for row in self.store.notes()]
        notes += [note for note in held if note.name in here and note.name not in self.changes.notes]
        notes += [note for own in self.changes.notes.values() for note in own]
        return tuple(sorted(notes, key=lambda note: note.name))

    # documents -> a generation

    def _commit_if_due(self) -> None:
        now = time.monotonic()
        if self.config.rebuild or not self.changes.plans or now - self.last_commit < self.commit_after_s:
            return
        covered = {r: label for r, label in self.roots.items() if r in self.known_roots or label in self.filled}
        self._commit(covered, None)
        took = time.monotonic() - now
        self.last_commit = time.monotonic()
        self.commit_after_s = max(min(2 * self.commit_after_s, LONGEST_PAUSE_S), 10 * took)

    def _commit(self, roots: Mapping[Path, str], notes: Sequence[FileNote] | None) -> None:
        """Write what changed since the last commit, all of it or nothing.

        Args:
            roots: the folders covered from now on.
            notes: on everything, at the end of the build; None on the way.
        """
        removed, changes, generation = self._without_place(), self.changes, self.store.generation
        with self.store.transaction():
            self.store.remove_files(changes.removed_files)
            self.store.put_files(changes.records)
            if notes is None:
                self._put_notes(changes.notes, [note for own in changes.notes.values() for note in own])
            elif (held := self.store.notes()) != [_row(note) for note in notes]:
                self._put_notes([name for name, _, _ in held], notes)
            if changes.places or changes.stale or changes.plans or self.known_roots != roots:
                self._write_generation(roots, removed)
            if notes is not None:
                self._tidy()
        if self.store.generation != generation:
            self._remove_older_search_folders()
        self.known_roots = dict(roots)
        self.changes = _Changes()

    def _tidy(self) -> None:
        """Remove the vectors that are needed no more; those of a build that was killed are found by looking at all."""
        self.store.remove_unused_vectors(None if self.resuming or self.config.rebuild else self.released)
        if self.store.meta("unfinished"):
            self.store.set_meta(unfinished=False)

    def _put_notes(self, names: Iterable[str], notes: Iterable[FileNote]) -> None:
        self.store.replace_notes(names, [_row(note) for note in notes])

    def _without_place(self) -> list[str]:
        """Return the documents that will stand nowhere; plan those that will be called otherwise."""
        paths = sorted(self.changes.stale | self.changes.places.keys())
        held = dict.fromkeys(place.doc_id for path in paths if (place := self.store.place_at(path)))
        self._cut(held, {})
        return [doc_id for doc_id in held if not self._places_after(doc_id)]

    def _write_generation(self, roots: Mapping[Path, str], removed: Sequence[str]) -> None:
        from index.search_folder import Difference, write_search_folder  # loads FAISS; an idle run is spared it

        store, changes, settings = self.store, self.changes, self._settings()
        self.progress("writing", 0, 0)
        recut = [plan.doc_id for plan in changes.plans.values() if plan.text is None]
        removed_chunks = store.remove_chunks([*recut, *removed])
        added_chunks = store.put_documents(changes.plans.values())
        store.replace_places(changes.stale, list(changes.places.values()))
        store.remove_documents(removed)
        self.released += removed_chunks.vector_keys  # not removed yet: the next file may hold the same words
        generation = store.generation + 1
        store.set_meta(
            **settings,
            generation=generation,
            index_id=index_id_of(settings, store.sums),
            roots={str(root): label for root, label in roots.items()},
            built_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )
        since = None if self.config.rebuild else Difference(added_chunks, removed_chunks.chunk_ids)
        write_search_folder(store, generation, dimension=self.encoder.fingerprint.dimension, since=since)
        self.added += len(changes.plans) - len(recut)
        self.removed += len(removed)

    def _remove_older_search_folders(self) -> None:
        from index.search_folder import remove_search_folders

        remove_search_folders(self.index_dir, keep=(self.store.generation - 1, self.store.generation))

    def _report(self, unchanged: int, notes: Sequence[FileNote]) -> BuildReport:
        documents, chunks = self.store.counts()
        return BuildReport(
            generation=self.store.generation,
            index_id=self.store.meta("index_id"),
            documents=documents,
            chunks=chunks,
            added=self.added,
            removed=self.removed,
            unchanged_files=unchanged,
            embedded=self.planner.embedded,
            seconds=time.monotonic() - self.started,
            notes=tuple(notes),
        )


def label_of(name: str) -> str:
    """Return the label of the folder a file's name begins with."""
    return name.partition("/")[0]


def _texts(part: _Part) -> dict[str, str]:
    return {place.doc_id: document.text for document, place in part.placed}


def _row(note: FileNote) -> tuple[str, str, bool]:
    return note.name, note.reason, note.skipped


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


def index_id_of(settings: Mapping[str, Any], sums: tuple[str, str]) -> str:
    """Return 12 hexadecimal digits that name exactly this content, made and cut in exactly this way."""
    named = json.dumps([settings, *sums], sort_keys=True)
    return hashlib.sha256(named.encode()).hexdigest()[:12]
