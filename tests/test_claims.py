"""Readings become quotes and claims."""

from __future__ import annotations

from index.documents import Document, Source, Span
from qa.claims import group_claims, quote_of, verdict_of
from qa.reader import Readable, Reading
from qa.results import Citation, Passage, Quote, Verdict

TEXT = "The WSJ reports that nearly 370 civilians died. Others say 400 died. It was 370."


def document(path: str = "a.txt", text: str = TEXT) -> Document:
    return Document.from_raw(text, Source(path))


def quote(answer: str, *, score: float = 0.9, path: str = "a.txt") -> Quote:
    """Return the sentence of TEXT that holds the answer, from a document of that path alone."""
    text = f"{path}: {TEXT}"
    start = text.index(answer)
    sentence = Span(text.rfind(".", 0, start) + 1, text.index(".", start) + 1)
    return Quote(Citation.from_document(document(path, text), sentence), Span(start, start + len(answer)), score)


def test_a_quote_shows_the_whole_segments_that_hold_the_answer() -> None:
    held = document()
    segments = (Span(0, 47), Span(48, 68), Span(69, 80))
    passage = Passage(1, 1.0, 0.5, 3.0, Citation.from_document(held, Span(0, 80)))
    readable = Readable(passage, segments)
    shown = quote_of(Reading(readable, Span(28, 31), 0.8), held)
    assert shown.text == "The WSJ reports that nearly 370 civilians died."
    assert shown.answer_text == "370"
    across = quote_of(Reading(readable, Span(42, 55), 0.8), held)
    assert across.citation.span == Span(0, 68)


def test_quotes_that_say_the_same_are_one_claim() -> None:
    claims = group_claims([quote("nearly 370 civilians"), quote("370", score=0.7, path="b.txt")])
    assert [claim.text for claim in claims] == ["nearly 370 civilians"]
    assert [len(claim.quotes) for claim in claims] == [2]


def test_quotes_that_say_other_things_are_claims_of_their_own_strongest_first() -> None:
    claims = group_claims([quote("nearly 370 civilians"), quote("400", score=0.7)])
    assert [(claim.text, claim.score) for claim in claims] == [("nearly 370 civilians", 0.9), ("400", 0.7)]


def test_a_segment_speaks_once_with_its_strongest_answer() -> None:
    claims = group_claims([quote("nearly 370"), quote("civilians", score=0.8)])
    assert [(claim.text, len(claim.quotes)) for claim in claims] == [("nearly 370", 1)]


def test_a_quote_much_weaker_than_the_strongest_is_left_out() -> None:
    assert [claim.text for claim in group_claims([quote("nearly 370"), quote("400", score=0.44)])] == ["nearly 370"]


def test_claims_with_other_numbers_differ() -> None:
    assert verdict_of(group_claims([quote("nearly 370 civilians"), quote("400")])) is Verdict.DIFFERS
    assert verdict_of(group_claims([quote("nearly 370 civilians"), quote("The WSJ")])) is Verdict.ANSWERED
    assert verdict_of(()) is Verdict.NOT_FOUND
