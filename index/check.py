"""Verify a whole index: the store against itself, the search folder against the store."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from index.build import build_lock
from index.chunking import ChunkingConfig
from index.committing import Progress, index_id_of
from index.documents import Chunk, Document, with_heading
from index.embedding import Encoder, Fingerprint, load_encoder
from index.errors import DocumentNotFound, IndexDamaged, IndexEmpty, system_errors
from index.packing import packed_size, unpack_vectors
from index.planning import Planner, ToCut, vector_key
from index.refusals import refuse_mismatch
from index.search_folder import SearchFiles, open_search_folder, write_search_folder
from index.store import FILE_NAME, UNIT_TOLERANCE, PlannedDocument, Store

_SAME = 1e-6  # the search folder packs the store's vectors once more
_DOCUMENTS_AT_A_TIME = 100
_CHUNKS_AT_A_TIME = 4096


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was looked at and what was found.

    Attributes:
        store_problems: sentences on `corpus.sqlite`; cannot be repaired from anything else.
        document_problems: sentences on segments, chunks and vectors; they can be made again from the texts.
        search_problem: a sentence on the search folder, or None; it can be made again from the store.
        repaired: what can be made again has been.
    """

    generation: int
    documents: int
    chunks: int
    store_problems: tuple[str, ...]
    document_problems: tuple[str, ...]
    search_problem: str | None
    repaired: bool = False

    @property
    def is_sound(self) -> bool:
        """Nothing was found, or all that was found has been repaired."""
        found = self.store_problems or self.document_problems or self.search_problem
        return not found or (self.repaired and not self.store_problems)

    def to_dict(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__slots__}
        lists = {name: list(value) for name, value in plain.items() if isinstance(value, tuple)}
        return {"sound": self.is_sound, **plain, **lists}


def check_index(
    index_dir: Path,
    *,
    repair: bool = False,
    encoder: Encoder | None = None,
    on_progress: Progress = lambda stage, done, total: None,
) -> CheckReport:
    """Read everything once and compare; memory is bounded by the largest document and the list of documents.

    Checked are SQLite's own structure and the checksum of each of its pages; every document's hash; that segments and
    chunks lie inside their documents, and every document has a place; that each chunk's vector is the one of its words,
    finite and of unit length; the counts; the index id, from all places and chunks; the checksums of the search folder,
    and that it holds the store's chunks with the store's vectors, no more and no fewer.

    Args:
        index_dir: the index folder.
        repair: make again what can be: segments, chunks and vectors from the texts, the search folder from the store.
        encoder: embeds again where that is needed; None loads the one the index was made with.
        on_progress: called with what is being done, how much of it is done, and how much there is.

    Raises:
        IndexNotFound: there is no index.
        IndexEmpty: nothing has been built in it yet.
        IndexDamaged: the store cannot be read at all.
        IndexBusy: it is to be repaired while another process builds it.
        StorageError: the repair cannot be written.
    """
    with build_lock(index_dir) if repair else nullcontext():
        store = Store.open_for_reading(index_dir / FILE_NAME)
        try:
            if store.generation == 0:
                raise IndexEmpty("The index has no documents yet. Add some: pincite index FOLDER")
            check = _Check(store, on_progress)
            report = check.run()
        finally:
            store.close()
        if not repair or report.store_problems or not (report.document_problems or report.search_problem):
            return report
        with system_errors(index_dir):
            _repair(index_dir, check, encoder, on_progress)
        return replace(report, repaired=True)


