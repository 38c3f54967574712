"""Answering spans -> claims: readings that say the same are one claim with several quotes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.documents import Document, Span
from qa.reader import Reading
from qa.results import Citation, Claim, Quote, Verdict
from qa.speakers import find_speaker

MAX_CLAIMS = 3
MAX_QUOTES = 4
WEAKEST_SHARE = 0.5
_ARTICLES = frozenset(("a", "an", "the"))


def quote_of(reading: Reading, document: Document) -> Quote:
    """Return a reading as a quote: the segments that hold the answer, whole, and who speaks it."""
    touching = [segment for segment in reading.readable.segments if segment.overlaps(reading.answer)]
    start = min((segment.start for segment in touching), default=reading.answer.start)
    end = max((segment.end for segment in touching), default=reading.answer.end)
    shown = Span(min(start, reading.answer.start), max(end, reading.answer.end))
    speaker = find_speaker(document.text, reading.answer, reading.readable.segments)
    return Quote(Citation.from_document(document, shown), reading.answer, reading.score, speaker)


def group_claims(quotes: Sequence[Quote]) -> tuple[Claim, ...]:
    """Return claims, strongest first. A quote joins the first claim whose words contain its own, or the reverse.

    A segment speaks once, with its strongest answer, and a quote much weaker than the strongest is left out.

    Args:
        quotes: strongest first.
    """
    groups: list[list[Quote]] = []
    for quote in quotes:
        if quote.score < WEAKEST_SHARE * quotes[0].score:
            break
        if any(_same_place(quote, other) for group in groups for other in group):
            continue
        for group in groups:
            if _says_the_same(quote.answer_text, group[0].answer_text):
                group.append(quote)
                break
        else:
            groups.append([quote])
    return tuple(Claim(group[0].answer_text, tuple(group[:MAX_QUOTES])) for group in groups[:MAX_CLAIMS])


def verdict_of(claims: Sequence[Claim]) -> Verdict:
    """Return how the documents stand to the question: claims that give different numbers differ."""
    if not claims:
        return Verdict.NOT_FOUND
    numbers = [found for claim in claims if (found := _numbers(claim.text))]
    return Verdict.DIFFERS if any(not (numbers[0] & other) for other in numbers[1:]) else Verdict.ANSWERED


def _same_place(quote: Quote, other: Quote) -> bool:
    return quote.citation.doc_id == other.citation.doc_id and quote.citation.span.overlaps(other.citation.span)


def _says_the_same(text: str, other: str) -> bool:
    words, others = _words(text), _words(other)
    return bool(words and others) and (words <= others or others <= words)


def _words(text: str) -> frozenset[str]:
    return frozenset(word for word in re.findall(r"\w+", text.casefold()) if word not in _ARTICLES)


def _numbers(text: str) -> frozenset[str]:
    return frozenset(re.sub(r"[ ,.]", "", number) for number in re.findall(r"\d[\d ,.]*", text))
