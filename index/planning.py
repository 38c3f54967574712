"""Which segments, chunks and vectors a document needs; vectors that are not stored yet are computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from index.chunking import ChunkingConfig
from index.documents import Span, with_heading
from index.embedding import Encoder, Fingerprint, Floats
from index.errors import IndexingError, ModelError
from index.packing import pack_spans
from index.recutting import Earlier, Uncut, chunks_after_edit
from index.segmenting import segment
from index.store import PlannedChunk, PlannedDocument, Store

SPECIAL_TOKENS = 2
HEADING_TOKENS = 24
EMBEDDED_AT_A_TIME = 256
_TOKENIZED_CHARACTERS = 1 << 16
_LONGEST_TOKEN = 64  # characters; a run that a tokenizer takes for one unknown word counts as several


class Bounds(NamedTuple):
    """Where a text may be cut.

    Attributes:
        segments: ordered, not overlapping.
        token_starts: (n_tokens,) offsets at which the encoder's tokens start, ascending.
    """

    segments: list[Span]
    token_starts: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ToCut:
    """A document that needs chunks.

    Attributes:
        heading: the title that is embedded with each chunk, or None.
        is_held: the store has its text already.
        earlier: what stood in its place under the same heading, if anything did.
        bounds: where it may be cut, when that was found before.
    """

    doc_id: str
    text: str
    heading: str | None
    is_held: bool
    earlier: Earlier | None = None
    bounds: Bounds | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """Documents ready to be stored, all their vectors stored.

    Attributes:
        documents: in the order asked.
        left_out: by document id, how many of its chunks got no finite vector.
    """

    documents: tuple[PlannedDocument, ...]
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Cut:
    document: ToCut
    segments: list[Span]
    chunks: list[Span]
    keys: list[bytes]

    def texts(self) -> Iterator[tuple[bytes, str]]:
        for key, chunk in zip(self.keys, self.chunks, strict=True):
            yield key, with_heading(self.document.heading, chunk.of(self.document.text))


class Planner:
    """Cuts documents and embeds their chunks, each text once.

    Attributes:
        embedded: texts whose vectors were computed so far.
    """

    def __init__(self, store: Store, encoder: Encoder, chunking: ChunkingConfig) -> None:
        self._store = store
        self._encoder = encoder
        self._chunking = chunking
        self.embedded = 0

    def plan(self, documents: Sequence[ToCut], *, on_progress: Callable[[float], None]) -> Planned:
        """Return documents with chunks whose vectors are stored.

        Args:
            documents: each once.
            on_progress: called with the fraction that is embedded.
        """
        cuts = [self._cut(document) for document in documents]
        texts = {key: text for cut in cuts for key, text in cut.texts()}
        known = self._store.known_vector_keys(texts)
        self._embed({key: text for key, text in texts.items() if key not in known}, on_progress)
        usable = self._store.known_vector_keys(texts)
        lost = {cut.document.doc_id: sum(key not in usable for key in cut.keys) for cut in cuts}
        return Planned(tuple(_planned(cut, usable) for cut in cuts), {i: count for i, count in lost.items() if count})

    def bounds(self, text: str) -> Bounds:
        """Return where a text may be cut. Any number of threads may ask."""
        segments = segment(text)
        return Bounds(segments, self._token_starts(text, segments))

    def _cut(self, document: ToCut) -> _Cut:
        fingerprint = self._encoder.fingerprint
        budget = fingerprint.max_tokens - SPECIAL_TOKENS - (HEADING_TOKENS if document.heading else 0)
        chunk_tokens = min(self._chunking.chunk_tokens, budget)
        fitted = ChunkingConfig(chunk_tokens, min(self._chunking.overlap_tokens, chunk_tokens // 2))
        segments, token_starts = document.bounds or self.bounds(document.text)
        uncut = Uncut(document.text, segments, token_starts, fitted, budget)
        chunks = chunks_after_edit(document.earlier, uncut) if document.earlier else uncut.chunks()
        words = (with_heading(document.heading, chunk.of(document.text)) for chunk in chunks)
        keys = [vector_key(fingerprint, text) for text in words]
        return _Cut(document, segments, chunks, keys)

    def _token_starts(self, text: str, segments: Sequence[Span]) -> npt.NDArray[np.int64]:
        """Return where tokens start; a long text goes to the tokenizer in parts, which bounds its memory."""
        parts: list[npt.NDArray[np.int64]] = []
        start = 0
        for here, following in zip(segments, [*segments[1:], None], strict=True):
            if following is None or here.end - start >= _TOKENIZED_CHARACTERS:
                parts.append(self._encoder.token_starts(text[start : here.end]) + start)
                start = here.end
        return _shortened(np.concatenate(parts), len(text)) if parts else np.empty(0, dtype=np.int64)

    def _embed(self, missing: dict[bytes, str], on_progress: Callable[[float], None]) -> None:
        keys = sorted(missing, key=lambda key: len(missing[key]))  # like lengths together: less padding
        for start in range(0, len(keys), EMBEDDED_AT_A_TIME):
            on_progress(start / len(keys))
            batch = keys[start : start + EMBEDDED_AT_A_TIME]
            vectors = self._vectors([missing[key] for key in batch])
            for row in np.flatnonzero(~np.isfinite(vectors).all(axis=1)):
                vectors[row] = self._vectors([missing[batch[row]]])[0]
            usable = np.flatnonzero(np.isfinite(vectors).all(axis=1))
            self._store.put_vectors([batch[row] for row in usable], vectors[usable])
            self.embedded += len(batch)

    def _vectors(self, texts: Sequence[str]) -> Floats:
        """Return what the encoder makes of texts.

        Raises:
            ModelError: it fails, or gives another number or size of vectors than it promised.
        """
        model, expected = self._encoder.fingerprint.model, (len(texts), self._encoder.fingerprint.dimension)
        try:
            vectors = self._encoder.encode_documents(texts)
        except IndexingError:
            raise
        except Exception as error:  # a model's library lets errors of many kinds through
            raise ModelError(
                f"The model {model!r} failed ({type(error).__name__}: {error}). The index is kept as it is; run the "
                "same command again to go on, or take another model: pincite index --model MODEL --rebuild"
            ) from error
        if vectors.shape != expected:
            raise ModelError(
                f"The model {model!r} returned {' x '.join(map(str, vectors.shape))} numbers, expected "
                f"{' x '.join(map(str, expected))} (texts x dimension). The index is kept as it is."
            )
        return vectors


def _shortened(token_starts: npt.NDArray[np.int64], end: int) -> npt.NDArray[np.int64]:
    """Return ascending token starts with more of them inside long tokens, none over `_LONGEST_TOKEN` characters."""
    lengths = np.diff(token_starts, append=end)
    pieces = np.maximum(1, -(-lengths // _LONGEST_TOKEN))
    first = np.repeat(np.cumsum(pieces) - pieces, pieces)
    within = np.arange(len(first)) - first
    starts: npt.NDArray[np.int64] = np.repeat(token_starts, pieces) + within * _LONGEST_TOKEN
    return starts


def vector_key(fingerprint: Fingerprint, words: str) -> bytes:
    """Return the key under which the vector that an encoder makes of words is stored."""
    return hashlib.sha256(f"{_salt(fingerprint)}\n{words}".encode()).digest()[:16]


@cache
def _salt(fingerprint: Fingerprint) -> str:
    return json.dumps(fingerprint.to_dict(), sort_keys=True)


def _planned(cut: _Cut, usable: set[bytes]) -> PlannedDocument:
    document = cut.document
    pairs = zip(cut.chunks, cut.keys, strict=True)
    return PlannedDocument(
        document.doc_id,
        None if document.is_held else document.text,
        document.heading,
        pack_spans(cut.segments),
        tuple(PlannedChunk(span, key) for span, key in pairs if key in usable),
    )
