"""A consistent, read-only view of one generation of an index, for any number of threads."""

from __future__ import annotations

import logging
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from index.documents import Chunk, Document, Span
from index.embedding import Fingerprint
from index.errors import IndexDamaged, IndexEmpty
from index.lexical import LexicalIndex
from index.newest import Newest, version_of
from index.scanning import FileNote
from index.search_folder import SearchFiles, open_search_folder, write_search_folder
from index.store import FILE_NAME, Store
from index.vectors import VectorIndex

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

Value = TypeVar("Value")

_log = logging.getLogger(__name__)
_CHARACTERS_HELD = 50_000_000
_SEGMENTS_HELD = 500_000
_FILTERS_HELD = 8


class Snapshot:
    """One generation: what it answers never changes, whatever is built meanwhile.

    The store is read inside one SQLite transaction, the search structures belong to the same generation.
    """

    def __init__(self, store: Store, search: SearchFiles) -> None:
        self._store = store
        self._search = search
        self._lock = threading.Lock()
        self.index_dir = store.path.parent
        self.version = version_of(store)
        self.generation = store.generation
        self.index_id: str = store.meta("index_id")
        self.fingerprint = Fingerprint(**store.meta("encoder"))
        self.roots: dict[str, str] = store.meta("roots")
        self.built_at: str = store.meta("built_at")
        self.documents, self.chunks_total = store.counts()
        self.newest_date = store.newest_date()
        self.notes = tuple(FileNote(*row) for row in store.notes())
        self.document = _Recent(self._read_document, lambda document: len(document.text), _CHARACTERS_HELD)
        self.segments = _Recent(self._read_segments, len, _SEGMENTS_HELD)
        self.matching_chunk_ids = lru_cache(_FILTERS_HELD)(self._read_matching_chunk_ids)
        weakref.finalize(self, store.close)

    @classmethod
    def open(cls, index_dir: Path) -> Snapshot:
        """Return the newest generation. Search files that are missing or damaged are made again from the store.

        Raises:
            IndexNotFound: there is no index.
            IndexEmpty: nothing has been built in it yet.
            IndexDamaged: the store itself is damaged.
            IndexMismatch: it was written in another format.
        """
        while True:
            store = Store.open_for_reading(index_dir / FILE_NAME)
            try:
                if store.generation == 0:
                    raise IndexEmpty("The index has no documents yet. Add some: pincite index FOLDER")
                return cls(store, _open_or_rebuild(store))
            except IndexDamaged:
                version = version_of(store)
                store.close()
                if Newest(index_dir).version() == version:
                    raise
            except BaseException:
                store.close()
                raise

    @property
    def vectors(self) -> VectorIndex:
        return self._search.vectors

    @property
    def lexical(self) -> LexicalIndex:
        return self._search.lexical

    def chunks(self, chunk_ids: Sequence[int]) -> dict[int, Chunk]:
        """Return chunks by id."""
        with self._lock:
            return {chunk.chunk_id: chunk for chunk in self._store.chunks(chunk_ids)}

    def chunks_of(self, doc_id: str) -> list[Chunk]:
        """Return a document's chunks, in order of id."""
        with self._lock:
            return self._store.chunks_of(doc_id)

    def _read_matching_chunk_ids(
        self, *, doc_ids: tuple[str, ...], sources: tuple[str, ...], date_from: str | None, date_to: str | None
    ) -> Ids:
        """See `Store.matching_chunk_ids`."""
        with self._lock:
            return self._store.matching_chunk_ids(
                doc_ids=doc_ids, sources=sources, date_from=date_from, date_to=date_to
            )

    def document_ids(self) -> list[str]:
        with self._lock:
            return self._store.document_ids()

    def document_ids_by_path(self, offset: int, limit: int) -> list[str]:
        """Return ids of documents, at most ``limit`` from the ``offset``-th on, in order of their first paths."""
        with self._lock:
            return self._store.document_ids_by_path(offset, limit)

    def retired_paths(self, doc_id: str) -> list[str]:
        """Return where a document that is gone used to stand."""
        with self._lock:
            return self._store.retired_paths(doc_id)

    def document_at(self, path: str) -> str | None:
        """Return the id of the document that stands at a path."""
        with self._lock:
            return self._store.document_at(path)

    def file_sha256(self, name: str) -> str | None:
        """Return the hash of a file's bytes as they were indexed."""
        with self._lock:
            record = self._store.file(name)
        return record.sha256 if record else None

    def _read_document(self, doc_id: str) -> Document:
        with self._lock:
            return self._store.document(doc_id)

    def _read_segments(self, doc_id: str) -> list[Span]:
        with self._lock:
            return self._store.segments(doc_id)


def _open_or_rebuild(store: Store) -> SearchFiles:
    """Return the search files of a store's generation.

    Raises:
        IndexDamaged: they cannot be had, or a builder has removed them because there are newer ones.
    """
    index_dir, generation = store.path.parent, store.generation
    try:
        return open_search_folder(index_dir, generation)
    except IndexDamaged as damage:
        if Newest(index_dir).version() != version_of(store):
            raise
        _log.warning("%s; made again from %s, nothing is lost.", damage, FILE_NAME)
    try:
        write_search_folder(store, generation, dimension=store.meta("encoder")["dimension"], since=None)
    except OSError as error:
        raise IndexDamaged(
            f"The search files of {index_dir} are damaged and cannot be written again ({error.strerror}). "
            "Make room or allow writing there, then run: pincite check --repair"
        ) from error
    return open_search_folder(index_dir, generation)


class _Recent(Generic[Value]):
    """What was read last, by id, up to so much in all; one thing that is larger is held until the next is read."""

    def __init__(self, read: Callable[[str], Value], size_of: Callable[[Value], int], most: int) -> None:
        self._read, self._size_of, self._most = read, size_of, most
        self._held: OrderedDict[str, Value] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def __call__(self, key: str) -> Value:
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        value = self._read(key)
        with self._lock:
            if key not in self._held:
                self._held[key] = value
                self._size += self._size_of(value)
            while self._size > self._most and len(self._held) > 1:
                self._size -= self._size_of(self._held.popitem(last=False)[1])
        return value
