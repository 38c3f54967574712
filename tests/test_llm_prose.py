"""What a language model writes is cut into sentences, each with the numbers it names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.llm.prose import sentences


def read(text: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(each.text, each.numbers) for each in sentences(text, finished=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Turkey left [1]. Russia stayed [2][3].", [("Turkey left.", (1,)), ("Russia stayed.", (2, 3))]),
        ("Turkey left. [1] Russia stayed. [2, 3]", [("Turkey left.", (1,)), ("Russia stayed.", (2, 3))]),
        ("Turkey [2] left in 2019 [1].", [("Turkey left in 2019.", (2, 1))]),
        ("Gen. Smith of the U.S. Army left [1].", [("Gen. Smith of the U.S. Army left.", (1,))]),
        ("Turkey left. Russia stayed [2].", [("Turkey left.", ()), ("Russia stayed.", (2,))]),
        ("Turkey left [1]. the rest is a lie.", [("Turkey left.", (1,)), ("the rest is a lie.", ())]),
        ("[3]\n[1-2]", [("", (3,)), ("", (1, 2))]),
        ("- Turkey left [1]\n2. Russia stayed [2]", [("Turkey left", (1,)), ("Russia stayed", (2,))]),
        ("<think>Is it [9]?\nYes.</think>\nTurkey left [1].", [("Turkey left.", (1,))]),
        ("<think>never ends [1].", []),
        ("[1] Turkey left.", [("Turkey left.", (1,))]),
        ("", []),
        ("...", []),
    ],
)
def test_numbers_belong_to_the_sentence_that_they_end(text: str, expected: list[tuple[str, tuple[int, ...]]]) -> None:
    assert read(text) == expected


def test_the_last_sentence_waits_until_it_is_finished() -> None:
    assert [each.text for each in sentences("Turkey left [1]. Russia st", finished=False)] == ["Turkey left."]
    assert [each.text for each in sentences("Turkey left [1].", finished=False)] == []


def test_hidden_characters_of_the_model_are_gone_before_anything_is_compared() -> None:
    assert read("4\u200b12 died\U000e0041 [1].") == [("412 died.", (1,))]


def test_a_sentence_that_names_everything_names_a_dozen() -> None:
    assert read("All of it [1-9999].") == [("All of it.", tuple(range(1, 13)))]


@given(st.text(alphabet="aB .!?[]()0123,-–\n•*\u200b<think>/", max_size=200))
def test_any_text_is_read_and_finished_sentences_never_change(text: str) -> None:
    whole = sentences(text, finished=True)
    assert all(len(each.numbers) <= 12 and "[" + "1]" not in each.text for each in whole)
    early = sentences(text, finished=False)
    assert early == whole[: len(early)]
