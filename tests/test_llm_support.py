"""What a sentence says must stand in the spans that it cites."""

from __future__ import annotations

import pytest

from qa.llm.support import names, problem, score, shared_words
from qa.values import numbers_in

SPAN = "The WSJ has cited opposition sources to say that nearly 370 civilians have died in Idlib since 1 October 2019."


def trouble(sentence: str, *spans: str, cosine: float = 0.9) -> str:
    return problem(sentence, spans or (SPAN,), cosine=cosine)


@pytest.mark.parametrize(
    "sentence",
    [
        "Nearly 370 civilians have died in Idlib, opposition sources say.",
        "According to the WSJ, opposition sources say that 370 civilians died.",
        "Since 1 Oct. 2019 nearly 370 civilians have died.",
        "Three hundred and seventy civilians have died.",
        "The WSJ cited sources that say “nearly 370 civilians have died”.",
    ],
)
def test_what_the_span_says_is_supported(sentence: str) -> None:
    assert trouble(sentence) == ""


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("Nearly 371 civilians have died in Idlib.", "number that is not there: 371"),
        ("Nearly 370 civilians have died in Aleppo.", "name that is not there: Aleppo"),
        ("Since 1 November 2019 nearly 370 civilians have died.", "name that is not there: November"),
        ("Since 1 October 2018 nearly 370 civilians have died.", "number that is not there: 2018"),
        ("Sources say that “370 civilians were killed”.", "quotes words"),
        ("No civilians have died in Idlib.", "denies"),
        ("Civilians have died in Idlib; see https://a.example", "link"),
        ("Civilians <b>have died</b> in Idlib.", "link or markup"),
        ("The weather was fine and the harvest plentiful.", "says more"),
    ],
)
def test_what_the_span_does_not_say_is_told_by_its_reason(sentence: str, reason: str) -> None:
    assert reason in trouble(sentence)


def test_a_sentence_without_spans_is_unsupported_whatever_it_says() -> None:
    assert problem("Civilians have died.", (), cosine=1.0) == "names no passage"


def test_facts_may_come_from_different_spans_but_from_those_alone() -> None:
    spans = ("Hayat Tahrir al Sham rules Idlib.", "It has 12,000 fighters.")
    assert trouble("Hayat Tahrir al Sham, with 12 000 fighters, rules Idlib.", *spans) == ""
    assert "12000" in trouble("Hayat Tahrir al Sham, with 12 000 fighters, rules Idlib.", spans[0])


def test_a_negative_span_supports_a_negative_sentence() -> None:
    assert trouble("The camp was not evacuated.", "Officials said the camp had not been evacuated.") == ""


def test_the_score_is_the_mean_of_shared_words_and_nearness() -> None:
    # content words: civilians, died, yesterday; two of three stand in the span
    assert shared_words("civilians died yesterday", (SPAN,)) == pytest.approx(2 / 3)
    assert score("civilians died yesterday", (SPAN,), cosine=0.5) == pytest.approx((2 / 3 + 0.5) / 2)
    assert score("civilians died yesterday", (SPAN,), cosine=-0.5) == pytest.approx(1 / 3)


def test_the_threshold_decides_where_no_fact_is_wrong() -> None:
    assert problem("civilians died", (SPAN,), cosine=0.2, threshold=0.6) == ""  # (1 + .2) / 2
    assert "says more" in problem("civilians died", (SPAN,), cosine=0.19, threshold=0.6)


def test_names_are_capitals_but_for_the_first_word() -> None:
    assert names("Fighters of the U.S. left Kobane; Angela Merkel spoke in May.") == [
        "US", "Kobane", "Angela", "Merkel", "May",
    ]  # fmt: skip
    assert names("However, they left.") == []
    assert names("NATO left.") == ["NATO"]


def test_numbers_are_read_in_digits_and_words() -> None:
    assert numbers_in("About 1.5 million of the 700 000 people, thirty-two of one kind, 5%") == (1.5e6, 700_000, 32, 5)
    assert numbers_in("one of them") == ()
