"""A reader without training of its own: whole segments, scored by meaning and by words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from index.documents import Span
from index.embedding import Encoder
from index.lexical import terms as index_terms
from qa.reader import Query, Readable, Reading


class EvidenceReader:
    """Ranks segments by a logistic model of two features: cosine with the question, share of its words' weight.

    Attributes:
        threshold: the score that keeps 90 % of the answerable; docs/decisions/0005-abstention.md.
        passages_read: best passages looked at.
    """

    threshold = 0.5
    passages_read = 8
    # fitted by benchmarks/abstention.py: intercept, cosine, weighted word overlap
    _weights = (-6.0, 8.0, 4.0)

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def read(self, query: Query, readables: Sequence[Readable]) -> list[Reading]:
        """See `qa.reader.Reader.read`: one reading per segment."""
        places = [(readable, segment) for readable in readables for segment in readable.segments]
        texts = [_words(readable, segment) for readable, segment in places]
        cosines = self._encoder.encode_documents(texts) @ query.vector
        overlaps = [word_overlap(query, text) for text in texts]
        intercept, by_cosine, by_overlap = self._weights
        readings = [
            Reading(readable, segment, _logistic(intercept + by_cosine * float(cosine) + by_overlap * overlap))
            for (readable, segment), cosine, overlap in zip(places, cosines, overlaps, strict=True)
        ]
        return sorted(readings, key=lambda reading: -reading.score)


def word_overlap(query: Query, text: str) -> float:
    """Return the share, 0..1, of the question's content words that stand in the text, weighted by their rarity."""
    held = set(index_terms(text))
    total = sum(term.idf for term in query.terms)
    found = sum(term.idf for term in query.terms if held.issuperset(index_terms(term.word)))
    return found / total if total else 0.0


def _words(readable: Readable, segment: Span) -> str:
    offset = readable.passage.span.start
    return readable.passage.text[segment.start - offset : segment.end - offset]


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0
