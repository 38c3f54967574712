"""Readings become quotes and claims."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.documents import Document, Source, Span
from qa.claims import group_claims, names_first, quote_of, verdict_of
from qa.reader import Readable, Reading
from qa.results import Citation, Passage, Quote, Verdict

TEXT = "The WSJ reports that nearly 370 civilians died. Others say 400 died. It was 370."
HOW_MANY = "How many died?"


def document(path: str = "a.txt", text: str = TEXT) -> Document:
    return Document.from_raw(text, Source(path))


def quote(answer: str, *, score: float = 0.9, path: str = "a.txt") -> Quote:
    """Return the sentence of TEXT that holds the answer, from a document of that path alone."""
    text = f"{path}: {TEXT}"
    start = text.index(answer)
    sentence = Span(text.rfind(".", 0, start) + 1, text.index(".", start) + 1)
    return Quote(Citation.from_document(document(path, text), sentence), Span(start, start + len(answer)), score)


def said(answer: str, *, score: float = 0.9, within: str = "{}") -> Quote:
    """Return an answer as the words of a document of its own."""
    text = within.format(answer)
    start = text.index(answer)
    held = document(f"{answer}.txt", text)
    return Quote(Citation.from_document(held, Span(0, len(text))), Span(start, start + len(answer)), score)


def test_a_quote_shows_the_whole_segments_that_hold_the_answer() -> None:
    held = document()
    segments = (Span(0, 47), Span(48, 68), Span(69, 80))
    passage = Passage(1, 1.0, 0.5, 3.0, Citation.from_document(held, Span(0, 80)))
    readable = Readable(passage, segments)
    shown = quote_of(Reading(readable, Span(28, 31), 0.8), held)
    assert shown.text == "The WSJ reports that nearly 370 civilians died."
    assert shown.answer_text == "370"
    assert shown.speaker is not None
    assert shown.speaker.name == "The WSJ"
    across = quote_of(Reading(readable, Span(42, 55), 0.8), held)
    assert across.citation.span == Span(0, 68)


RULERS = "the group which rules the town, the Free Men of Karst, has closed the gates"
BEFORE = "News of the day. "  # the passage is not the whole document

OF_A_KIND = "the group which rules the town local militia Free Men of Karst has closed the gates"


def readings(*marked: tuple[str, float], text: str = RULERS) -> list[Reading]:
    held = document(text=BEFORE + text)
    whole = Span(len(BEFORE), len(held.text))
    readable = Readable(Passage(1, 1.0, 0.5, 3.0, Citation.from_document(held, whole)), (whole,))
    begun = [(len(BEFORE) + text.index(words), words, score) for words, score in marked]
    places = [(Span(start, start + len(words)), score) for start, words, score in begun]
    return [Reading(readable, place, score) for place, score in places]


def test_a_name_after_its_description_is_the_answer_to_who() -> None:
    marked = readings(("group", 0.5), ("Free Men of Karst", 0.1), ("the gates", 0.1))
    best, *rest = names_first(marked, "Who rules the town?")
    assert (best.answer, best.score) == (marked[1].answer, 0.5)
    assert rest == marked[1:]
    with_its_kind = readings(("the group", 0.5), ("local militia Free Men of Karst", 0.2), text=OF_A_KIND)
    name_alone = len(BEFORE) + OF_A_KIND.index("Free Men of Karst")
    for question in ("Who rules the town?", "Which group rules the town?", "Which militia rules it?"):
        best = names_first(with_its_kind, question)[0]
        assert (best.answer, best.score) == (Span(name_alone, with_its_kind[1].answer.end), 0.5)
    kind_alone = readings(("the group", 0.5), ("local militia", 0.2), text=OF_A_KIND)
    best, rest = names_first(kind_alone, "Which group rules the town?")
    assert (best.answer, best.score) == (Span(name_alone, with_its_kind[1].answer.end), 0.5)
    assert rest == kind_alone[1]
    of_a_place = OF_A_KIND.replace("local", "Karst")
    whose = readings(("the group", 0.5), ("Karst", 0.3), ("Free Men of Karst", 0.2), text=of_a_place)
    for question in ("Who rules the town?", "Which group rules the town?"):
        assert names_first(whose, question)[0].answer == whose[2].answer
    with_its_clause = readings(("the group which rules the town", 0.5), ("Free Men of Karst", 0.2))
    assert names_first(with_its_clause, "Which faction rules the town?")[0].answer == with_its_clause[1].answer
    lacks_its_kind = readings(("armed", 0.5), ("Free Men of Karst", 0.2), text=RULERS.replace("group", "armed group"))
    assert names_first(lacks_its_kind, "Which group rules it?")[0].answer == lacks_its_kind[1].answer
    named = readings(("Aar", 0.5), ("Free Men of Karst", 0.2), text=RULERS.replace("group", "Aar group"))
    assert names_first(named, "Which group rules it?") == named
    whole = readings((OF_A_KIND[: OF_A_KIND.index(" has")], 0.5), text=OF_A_KIND)
    best = names_first(whole, "What armed group rules the town?")[0]
    assert (best.answer, best.score) == (Span(name_alone, whole[0].answer.end), 0.5)
    for question in ("Which group rules the town?", "what armed group rules the town", "Which faction rules it?"):
        assert names_first(marked, question)[0].answer == marked[1].answer
    others = ("Who is Free?", "What rules the town?", "Who rules the Free Men of Karst?", "Which gate is closed?")
    for question in others:
        assert names_first(marked, question) == marked
    far_below = readings(("the group", 0.5), ("Free Men of Karst", 0.09))
    assert names_first(far_below, "Who rules the town?") == far_below
    before = readings(("the gates", 0.5), ("Free Men of Karst", 0.4))
    assert names_first(before, "Who rules the town?") == before


@pytest.mark.parametrize(
    "text",
    [
        "a group which rules the town, the Free Men of Karst, has closed the gates",
        "the group of the Free Men of Karst rules the town",
        "the group found that the Free Men of Karst rule the town",
    ],
)
def test_a_name_after_words_that_do_not_describe_it_is_another_answer(text: str) -> None:
    marked = readings(("group", 0.5), ("Free Men of Karst", 0.4), text=text)
    assert names_first(marked, "Who rules the town?") == marked


def test_quotes_that_say_the_same_are_one_claim() -> None:
    claims = group_claims([quote("nearly 370 civilians"), quote("370", score=0.7, path="b.txt")], HOW_MANY)
    assert [claim.text for claim in claims] == ["nearly 370 civilians"]
    assert [len(claim.quotes) for claim in claims] == [2]


def test_quotes_that_say_other_things_are_claims_of_their_own_strongest_first() -> None:
    claims = group_claims([quote("400", score=0.7), quote("nearly 370 civilians")], HOW_MANY)
    assert [(claim.text, claim.score) for claim in claims] == [("nearly 370 civilians", 0.9), ("400", 0.7)]


def test_a_segment_speaks_once_with_its_strongest_answer() -> None:
    claims = group_claims([quote("nearly 370"), quote("civilians", score=0.8)], HOW_MANY)
    assert [(claim.text, len(claim.quotes)) for claim in claims] == [("nearly 370", 1)]


def test_a_quote_much_weaker_than_the_strongest_is_left_out() -> None:
    claims = group_claims([quote("nearly 370"), quote("400", score=0.44)], HOW_MANY)
    assert [claim.text for claim in claims] == ["nearly 370"]


@pytest.mark.parametrize(
    ("first", "second", "question"),
    [
        ("700 000", "700,000", HOW_MANY),
        ("seven hundred thousand", "700 000", HOW_MANY),
        ("three million", "up to 3 million", HOW_MANY),
        ("5 percent", "5%", HOW_MANY),
        ("the WSJ", "Wall Street Journal", "Who reports it?"),
        ("Erdogan", "Turkey s Erdogan", "Who asks?"),
        ("President Recep Tayyip Erdogan", "Erdogan", "Who asks?"),
        ("Col Myles Caggins", "Myles Caggins", "Who said it?"),
        ("THE ARMY", "army", "Who came?"),
        ("December 1", "1 December 2019", "When did it begin?"),
        ("December 1", "December 2019", "When did it begin?"),
    ],
)
def test_other_words_for_the_same_are_one_claim(first: str, second: str, question: str) -> None:
    claims = group_claims([said(first), said(second, score=0.8)], question)
    assert [len(claim.quotes) for claim in claims] == [2]
    assert verdict_of(claims, question) is Verdict.ANSWERED


@pytest.mark.parametrize(
    ("first", "second", "question", "verdict"),
    [
        ("nearly 370 civilians", "400", HOW_MANY, "answered"),  # nearly 370 is 333..407
        ("370 civilians", "400", HOW_MANY, "differs"),
        ("nearly 370", "around 500", HOW_MANY, "differs"),
        ("up to three million", "2.5 million", HOW_MANY, "answered"),
        ("one", "one million", HOW_MANY, "differs"),
        ("370 civilians", "the army", HOW_MANY, "answered"),
        ("1990", "1992", "When did it end?", "differs"),
        ("1990", "March", "When did it end?", "answered"),
        ("Resolution 2254", "Resolution 2401", "Which resolution was it?", "answered"),
        ("Anna Berg", "Tom Hill", "Who is the president of the bank?", "differs"),
        ("Anna Berg", "Tom Hill", "Who was the first president of the bank?", "differs"),
        ("Anna Berg", "Tom Hill", "Who is Ghana's oldest judge?", "differs"),
        ("Anna Berg", "Tom Hill", "Who spoke to the president?", "answered"),
        ("Anna Berg", "Tom Hill", "Who are the leaders of the group?", "answered"),
        ("Anna Berg", "a former judge", "Who is the president of the bank?", "answered"),
    ],
)
def test_claims_differ_only_where_both_cannot_be_true(first: str, second: str, question: str, verdict: str) -> None:
    claims = group_claims([said(first), said(second, score=0.8)], question)
    assert len(claims) == 2
    assert verdict_of(claims, question).value == verdict


def test_a_statement_and_its_denial_differ_though_the_answering_words_are_the_same() -> None:
    question = "What did the army enter?"
    yes = said("Saraqib", within="On Monday the army entered {} from the east")
    no = said("Saraqib", within="On Monday the army did not enter {} from the east", score=0.8)
    other = said("Saraqib", within="Nobody knows who bombed {} last night", score=0.8)
    assert verdict_of(group_claims([yes, no], question), question) is Verdict.DIFFERS
    assert [len(claim.quotes) for claim in group_claims([yes, other], question)] == [2]


def test_no_claims_is_not_found() -> None:
    assert verdict_of((), HOW_MANY) is Verdict.NOT_FOUND


ANSWERS = "370|nearly 370|400|the WSJ|Wall Street Journal|Erdogan|Turkey s Erdogan|December 1|not so|so|…|".split("|")[
    :-1
]
QUOTES = st.lists(
    st.tuples(st.sampled_from(ANSWERS) | st.text(min_size=1, max_size=8), st.sampled_from((0.9, 0.8, 0.5, 0.3))),
    max_size=8,
    unique_by=lambda pair: pair[0],
)


@given(
    pairs=QUOTES,
    question=st.sampled_from((HOW_MANY, "When was it?", "Who is the president of it?")),
    seed=st.integers(),
)
def test_grouping_gives_the_same_in_any_order_each_quote_once_and_exact(
    pairs: list[tuple[str, float]], question: str, seed: int
) -> None:
    quotes = [
        said(answer, score=score, within="it was {} they say") for answer, score in pairs if answer in answer.strip()
    ]
    quotes = [one for one in quotes if one.answer]
    claims = group_claims(quotes, question)
    shuffled = random.Random(seed).sample(quotes, len(quotes))
    assert group_claims(shuffled, question) == claims
    assert verdict_of(group_claims(shuffled, question), question) is verdict_of(claims, question)
    shown = [one for claim in claims for one in claim.quotes]
    assert all(a != b for a, b in itertools.combinations(shown, 2))
    assert all(one in quotes for one in shown)
    assert [claim.score for claim in claims] == sorted((claim.score for claim in claims), reverse=True)
    assert all(one.answer_text in one.text for one in shown)
