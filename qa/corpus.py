"""`Corpus`: questions in, passages and answers out, over an index that may be rebuilt meanwhile."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from index.build import BuildReport, build_index
from index.changes import PendingChanges, pending_changes
from index.committing import Progress
from index.documents import Document, Span
from index.embedding import Encoder, load_encoder
from index.errors import DocumentNotFound, IndexEmpty, IndexMismatch
from index.newest import Newest
from index.snapshot import Snapshot
from index.status import CorpusStatus, status_of
from index.store import default_index, stored_meta
from qa.answer_cache import ANSWERS_HELD, AnswerCache
from qa.answers import whole_answer
from qa.claims import NAME_SHARE, group_claims, names_first, quote_of, verdict_of
from qa.copies import distinct, fold_copies
from qa.examples import candidate_questions
from qa.questions import clean_question
from qa.reader import Readable, Reader, Reading
from qa.results import Answer, Citation, CitationCheck, CitationKey, CitationState, Passage, Verdict, quote_digest
from qa.retrieval import Filters, RetrievalConfig, missing_words, prepare, retrieve_passages
from qa.span_reader import SpanReader
from qa.spelling import respell

RELATED_PASSAGES = 5
WIDER = 4  # times the passages that are read are looked at for copies of them
EXAMPLE_DOCUMENTS = 200
EXAMPLE_CANDIDATES = 12

SourceState = Literal["unchanged", "changed", "missing"]


@dataclass(frozen=True, slots=True)
class _Opened:
    """What one call works with."""

    snapshot: Snapshot
    encoder: Encoder
    answers: AnswerCache


class Corpus:
    """An index to ask. Any number of threads may use one; each call is answered from one generation."""

    def __init__(
        self,
        index_dir: Path,
        *,
        encoder: Encoder | None,
        reader: Reader | None,
        config: RetrievalConfig,
        answers_held: int,
    ) -> None:
        self._index_dir = index_dir
        self._given_encoder = encoder
        self._reader = reader
        self._config = config
        self._answers_held = answers_held
        self._newest = Newest(index_dir)
        self._opened: _Opened | None = None
        self._switching = threading.Lock()
        self._loading = threading.Lock()

    @classmethod
    def open(
        cls,
        index_dir: str | Path | None = None,
        *,
        encoder: Encoder | None = None,
        reader: Reader | None = None,
        config: RetrievalConfig | None = None,
        answers_held: int = ANSWERS_HELD,
    ) -> Corpus:
        """Return the corpus of an index folder. In an index without documents every question raises IndexEmpty.

        Args:
            index_dir: None takes ``$PINCITE_INDEX``, else ``.pincite`` in the current folder.
            encoder: None loads the model the index was made with.
            reader: finds the answers; None takes the one this project brings.
            config: None takes the measured settings.
            answers_held: how many answers are kept for those who ask the same again; 0 keeps none.

        Raises:
            IndexNotFound: there is no index.
            IndexDamaged: its store is damaged.
            IndexMismatch: it was made by another model, or in another format.
        """
        folder = default_index() if index_dir is None else Path(index_dir)
        config = config or RetrievalConfig()
        corpus = cls(folder, encoder=encoder, reader=reader, config=config, answers_held=answers_held)
        with contextlib.suppress(IndexEmpty):
            corpus._current()
        return corpus

    def retrieve(self, question: str, k: int = 10, *, filters: Filters | None = None) -> list[Passage]:
        """Return the best passages for a question, best first.

        Args:
            question: at most 4,000 characters.
            k: how many, 1 to 200; a smaller corpus returns all it has.
            filters: None searches everything.

        Raises:
            QuestionError: the question is empty or too long.
        """
        opened = self._current()
        query = prepare(question, opened.snapshot, opened.encoder)
        return retrieve_passages(query, opened.snapshot, k=k, filters=filters, config=self._config)

    def ask(self, question: str, *, filters: Filters | None = None) -> Answer:
        """Return what the documents say to a question, or that they do not.

        The same question in the same generation is answered once, also when many threads ask it together.

        Raises:
            QuestionError: the question is empty or too long.
        """
        opened, asked = self._current(), (clean_question(question), filters or Filters())
        return opened.answers.get(asked, lambda: self._answer(opened, *asked))

    def known(self, question: str, *, filters: Filters | None = None) -> Future[Answer] | None:
        """Return the answer that is held, or is being made in another thread, at once; None when `ask` has to work.

        Raises:
            QuestionError: the question is empty or too long.
        """
        asked, opened = (clean_question(question), filters or Filters()), self._opened
        found = opened.answers.known(asked) if opened else None
        if opened is None or found is None:  # whoever is refused then need not know what is newest
            return None
        return found if self._newest.version() == opened.snapshot.version else None

    def _answer(self, opened: _Opened, question: str, filters: Filters) -> Answer:
        snapshot, reader = opened.snapshot, self._loaded_reader()
        spelled = respell(question, snapshot)
        query = prepare(spelled.text, snapshot, opened.encoder)
        found = WIDER * reader.passages_read
        passages = retrieve_passages(query, snapshot, k=found, filters=filters, config=self._config)
        nearest = [_readable(passage, snapshot) for passage in passages]
        voices = distinct(nearest, most=reader.passages_read)
        least = NAME_SHARE * reader.threshold  # what is less likely can neither be given nor stand for what is
        marked = [reading for reading in reader.read(query, voices) if reading.score >= least]
        readings = names_first([_whole(reading, snapshot, query.text) for reading in marked], query.text)
        confident = [reading for reading in readings if reading.score >= reader.threshold]
        quotes = [(quote_of(r, snapshot.document(r.readable.passage.doc_id)), r.readable) for r in confident]
        claims = group_claims(fold_copies(quotes, nearest, snapshot.document), query.text)
        return Answer(
            question=question,
            verdict=verdict_of(claims, query.text),
            claims=claims,
            related=tuple(readable.passage for readable in voices[:RELATED_PASSAGES]),
            missing_words=missing_words(query.terms),
            index_id=snapshot.index_id,
            read_as=spelled.read_as,
        )

    def segments(self, question: str, k: int = 10, *, filters: Filters | None = None) -> list[tuple[Citation, ...]]:
        """Return the best passages, copies left out, best first, each as the segments it is made of.

        Raises:
            QuestionError: the question is empty or too long.
        """
        opened = self._current()
        query = prepare(question, opened.snapshot, opened.encoder)
        passages = retrieve_passages(query, opened.snapshot, k=WIDER * k, filters=filters, config=self._config)
        readables = distinct([_readable(passage, opened.snapshot) for passage in passages], most=k)
        documents = [opened.snapshot.document(readable.passage.doc_id) for readable in readables]
        return [
            tuple(Citation.from_document(document, segment) for segment in readable.segments)
            for readable, document in zip(readables, documents, strict=True)
        ]

    @property
    def encoder(self) -> Encoder:
        """The model that made the index's vectors."""
        return self._current().encoder

    def document(self, doc_id: str) -> Document:
        """Return a document whole.

        Raises:
            DocumentNotFound: the index holds none of that id.
        """
        return self._current().snapshot.document(doc_id)

    def cite(self, citation_id: str) -> CitationCheck:
        """Return what a citation points at today.

        Raises:
            ValueError: it is not a citation id.
        """
        return _check_citation(CitationKey.parse(citation_id), self._current().snapshot)

    def passage_span(self, citation: Citation) -> Span:
        """Return the passage that is searched and read for a citation: of those that hold it, the one around it most.

        The citation's own span where no passage holds the whole of it.
        """
        spans = [chunk.span for chunk in self._current().snapshot.chunks_of(citation.doc_id)]
        cited = citation.span
        around = [span for span in spans if span.contains(cited)]
        return max(around, key=lambda span: min(cited.start - span.start, span.end - cited.end), default=cited)

    def source_state(self, doc_id: str) -> SourceState:
        """Compare the file a document was read from, as it is on disk now, with what was indexed.

        Raises:
            DocumentNotFound: the index holds no document of that id.
        """
        snapshot = self._current().snapshot
        name = snapshot.document(doc_id).path.partition("#")[0]
        root = next((Path(root) for root, label in snapshot.roots.items() if name.startswith(f"{label}/")), None)
        if root is None:
            return "missing"
        try:
            with open(root / name.partition("/")[2], "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return "missing"
        return "unchanged" if found == snapshot.file_sha256(name) else "changed"

    def examples(self) -> Iterator[str]:
        """Yield questions made from this corpus that it answers, as they are found; at most a dozen are tried."""
        candidates = candidate_questions(_sample_segments(self._current().snapshot))
        for question in candidates[:EXAMPLE_CANDIDATES]:
            if self.ask(question).verdict is not Verdict.NOT_FOUND:
                yield question

    def warm_up(self) -> None:
        """Load the models now, not at the first question; does nothing in an empty index."""
        with contextlib.suppress(IndexEmpty):
            self.ask("warm up")

    def status(self) -> CorpusStatus:
        """Return what is indexed now."""
        return status_of(self._index_dir)

    def documents(self, *, offset: int = 0, limit: int = 100) -> list[Document]:
        """Return documents in order of their paths, at most ``limit`` from the ``offset``-th on."""
        snapshot = self._current().snapshot
        return [snapshot.document(doc_id) for doc_id in snapshot.document_ids_by_path(offset, limit)]

    def pending_changes(self) -> PendingChanges:
        """Return which files differ from what is indexed; see `index.changes.pending_changes`."""
        return pending_changes(self._index_dir)

    def inbox(self) -> Path:
        """Return the folder that takes new files: the first one covered, or ``documents`` beside an empty index."""
        covered = stored_meta(self._index_dir, "roots")
        return Path(next(iter(covered))) if covered else self._index_dir.absolute().parent / "documents"

    def update(self, *, on_progress: Progress = lambda stage, done, total: None) -> BuildReport:
        """Bring the index up to date with its folders, in this thread; see `index.build.build_index`.

        Questions in other threads are answered from the generation before until the new one is committed.
        """
        try:
            encoder, roots = self._current().encoder, []
        except IndexEmpty:
            encoder, roots = self._given_encoder or load_encoder(), [self.inbox()]
        return build_index(self._index_dir, roots, encoder=encoder, on_progress=on_progress)

    def __repr__(self) -> str:
        return f"Corpus({str(self._index_dir)!r})"

    def _repr_html_(self) -> str:
        """Show in a notebook what is indexed."""
        from qa.notebook import corpus_html

        return corpus_html(self)

    def _current(self) -> _Opened:
        """Return the newest generation, switching to it by one assignment when there is a newer one."""
        opened = self._opened
        if opened is None or self._newest.version() != opened.snapshot.version:
            with self._switching:
                opened = self._opened
                if opened is None or self._newest.version() != opened.snapshot.version:
                    opened = self._opened = self._open_newest(opened)
        return opened

    def _open_newest(self, before: _Opened | None) -> _Opened:
        snapshot = Snapshot.open(self._index_dir)
        encoder = before.encoder if before else self._given_encoder or load_encoder(snapshot.fingerprint.model)
        if encoder.fingerprint != snapshot.fingerprint:
            raise IndexMismatch(_other_model(snapshot, encoder))
        return _Opened(snapshot, encoder, AnswerCache(most=self._answers_held))

    def _loaded_reader(self) -> Reader:
        """Return the reader; its weights are read at the first question, not for retrieval alone."""
        with self._loading:
            if self._reader is None:
                self._reader = SpanReader.load()
            return self._reader


def _sample_segments(snapshot: Snapshot) -> Iterator[str]:
    for doc_id in snapshot.document_ids()[:EXAMPLE_DOCUMENTS]:
        text = snapshot.document(doc_id).text
        yield from (segment.of(text) for segment in snapshot.segments(doc_id))


def _readable(passage: Passage, snapshot: Snapshot) -> Readable:
    segments = snapshot.segments(passage.doc_id)
    first = bisect_right(segments, passage.span.start, key=lambda segment: segment.end)
    last = bisect_left(segments, passage.span.end, key=lambda segment: segment.start)
    return Readable(passage, tuple(_clip(segment, passage.span) for segment in segments[first:last]))


def _whole(reading: Reading, snapshot: Snapshot, question: str) -> Reading:
    text = snapshot.document(reading.readable.passage.doc_id).text
    return replace(reading, answer=whole_answer(text, reading.answer, reading.readable.segments, question=question))


def _clip(segment: Span, bounds: Span) -> Span:
    return Span(max(segment.start, bounds.start), min(segment.end, bounds.end))


def _other_model(snapshot: Snapshot, encoder: Encoder) -> str:
    return (
        f"The index in {snapshot.index_dir} was made with {snapshot.fingerprint.model} "
        f"({snapshot.fingerprint.weights_sha256[:12]}…), this is {encoder.fingerprint.model} "
        f"({encoder.fingerprint.weights_sha256[:12]}…). Build it anew: pincite index --rebuild"
    )


def _check_citation(key: CitationKey, snapshot: Snapshot) -> CitationCheck:
    try:
        document = snapshot.document(key.doc_id)
    except DocumentNotFound:
        return _check_lost_citation(key, snapshot)
    if key.span.end <= len(document.text) and key.span and quote_digest(key.span.of(document.text)) == key.digest:
        citation = Citation.from_document(document, key.span)
        return CitationCheck(str(key), CitationState.VALID, citation, document.path)
    raise ValueError(f"{key} was not made for this text: the words at that place are others.")


def _check_lost_citation(key: CitationKey, snapshot: Snapshot) -> CitationCheck:
    """Look for the words in the documents that stand now where the cited text stood."""
    paths = snapshot.retired_paths(key.doc_id)
    for path in paths:
        successor = snapshot.document_at(path)
        if successor is None:
            continue
        document = snapshot.document(successor)
        found = _find_quote(document.text, len(key.span), key.digest)
        if found is None:
            return CitationCheck(str(key), CitationState.CHANGED, None, path)
        return CitationCheck(str(key), CitationState.MOVED, Citation.from_document(document, found), path)
    return CitationCheck(str(key), CitationState.DELETED, None, paths[0] if paths else None)


def _find_quote(text: str, length: int, digest: str) -> Span | None:
    """Return the first span of that length whose words have that digest."""
    starts = range(len(text) - length + 1) if length else range(0)
    return next((Span(at, at + length) for at in starts if quote_digest(text[at : at + length]) == digest), None)


_opened: dict[Path, Corpus] = {}
_opening = threading.Lock()


def _default_corpus() -> Corpus:
    path = default_index().absolute()
    with _opening:
        if path not in _opened:
            _opened[path] = Corpus.open(path)
        return _opened[path]


def retrieve(question: str, k: int = 10, *, filters: Filters | None = None) -> list[Passage]:
    """Return the best passages from the default index; see `Corpus.retrieve`."""
    return _default_corpus().retrieve(question, k, filters=filters)


def ask(question: str, *, filters: Filters | None = None) -> Answer:
    """Return the answer from the default index; see `Corpus.ask`."""
    return _default_corpus().ask(question, filters=filters)
