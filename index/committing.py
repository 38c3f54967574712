"""What changed since the last commit -> the next generation, all of it or nothing."""

from __future__ import annotations

import datetime
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from index.scanning import FileNote
from index.store import FileRecord, Place, PlannedDocument, Store

LONGEST_PAUSE_S = 60.0
_TIMES_A_COMMIT = 10

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(slots=True)
class Changes:
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


class Pace:
    """When a long build is to commit: after some seconds, then after pauses that double up to a minute, and are ten
    times as long as a commit takes; docs/decisions/0007-update.md.
    """

    def __init__(self, first_after_s: float) -> None:
        self._last = time.monotonic()
        self._pause_s = first_after_s

    def is_due(self) -> bool:
        return time.monotonic() - self._last >= self._pause_s

    def committed(self, took_s: float) -> None:
        self._last = time.monotonic()
        self._pause_s = max(min(2 * self._pause_s, LONGEST_PAUSE_S), _TIMES_A_COMMIT * took_s)


class Committer:
    """Writes generations of one build.

    Attributes:
        roots: the folders that the index covers.
        added, removed: documents, in all commits so far.
    """

    def __init__(
        self, store: Store, settings: Mapping[str, Any], *, dimension: int, rebuild: bool, on_progress: Progress
    ) -> None:
        self._store = store
        self._settings = settings
        self._dimension = dimension
        self._rebuild = rebuild
        self._progress = on_progress
        self._look_at_all_vectors = rebuild or bool(store.meta("unfinished"))
        self._released: list[bytes] = []
        self.roots = {Path(path): label for path, label in (store.meta("roots") or {}).items()}
        self.added = self.removed = 0

    def commit(
        self,
        changes: Changes,
        roots: Mapping[Path, str],
        *,
        without_place: Sequence[str],
        all_notes: Sequence[FileNote] | None,
    ) -> None:
        """Write what changed since the last commit.

        Args:
            changes: all that is new or gone.
            roots: the folders covered from now on.
            without_place: documents that stand nowhere any more.
            all_notes: on everything, at the end of the build; None on the way, when those of the changes are added.
        """
        store, generation = self._store, self._store.generation
        with store.transaction():
            store.remove_files(changes.removed_files)
            store.put_files(changes.records)
            if all_notes is None:
                self._put_notes(changes.notes, [note for own in changes.notes.values() for note in own])
            elif (held := store.notes()) != [_row(note) for note in all_notes]:
                self._put_notes([name for name, _, _ in held], all_notes)
            if changes.places or changes.stale or changes.plans or self.roots != roots:
                is_whole = self._rebuild and all_notes is not None
                self._write_generation(changes, roots, without_place, is_whole=is_whole)
            if all_notes is not None:
                self._tidy()
        if store.generation != generation:
            self._remove_older_search_folders()
        self.roots = dict(roots)

    def _tidy(self) -> None:
        """Remove the vectors that are needed no more; those of a build that was killed are found by looking at all."""
        self._store.remove_unused_vectors(None if self._look_at_all_vectors else self._released)
        if self._store.meta("unfinished"):
            self._store.set_meta(unfinished=False)

    def _put_notes(self, names: Iterable[str], notes: Iterable[FileNote]) -> None:
        self._store.replace_notes(names, [_row(note) for note in notes])

    def _write_generation(
        self, changes: Changes, roots: Mapping[Path, str], without_place: Sequence[str], *, is_whole: bool
    ) -> None:
        from index.search_folder import Difference, write_search_folder  # loads FAISS; an idle run is spared it

        store = self._store
        self._progress("writing", 0, 0)
        recut = [plan.doc_id for plan in changes.plans.values() if plan.text is None]
        removed_chunks = store.remove_chunks([*recut, *without_place])
        added_chunks = store.put_documents(changes.plans.values())
        store.replace_places(changes.stale, list(changes.places.values()))
        store.remove_documents(without_place)
        self._released += removed_chunks.vector_keys  # not removed yet: the next file may hold the same words
        generation = store.generation + 1
        store.set_meta(
            **self._settings,
            generation=generation,
            index_id=index_id_of(self._settings, store.sums),
            roots={str(root): label for root, label in roots.items()},
            built_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )
        since = None if is_whole else Difference(added_chunks, removed_chunks.chunk_ids)
        write_search_folder(store, generation, dimension=self._dimension, since=since)
        self.added += len(changes.plans) - len(recut)
        self.removed += len(without_place)

    def _remove_older_search_folders(self) -> None:
        from index.search_folder import remove_search_folders

        generation = self._store.generation
        remove_search_folders(self._store.path.parent, keep=(generation - 1, generation))


def index_id_of(settings: Mapping[str, Any], sums: tuple[str, str]) -> str:
    """Return 12 hexadecimal digits that name exactly this content, made and cut in exactly this way."""
    named = json.dumps([settings, *sums], sort_keys=True)
    return hashlib.sha256(named.encode()).hexdigest()[:12]


def _row(note: FileNote) -> tuple[str, str, bool]:
    return note.name, note.reason, note.skipped
