"""The seam between retrieval and answers: which words of these passages answer the question, and how surely?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from index.documents import Span
from qa.results import Passage


@dataclass(frozen=True, slots=True)
class Term:
    """A content word of a question.

    Attributes:
        word: as the question writes it.
        idf: inverse chunk frequency ``ln(1 + (n - df + .5) / (df + .5))``; higher is rarer.
        chunk_frequency: how many chunks of the corpus hold it (stemmed, case folded); 0 means nowhere.
    """

    word: str
    idf: float
    chunk_frequency: int


@dataclass(frozen=True, slots=True)
class Query:
    """A question made ready, once, for retrieval and reading.

    Attributes:
        text: the question as it is searched and read.
        vector: (dim,) float32, unit length.
        terms: its content words, in order, without repeats.
    """

    text: str
    vector: npt.NDArray[np.float32]
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Readable:
    """A passage to read, with the segments it is made of.

    Attributes:
        passage: a retrieved passage.
        segments: sentence-like spans in document offsets, in order, covering the passage's words.
    """

    passage: Passage
    segments: tuple[Span, ...]

    @property
    def breaks(self) -> list[int]:
        """Where a segment begins after another one, in offsets of the passage's text, ascending."""
        base = self.passage.span.start
        return [segment.start - base for segment in self.segments[1:]]

    def around(self, place: Span, *, beside: int = 0) -> Span:
        """Return where the segments stand that a place touches, and so many before and after; the place if none."""
        touched = [number for number, segment in enumerate(self.segments) if segment.overlaps(place)]
        if not touched:
            return place
        segments = self.segments[max(0, touched[0] - beside) : touched[-1] + 1 + beside]
        return Span(segments[0].start, segments[-1].end)

    def within(self, place: Span) -> Span:
        """Return a place of the document as one of the passage's text, without what lies before it."""
        base = self.passage.span.start
        return Span(max(0, place.start - base), max(0, place.end - base))

    def text_of(self, place: Span) -> str:
        """Return the words of the passage at a place of the document."""
        return self.within(place).of(self.passage.text)


@dataclass(frozen=True, slots=True)
class Reading:
    """Words of one passage that may answer the question.

    Attributes:
        readable: the passage they stand in.
        answer: their place, in document offsets, inside the passage.
        score: probability in 0..1 that they answer the question; higher is better.
    """

    readable: Readable
    answer: Span
    score: float

    @property
    def within(self) -> Span:
        """The place of the words in the passage's text."""
        return self.readable.within(self.answer)

    @property
    def text(self) -> str:
        """The words."""
        return self.readable.text_of(self.answer)


class Reader(Protocol):
    """Finds answers in passages. Below ``threshold`` a reading is not an answer."""

    @property
    def threshold(self) -> float: ...

    @property
    def passages_read(self) -> int:
        """How many of the best passages it wants to see."""
        ...

    def read(self, query: Query, readables: Sequence[Readable]) -> list[Reading]:
        """Return readings, best first, a few per passage; equal scores keep passage order. [] for no passages."""
        ...
