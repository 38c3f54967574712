"""Which quotes are one voice: the same text, near enough, in several documents. Pure.

Compared is a quote with the segment before and after it, by the runs of three words the two places share. All runs
are compared, not a sample of their hashes: a few dozen passages are looked at, and the exact share takes less time than
an estimate (docs/decisions/0011-claims.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

from index.documents import Document, Span
from qa.reader import Readable
from qa.results import Citation, Quote

RUN = 3  # words
ALIKE = 0.7  # of the runs of the smaller place stand in the other
FEWEST_RUNS = 8  # less text than that is a phrase that anybody may write
BESIDE = 1  # segments before and after

_WORD = re.compile(r"[^\W_]+")

Runs = frozenset[tuple[str, ...]]


@lru_cache(1024)
def runs_of(text: str) -> Runs:
    """Return the runs of three words of a text, case folded, without its punctuation."""
    words = [word.casefold() for word in _WORD.findall(text)]
    return frozenset(zip(*(words[at:] for at in range(RUN)), strict=False))


def likeness(runs: Runs, other: Runs) -> float:
    """Return which share of the smaller set stands in the other, in 0..1; 0 where one is too small to tell."""
    fewer = min(len(runs), len(other))
    return len(runs & other) / fewer if fewer >= FEWEST_RUNS else 0.0


def distinct(readables: Sequence[Readable], *, most: int) -> list[Readable]:
    """Return the first so many passages that are no copy of one before them in another document, in order."""
    kept: list[tuple[Readable, Runs]] = []
    for readable in readables:
        runs = runs_of(readable.passage.text)
        if not any(_other_document(readable, one) and likeness(runs, held) >= ALIKE for one, held in kept):
            kept.append((readable, runs))
            if len(kept) == most:
                break
    return [readable for readable, _ in kept]


def fold_copies(
    quotes: Sequence[tuple[Quote, Readable]], nearest: Sequence[Readable], document: Callable[[str], Document]
) -> list[Quote]:
    """Return quotes in order, each with its copies; a quote that is a copy of one before it stands only there.

    Args:
        quotes: each with the passage it was read in, strongest first.
        nearest: all passages found, where copies are looked for; the first of a document counts.
        document: gives a document by its id.
    """
    voices: list[Quote] = []
    heard: set[tuple[str, Span]] = set()
    for quote, readable in quotes:
        if (quote.citation.doc_id, quote.citation.span) in heard:
            continue
        places: dict[str, Span] = {}
        for other in nearest:
            if other.passage.doc_id not in places and (place := copy_of(quote, readable, other)):
                places[other.passage.doc_id] = place
        heard |= set(places.items())
        copies = [Citation.from_document(document(doc_id), place) for doc_id, place in places.items()]
        voices.append(replace(quote, copies=tuple(sorted(copies, key=lambda copy: (copy.path, copy.doc_id)))))
    return voices


def copy_of(quote: Quote, readable: Readable, other: Readable) -> Span | None:
    """Return where a quote stands again, with its answer, in another document's passage: whole segments, or None."""
    shown = quote.citation.span
    around = _runs_around(readable, shown)
    if not _other_document(readable, other) or likeness(around, runs_of(other.passage.text)) < ALIKE:
        return None
    answer = f" {_plain(quote.answer_text)} "
    longest = sum(segment.overlaps(shown) for segment in readable.segments) + 1
    places = [place for place in _places(other, longest) if answer in f" {_plain(other.text_of(place))} "]
    runs = runs_of(quote.text)
    best = max(places, key=lambda at: (_resemblance(runs, runs_of(other.text_of(at))), -at.start), default=None)
    if best is None or likeness(around, _runs_around(other, best)) < ALIKE:
        return None
    return best


def _places(readable: Readable, longest: int) -> list[Span]:
    """Return every run of up to so many segments."""
    segments = readable.segments
    return [
        Span(segments[first].start, segments[last].end)
        for first in range(len(segments))
        for last in range(first, min(first + longest, len(segments)))
    ]


def _runs_around(readable: Readable, place: Span) -> Runs:
    return runs_of(readable.text_of(readable.around(place, beside=BESIDE)))


def _plain(text: str) -> str:
    return " ".join(word.casefold() for word in _WORD.findall(text))


def _resemblance(runs: Runs, other: Runs) -> float:
    return len(runs & other) / len(runs | other) if runs or other else 0.0


def _other_document(readable: Readable, other: Readable) -> bool:
    return readable.passage.doc_id != other.passage.doc_id
