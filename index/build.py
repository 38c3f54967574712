"""Build or update an index: scan, load, segment, chunk, embed what is new, commit.

The transaction that writes the new generation number is the commit point. Its search folder is complete and synced
before it. A build that is killed leaves the old generation, and the vectors it had computed.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import filelock

from index.changes import Comparison, compare
from index.chunking import CHUNKING_VERSION, ChunkingConfig
from index.committing import Changes, Committer, Pace, Progress
from index.embedding import Encoder
from index.errors import IndexBusy, system_errors
from index.loading import MAX_FILE_MB, readable_suffixes
from index.parts import Part, in_parts
from index.planning import Bounds, Planner, ToCut
from index.reading import LAST_GOOD_STAYS, read_ahead
from index.recutting import Earlier
from index.refusals import label_of, refuse_folders_unless_in, refuse_mismatch, refuse_shrinking
from index.scanning import MAX_FILES, FileNote, Scan, label_roots, scan_folders
from index.segmenting import SEGMENTER_VERSION
from index.store import FILE_NAME, FileRecord, Place, Store

LOCK_NAME = "build.lock"
UNFINISHED = "unfinished"
_RECUT_AT_A_TIME = 256
_INDEX_BYTES_A_BYTE = 4  # of text; docs/decisions/0017-index-size.md


@dataclass(frozen=True, slots=True)
class BuildConfig:
    """How to build.

    Attributes:
        chunking: how documents are cut.
        allow_shrink: go on when more than half of the files are gone.
        rebuild: read and cut every file again, also with another model. Vectors that the same model made of the same
            words are used again. With another model or chunking everything is committed at once.
        commit_after_s: a long build makes what it has searchable after so many seconds, then after pauses that double
            up to a minute; docs/decisions/0007-update.md.
        settle_s: files changed in the last so many seconds are left for the next build.
        max_file_mb: larger files are skipped.
        max_files: more files below the folders are refused.
    """

    chunking: ChunkingConfig = field(default_factory=ChunkingConfig)
    allow_shrink: bool = False
    rebuild: bool = False
    commit_after_s: float = 1.0
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
        unchanged_files: not read again, or read and found to be the same.
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
            build = _Build(store, roots, encoder, config or BuildConfig(), on_progress)
            with system_errors(index_dir, needed=build.bytes_needed):
                return build.run()
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
        self.committer = Committer(
            store,
            self._settings(),
            dimension=encoder.fingerprint.dimension,
            rebuild=config.rebuild,
            on_progress=on_progress,
        )
        self.roots = label_roots(roots, known=self.committer.roots)
        self.named = [Path(os.path.abspath(root)) for root in roots]
        if config.allow_shrink:
            self.roots = {root: label for root, label in self.roots.items() if root.is_dir()}
        self.known = store.files()
        self.filled: set[str] = set()  # labels of folders that gave documents
        self.planner = Planner(store, encoder, config.chunking)
        self.changes = Changes()
        self.pace = Pace(config.commit_after_s)
        # what two models made must not stand side by side
        self.is_other = any(store.meta(name) != wanted for name, wanted in self._settings().items())
        self.recut: set[str] = set()
        self.same = 0
        self.to_read = self.read = self.committed = 0.0  # bytes of files

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
        if not self.config.allow_shrink:
            refuse_shrinking(self.known, scan, found)
        self.filled |= {label_of(n) for n in self.known.keys() - set(found.gone) if self.known[n].sha256}
        self._refuse_empty_folders(scan)
        self._take_in(found)
        self._drop(found.gone)
        notes = self._all_notes(scan, found)
        self._refuse_folders_without_documents(scan, notes)
        self._recut_the_rest()
        self._commit(self.roots, notes)
        return self._report(len(found.unchanged) + self.same, notes)

    def bytes_needed(self) -> int:
        """Return about how many bytes more the index takes at most, when all that is not committed is text."""
        return int(_INDEX_BYTES_A_BYTE * (self.to_read - self.committed))

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

    def _refuse_empty_folders(self, scan: Scan) -> None:
        """Refuse a named folder without a file that might be read, before anything is read."""
        promising = {label_of(entry.name) for entry in scan.entries} | self.filled
        refuse_folders_unless_in(promising, self._in_question(promising), scan, scan.notes)

    def _refuse_folders_without_documents(self, scan: Scan, notes: Sequence[FileNote]) -> None:
        refuse_folders_unless_in(self.filled, self._in_question(self.filled), scan, notes)

    def _in_question(self, labels: set[str]) -> list[tuple[Path, str]]:
        """Return the folders that are refused when they give nothing: the named ones, else all when none does."""
        return [(root, self.roots[root]) for root in self.named or ([] if labels else self.roots)]

    # files -> documents with vectors

    def _take_in(self, found: Comparison) -> None:
        """Read, cut and embed what is new, and commit as it goes."""
        files = read_ahead(
            found.to_read,
            self.known,
            max_file_mb=self.config.max_file_mb,
            load_all=self.config.rebuild,
            bounds_of=self.planner.bounds,
        )
        self.to_read = sum(entry.size for entry in found.to_read)
        for part in in_parts(files):
            self._commit_if_due()
            here = partial(self._show, part.size)
            here(0)
            self._place(part)
            doc_ids = dict.fromkeys(place.doc_id for _, place in part.placed)
            self._cut(doc_ids, part.texts(), part.bounds, on_progress=here)
            here(1)
            self.read += part.size

    def _show(self, size: float, fraction: float) -> None:
        self.progress("indexing, kB", int((self.read + size * fraction) / 1000), int(self.to_read) // 1000)

    def _place(self, part: Part) -> None:
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
            self.same += file.is_as_before
            if not file.is_as_before:
                self.changes.notes.setdefault(file.entry.name, []).extend(file.notes)
        if part.begun:  # as long as it is not finished it counts as another file than the one on disk
            self.changes.records.append(FileRecord(part.begun.entry.name, -1, 0, 0, UNFINISHED))

    def _cut(
        self,
        doc_ids: Iterable[str],
        texts: Mapping[str, str],
        bounds: Mapping[str, Bounds],
        on_progress: Callable[[float], None] = lambda fraction: None,
    ) -> None:
        """Plan those of the documents that are new, or are called otherwise than before."""
        wanted = [document for doc_id in doc_ids if (document := self._to_cut(doc_id, texts, bounds))]
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
            self._cut(held[start : start + _RECUT_AT_A_TIME], {}, {})

    def _to_cut(self, doc_id: str, texts: Mapping[str, str], bounds: Mapping[str, Bounds]) -> ToCut | None:
        places = self._places_after(doc_id)
        if not places:
            return None
        heading = places[0].source.title
        plan, is_held = self.changes.plans.get(doc_id), self.store.holds_document(doc_id)
        if plan is not None and plan.heading == heading:
            return None
        is_cut = is_held and (not self.config.rebuild or doc_id in self.recut)
        if plan is None and is_cut and self.store.heading(doc_id) == heading:
            return None
        text = texts.get(doc_id) or (plan and plan.text) or self.store.document(doc_id).text
        earlier = None if is_held or self.config.rebuild else self._earlier(places[0].source.path, heading)
        return ToCut(doc_id, text, heading, is_held, earlier, bounds.get(doc_id))

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
        if not self.changes.plans or not self.pace.is_due() or (self.is_other and self.store.generation):
            return
        started, known = time.monotonic(), self.committer.roots
        self._commit({r: label for r, label in self.roots.items() if r in known or label in self.filled}, None)
        self.pace.committed(time.monotonic() - started)

    def _commit(self, roots: Mapping[Path, str], notes: Sequence[FileNote] | None) -> None:
        """Make all that changed the next generation; ``notes`` on everything come at the end of the build."""
        without_place = self._without_place()
        self.committer.commit(self.changes, roots, without_place=without_place, all_notes=notes)
        self.recut |= self.changes.plans.keys()
        self.changes = Changes()
        self.committed = self.read

    def _without_place(self) -> list[str]:
        """Return the documents that will stand nowhere; plan those that will be called otherwise."""
        paths = sorted(self.changes.stale | self.changes.places.keys())
        held = dict.fromkeys(place.doc_id for path in paths if (place := self.store.place_at(path)))
        self._cut(held, {}, {})
        return [doc_id for doc_id in held if not self._places_after(doc_id)]

    def _report(self, unchanged: int, notes: Sequence[FileNote]) -> BuildReport:
        documents, chunks = self.store.counts()
        return BuildReport(
            generation=self.store.generation,
            index_id=self.store.meta("index_id"),
            documents=documents,
            chunks=chunks,
            added=self.committer.added,
            removed=self.committer.removed,
            unchanged_files=unchanged,
            embedded=self.planner.embedded,
            seconds=time.monotonic() - self.started,
            notes=tuple(notes),
        )