class _Check:
    """One run.

    Attributes:
        to_cut: ids of documents whose segments, chunks or vectors are not what their texts give.
        bad_vectors: keys of vectors that are not vectors.
    """

    def __init__(self, store: Store, on_progress: Progress) -> None:
        self.store = store
        self.progress = on_progress
        self.to_cut: set[str] = set()
        self.bad_vectors: set[bytes] = set()
        self.encoder = Fingerprint(**store.meta("encoder"))
        self.search: SearchFiles | None = None
        self.other_vectors = 0

    def run(self) -> CheckReport:
        generation, (documents, chunks) = self.store.generation, self.store.counts()
        self.progress("structure", 0, 0)
        store_problems = [f"{FILE_NAME}: {problem}" for problem in self.store.integrity_problems()]
        search_problem = self._open_search()
        document_problems: list[str] = []
        if not store_problems:
            store_problems += self._whole_problems()
            document_ids = self.store.document_ids()
            for done, doc_id in enumerate(document_ids):
                if done % _DOCUMENTS_AT_A_TIME == 0:
                    self.progress("documents", done, len(document_ids))
                try:
                    document_problems += self._document_problems(self.store.document(doc_id))
                except (IndexDamaged, DocumentNotFound) as error:
                    store_problems.append(str(error))
            if not document_problems and self.store.summed_cut() != self.store.sums[1]:
                document_problems.append("the chunks are not those that the index id names")
        if search_problem is None and self.other_vectors:
            search_problem = (
                f"search/{generation}/ holds other vectors than {FILE_NAME} for {self.other_vectors} chunks"
            )
        return CheckReport(
            generation, documents, chunks, tuple(store_problems), tuple(document_problems), search_problem
        )

    def _whole_problems(self) -> Iterator[str]:
        if (counted := self.store.count_rows()) != self.store.counts():
            yield f"{FILE_NAME} holds {counted} documents and chunks, not {self.store.counts()}"
        yield from self.store.unconnected()
        named, sums = self.store.meta("index_id"), self.store.sums
        if self.store.summed_content() != sums[0] or _index_id(self.store, sums) != named:
            yield f"{FILE_NAME}: the places and texts are not those that index id {named} names"

    def _open_search(self) -> str | None:
        generation = self.store.generation
        try:
            search = open_search_folder(self.store.path.parent, generation)
        except IndexDamaged as error:
            return str(error)
        batches = self.store.chunk_batches(_CHUNKS_AT_A_TIME)
        expected = np.asarray([chunk.chunk_id for batch in batches for chunk in batch], dtype=np.int64)
        if not np.array_equal(search.vectors.ids, expected):
            return f"search/{generation}/ holds the vectors of other chunks than {FILE_NAME}"
        if len(search.lexical) != len(expected):
            return f"search/{generation}/ holds the words of {len(search.lexical)} chunks, not {len(expected)}"
        self.search = search
        return None

    def _document_problems(self, document: Document) -> list[str]:
        heading, chunks = self.store.heading(document.doc_id), self.store.chunks_of(document.doc_id)
        problems = [*self._span_problems(document, chunks)]
        if heading != document.sources[0].title:
            problems.append(f"{document.path} is indexed under another title")
        if not problems:
            problems += self._vector_problems(document, heading, chunks)
        if problems:
            self.to_cut.add(document.doc_id)
        return problems

    def _span_problems(self, document: Document, chunks: Sequence[Chunk]) -> Iterator[str]:
        end = len(document.text)
        try:
            segments = self.store.segments(document.doc_id)
        except IndexDamaged:
            yield f"the segments of {document.path} are damaged"
            return
        if any(segment.end > end for segment in segments):
            yield f"a segment of {document.path} ends outside its text"
        if any(left.end > right.start for left, right in itertools.pairwise(segments)):
            yield f"segments of {document.path} overlap"
        if any(chunk.span.end > end or not chunk.span for chunk in chunks):
            yield f"a chunk of {document.path} is outside its text"

    def _vector_problems(self, document: Document, heading: str | None, chunks: Sequence[Chunk]) -> Iterator[str]:
        rows = self.store.vector_rows(document.doc_id)
        size = packed_size(self.encoder.dimension)
        wrong = [c for c in chunks if rows[c.chunk_id][0] != self._key(document, heading, c)]
        short = [c for c in chunks if len(rows[c.chunk_id][1] or b"") != size]
        if wrong:
            yield f"{len(wrong)} chunks of {document.path} have the vectors of other words"
        if short:
            self.bad_vectors |= {rows[c.chunk_id][0] for c in short}
            yield f"{len(short)} chunks of {document.path} have no vector, or one of another length"
        if wrong or short or not chunks:
            return
        vectors = unpack_vectors([rows[chunk.chunk_id][1] or b"" for chunk in chunks])
        bad = ~(np.abs(np.linalg.norm(vectors, axis=1) - 1) <= UNIT_TOLERANCE)  # so that NaN is bad
        if bad.any():
            self.bad_vectors |= {rows[chunks[row].chunk_id][0] for row in np.flatnonzero(bad).tolist()}
            yield f"{bad.sum()} vectors of {document.path} are not of unit length"
        elif self.search is not None:
            ids = np.asarray([chunk.chunk_id for chunk in chunks], dtype=np.int64)
            differ = np.abs(self.search.vectors.vectors_of(ids) - vectors) > _SAME
            self.other_vectors += int(differ.any(axis=1).sum())

    def _key(self, document: Document, heading: str | None, chunk: Chunk) -> bytes:
        return vector_key(self.encoder, with_heading(heading, chunk.span.of(document.text)))


def _index_id(store: Store, sums: tuple[str, str]) -> str:
    return index_id_of({name: store.meta(name) for name in ("encoder", "chunking", "segmenter")}, sums)


def _repair(index_dir: Path, check: _Check, encoder: Encoder | None, on_progress: Progress) -> None:
    """Cut and embed documents again, write the search folder, and commit both as a new generation."""
    store = Store.create_or_open(index_dir / FILE_NAME)
    try:
        plans: list[PlannedDocument] = []
        if check.to_cut:
            encoder = encoder or load_encoder(check.encoder.model)
            refuse_mismatch("encoder", check.encoder.to_dict(), encoder.fingerprint.to_dict())
            with store.transaction():
                store.remove_vectors(check.bad_vectors)
            plans = _plans(store, sorted(check.to_cut), encoder, on_progress)
        on_progress("writing", 0, 0)
        with store.transaction():
            store.remove_chunks(check.to_cut)
            store.put_documents(plans)
            generation = store.generation + 1
            sums = store.summed_content(), store.summed_cut()
            store.set_meta(generation=generation, cut_sum=sums[1], index_id=_index_id(store, sums))
            write_search_folder(store, generation, dimension=check.encoder.dimension, since=None)
    finally:
        store.close()


def _plans(store: Store, doc_ids: Sequence[str], encoder: Encoder, on_progress: Progress) -> list[PlannedDocument]:
    chunking = {name: value for name, value in store.meta("chunking").items() if name != "version"}
    planner = Planner(store, encoder, ChunkingConfig(**chunking))
    plans: list[PlannedDocument] = []
    for done, doc_id in enumerate(doc_ids):
        on_progress("repairing", done, len(doc_ids))
        document = store.document(doc_id)
        to_cut = ToCut(doc_id, document.text, document.sources[0].title, is_held=True)
        plans += planner.plan([to_cut], on_progress=lambda fraction: None).documents
    return plans
