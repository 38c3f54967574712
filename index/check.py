"""Verify a whole index: the store against itself, the search folder against the store."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.documents import Chunk, Document
from index.errors import IndexDamaged, IndexEmpty
from index.search_folder import open_search_folder, write_search_folder
from index.store import FILE_NAME, Store

_UNIT_TOLERANCE = 0.01  # half precision rounds a unit vector's length by less than this
_CHUNKS_AT_A_TIME = 4096


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was looked at and what was found.

    Attributes:
        store_problems: sentences on `corpus.sqlite`; cannot be repaired from anything else.
        search_problem: a sentence on the search folder, or None; it can be made again from the store.
        repaired: the search folder was made again.
    """

    generation: int
    documents: int
    chunks: int
    store_problems: tuple[str, ...]
    search_problem: str | None
    repaired: bool = False

    @property
    def is_sound(self) -> bool:
        """Nothing was found, or all that was found has been repaired."""
        return not self.store_problems and (self.search_problem is None or self.repaired)

    def to_dict(self) -> dict[str, Any]:
        return {
            "sound": self.is_sound,
            **{name: getattr(self, name) for name in self.__slots__ if name != "store_problems"},
            "store_problems": list(self.store_problems),
        }


def check_index(index_dir: Path, *, repair: bool = False) -> CheckReport:
    """Read everything once and compare.

    Checked are SQLite's own structure, every document's hash, that segments and chunks lie inside their documents,
    that vectors are finite and of unit length, the checksums of the search folder, and that it holds the store's
    chunks, no more and no fewer.

    Args:
        index_dir: the index folder.
        repair: make a damaged search folder again from the store.

    Raises:
        IndexNotFound: there is no index.
        IndexEmpty: nothing has been built in it yet.
        IndexDamaged: the store cannot be read at all.
    """
    store = Store.open_for_reading(index_dir / FILE_NAME)
    try:
        if store.generation == 0:
            raise IndexEmpty("The index has no documents yet. Add some: pincite index FOLDER")
        documents, chunks = store.counts()
        all_chunks = store.chunks()
        problems = tuple(_store_problems(store, all_chunks))
        search_problem = _search_problem(store, all_chunks)
        repaired = bool(search_problem and repair and not problems)
        if repaired:
            dimension = store.meta("encoder")["dimension"]
            write_search_folder(store, store.generation, dimension=dimension, since=None)
        return CheckReport(store.generation, documents, chunks, problems, search_problem, repaired)
    finally:
        store.close()


def _store_problems(store: Store, all_chunks: Sequence[Chunk]) -> Iterator[str]:
    yield from (f"{FILE_NAME}: {problem}" for problem in store.integrity_problems())
    chunks: dict[str, list[Chunk]] = {}
    for chunk in all_chunks:
        chunks.setdefault(chunk.doc_id, []).append(chunk)
    for doc_id in store.document_ids():
        own = chunks.pop(doc_id, [])
        try:
            yield from _document_problems(store.document(doc_id), store, own)
        except (IndexDamaged, LookupError) as error:
            yield str(error)
    yield from (f"chunks of document {doc_id}, which is not there" for doc_id in chunks)
    yield from _vector_problems(store, [chunk.chunk_id for chunk in all_chunks])


def _document_problems(document: Document, store: Store, chunks: list[Chunk]) -> Iterator[str]:
    end = len(document.text)
    segments = store.segments(document.doc_id)
    if any(segment.end > end for segment in segments):
        yield f"a segment of {document.path} ends outside its text"
    if any(left.end > right.start for left, right in itertools.pairwise(segments)):
        yield f"segments of {document.path} overlap"
    if not chunks:
        yield f"{document.path} has no chunks"
    if any(chunk.span.end > end or not chunk.span for chunk in chunks):
        yield f"a chunk of {document.path} is outside its text"


def _vector_problems(store: Store, chunk_ids: Sequence[int]) -> Iterator[str]:
    dimension = store.meta("encoder")["dimension"]
    for start in range(0, len(chunk_ids), _CHUNKS_AT_A_TIME):
        part = chunk_ids[start : start + _CHUNKS_AT_A_TIME]
        try:
            vectors = store.vectors_of(part)
        except (IndexDamaged, ValueError):
            yield "some chunks have no vector, or one of another length"
            continue
        if vectors.shape[1] != dimension:
            yield f"vectors have {vectors.shape[1]} numbers, expected {dimension}"
            continue
        lengths = np.linalg.norm(vectors, axis=1)
        bad = int((~np.isfinite(lengths) | (np.abs(lengths - 1) > _UNIT_TOLERANCE)).sum())
        if bad:
            yield f"{bad} vectors are not of unit length"


def _search_problem(store: Store, all_chunks: Sequence[Chunk]) -> str | None:
    try:
        search = open_search_folder(store.path.parent, store.generation)
    except IndexDamaged as error:
        return str(error)
    expected = np.asarray([chunk.chunk_id for chunk in all_chunks], dtype=np.int64)
    if not np.array_equal(np.sort(search.vectors.ids), expected):
        return f"search/{store.generation}/ holds the vectors of other chunks than {FILE_NAME}"
    if len(search.lexical) != len(expected):
        return f"search/{store.generation}/ holds the words of {len(search.lexical)} chunks, not {len(expected)}"
    return None
