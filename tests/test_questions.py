"""What was typed becomes the question that is searched and read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.questions import MAX_QUESTION_CHARACTERS, clean_question, plain_question


def test_questions_are_cleaned_to_one_line() -> None:
    assert clean_question("  who\r\ncontrols\x1b[31m Idlib? ") == "who controls [31m Idlib?"


@pytest.mark.parametrize(
    "typed",
    [
        "who rules Karst",
        "Can you tell me who rules Karst?",
        "Could you please tell me who rules Karst.",
        "please tell us, who rules Karst",
        "Hey, can anyone tell me who rules Karst?",
        "I would like to know who rules Karst",
        "I'd like to know who rules Karst, please",
        "I was wondering who rules Karst.",
        "Do you know who rules Karst?",
        "any idea who rules Karst?",
        "Ok, so who rules Karst?",
        "My question is: who rules Karst?",
        "Do the documents say who rules Karst?",
        "According to these texts, who rules Karst?",
        "Who rules Karst, according to the documents?",
        "who rules Karst please",
    ],
)
def test_a_question_is_taken_out_of_what_stands_around_it(typed: str) -> None:
    assert plain_question(typed).casefold() == "who rules karst?"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Tell me who Ida Marlow is", "who is Ida Marlow?"),
        ("I wonder how big the camp at Karst was.", "how big was the camp at Karst?"),
        ("Tell me who said what it was", "who said what it was?"),
        ("Do you know in which year it began?", "in which year it began?"),
        ("Can you give me the population of Karst?", "what is the population of Karst?"),
        ("WHO RULES KARST?", "who rules karst?"),
    ],
)
def test_it_is_put_as_a_question(typed: str, expected: str) -> None:
    assert plain_question(typed) == expected


@pytest.mark.parametrize(
    "question",
    [
        "Who rules Karst?",
        "Hello Kitty was created by whom?",
        "Please Please Me was released when?",
        "According to the minister, who rules Karst?",
        "Does the minister say who rules Karst?",
        "Can you tell me if Karst is ruled?",
        "Who knows where it is?",
        "WHO?",
        "What is the U.S.",
    ],
)
def test_words_that_belong_to_a_question_stay(question: str) -> None:
    assert plain_question(question) == question


@given(st.text(min_size=1, max_size=60))
def test_any_question_stays_one(text: str) -> None:
    assert any(map(str.isalnum, plain_question(f"who {text}")))


@pytest.mark.parametrize(
    "repeated", ["so, ", "please tell me about ", "a question ", " please", "according to the texts ", "who the a is "]
)
def test_time_does_not_explode_with_length(repeated: str) -> None:
    plain_question((repeated * MAX_QUESTION_CHARACTERS)[:MAX_QUESTION_CHARACTERS])
