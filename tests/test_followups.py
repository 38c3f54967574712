"""Follow-up questions are completed from the question before, or left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qa.followups import Asked, complete, may_lean, names
from qa.results import Answer, Verdict

DIALOGUES = Path(__file__).parent / "data" / "dialogues.jsonl"


def dialogues() -> list[dict[str, Any]]:
    return [json.loads(line) for line in DIALOGUES.read_text(encoding="utf-8").splitlines()]


def is_right(dialogue: dict[str, Any]) -> bool:
    """A completion holds every word it should and none it should not; a question that stands alone stays as it is."""
    searched = completed(dialogue)
    if not dialogue["holds"]:
        return searched == dialogue["follow_up"]
    held = all(words in searched for words in dialogue["holds"])
    return held and not any(words in searched for words in dialogue["holds_not"])


def completed(dialogue: dict[str, Any]) -> str:
    before = Asked(dialogue["question"], (dialogue["answer"],))
    return complete(dialogue["follow_up"], before) or dialogue["follow_up"]


@pytest.mark.parametrize(
    ("part", "least"), [("tuned on", 0.9), ("held out", 0.9), ("fresh", 0.9), ("not tuned on", 0.6)]
)
def test_most_written_dialogues_are_completed_as_a_person_would(part: str, least: float) -> None:
    chosen = [each for each in dialogues() if each["set"] == part]
    wrong = [(each["question"], each["follow_up"], completed(each)) for each in chosen if not is_right(each)]
    assert 1 - len(wrong) / len(chosen) >= least, wrong


def test_a_question_that_stands_alone_is_never_touched() -> None:
    alone = [each for each in dialogues() if not each["holds"]]
    assert len(alone) >= 5
    assert [completed(each) for each in alone] == [each["follow_up"] for each in alone]


@pytest.mark.parametrize(
    "question", ["", "?", "it", "why", "\x00", "(((", "and", "what about ?", "and " * 500, "it " * 900]
)
def test_odd_questions_raise_nothing(question: str) -> None:
    complete(question, Asked("", ()))
    complete(question, Asked("Who ((( rules \\1 [a-z] Idlib?", ("\\1 (((",)))


def test_what_stands_around_a_question_does_not_hide_that_it_leans() -> None:
    before = Asked("Who rules Idlib?", ("Hayat Tahrir al Sham",))
    for typed, plain in (
        ("Can you tell me why?", "why?"),
        ("Please tell me when they attacked", "when they attacked?"),
    ):
        assert may_lean(typed)
        assert complete(typed, before) == complete(plain, before) is not None
    assert not may_lean("Can you tell me who attacked Aleppo in 2015?")
    typed = Answer("Can you tell me who rules Idlib", Verdict.NOT_FOUND, (), (), (), "a1b2c3")
    assert complete("why?", Asked.of(typed)) == "why rules Idlib?"


def test_names_are_runs_of_capitals_without_question_words() -> None:
    assert names("Who leads the Hayat Tahrir al Sham group in Idlib since 2017?") == [
        "Hayat Tahrir al Sham",
        "Idlib",
        "2017",
    ]


def test_a_phrase_with_a_preposition_takes_the_place_of_its_like() -> None:
    before = Asked("Which river flows through Vienna?", ("Danube",))
    assert complete("and through Cologne?", before) == "Which river flows through Cologne?"
