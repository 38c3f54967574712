"""Who only tells it, what a name is, and what repeats the question: by a candidate and the words around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.roles import asked_speaker, echoed_words, is_description, is_rest_of_name, is_teller


def place(text: str) -> tuple[str, int, int]:
    """Return the text without the brackets around the candidate, and where the candidate stands."""
    before, _, rest = text.partition("[")
    inside, _, after = rest.partition("]")
    return before + inside + after, len(before), len(before) + len(inside)


@pytest.mark.parametrize(
    ("marked", "question", "expected"),
    [
        ("However the [WSJ] fails to mention that the faction rules it", "Who controls it?", True),
        ("The [minister] said that the faction rules it", "Who controls it?", True),
        ("The [minister said] that the faction rules it", "What controls it?", True),
        ("The [faction] that rules it said that he lied", "What controls it?", False),
        ("The [minister] said that the faction rules it", "Who said that the faction rules it?", False),
        ("The minister said that the [faction] rules it", "Who controls it?", False),
        ("The [minister]. He said that the faction rules it", "Who controls it?", False),
        ("The minister [Ida Marlow] said that the faction rules it", "Who is the minister?", False),
        ("The minister [Ida Marlow] said that the faction rules it", "who is minister", False),
        ("The minister [Ida Marlow] said that the faction rules it", "Who is ruling it?", True),
        ("The minister [Ida Marlow] said that the faction rules it", "Who is the group ruling it?", True),
        ("It is what the [minister] said that rules it", "Who is the head of the town?", True),
        ("The coalition spokesman Col. [Ida Marlow] called it a ruin", "Who is the coalition spokesman?", False),
        ("[Marlow's law] states that no bridge lasts", "What law holds that no bridge lasts?", False),
        ("[Marlow's law] states that no bridge lasts", "What was built by the town that it rules?", True),
        ("the [spokesman] called East Karst a ruin", "Who rules East Karst?", True),
        ("the [spokesman] described them as a menace", "Who rules East Karst?", True),
        ("the [spokesman] called East Karst a ruin", "Who called East Karst a ruin?", False),
        ("a [hurricane] called Rita approached the coast", "What was Rita?", False),
        ("the [spokesman] called off the strike", "Who ended it?", False),
    ],
)
def test_who_only_tells_it_stands_before_what_is_told(marked: str, question: str, expected: bool) -> None:
    assert is_teller(*place(marked), question) is expected


@pytest.mark.parametrize(
    ("marked", "question", "expected"),
    [
        ("to [emergency relief coordinator] Mark Lowcock the", "Who is Mark Lowcock?", True),
        ("Ida Marlow, the [engineer], built it", "who was Ida Marlow", True),
        ("Ida Marlow was an [engineer] of the town", "Who was Ida Marlow?", True),
        ("a [spokesman] Col Ida Marlow called", "Who is Ida Marlow?", True),
        ("the [engineer] Prof. Dr. Ida Marlow built it", "Who is Ida Marlow?", True),
        ("the [engineer] Dr Ida Marlow built it", "Who is Dr Ida Marlow?", True),
        ("a spokesman [Col] Ida Marlow called", "Who is Ida Marlow?", False),
        ("the engineer [Prof. Dr.] Ida Marlow built it", "Who is Ida Marlow?", False),
        ("the [Colonel] Ida Marlow called", "Who is Ida Marlow?", True),
        ("Ida Marlow built it with the [engineer]", "Who was Ida Marlow?", False),
        ("Ida Marlow, the [engineer], built it", "Who built it?", False),
        ("the [engineer] Ida Marlow built it", "who is ida marlow?", True),
        ("the [engineer] Ida Anna Marlow built it", "Who is Marlow?", True),
        ("the [engineer] Ida Anna Marlow built it", "Who is Anna Marlow?", False),
        ("Ida Marlow, the [engineer], built it", "who is ida marlow?", True),
        ("the [engineer] ida marlow built it", "Who is Ida Marlow?", True),
        ("the [port] mayor saw it", "who is mayor?", False),
    ],
)
def test_what_a_name_is_stands_beside_it(marked: str, question: str, expected: bool) -> None:
    assert is_description(*place(marked), question) is expected


@pytest.mark.parametrize(
    ("marked", "question", "expected"),
    [
        ("the engineer [Ida] Marlow built it", "Who is Marlow?", True),
        ("the engineer [Ida Marlow] built it", "who is marlow?", True),
        ("the engineer [Col Ida] Marlow built it", "Who is Marlow?", True),
        ("the [engineer Ida] Marlow built it", "Who is Marlow?", False),
        ("then [Rock Star Ida] Marlow built it", "Who is Marlow?", False),
        ("[Minister] Marlow built it", "Who is Marlow?", False),
        ("[UKIP] Marlow built it", "Who is Marlow?", False),
        ("the engineer [Ida] Anna Marlow built it", "Who is Marlow?", False),
        ("the engineer [Ida] Marlow built it", "Who built it?", False),
        ("Minister [Ida Marlow] built it", "Who is the Minister?", False),
        ("[Ida] Minister built it", "Who is the Minister?", False),
    ],
)
def test_the_rest_of_a_name_does_not_say_who_it_is(marked: str, question: str, expected: bool) -> None:
    assert is_rest_of_name(*place(marked), question) is expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How long did the Siege last?", {"how", "long", "did", "the", "siege", "last"}),
        ("siege of Ostmark", {"siege", "of", "ostmark"}),
        ("which port did the orchard lose", {"which", "port", "did", "the", "orchard", "lose"}),
        ("Was the siege long?", set()),
        ("shall the port be closed", set()),
        ("Ismail took which port?", {"ismail", "took", "which", "port"}),
        ("Which was longer, the siege or the truce?", set()),
        ("Who won the war between lords and peasants?", set()),
        ("lords vs peasants: who won?", set()),
        ("Who won, lords versus peasants?", set()),
        ("Which of the lords won?", set()),
        ("", set()),
    ],
)
def test_words_of_the_question_answer_nothing_unless_it_gives_a_choice(question: str, expected: set[str]) -> None:
    assert echoed_words(question) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What did Ida Marlow say?", "Ida Marlow"),
        ("what does the WSJ report about the border", "WSJ"),
        ("What has Marlow's sister claimed?", "Marlow's sister"),
        ("What did Ida Marlow of Karst say of the mill on the hill?", "Ida Marlow of Karst"),
        ("What did she say?", ""),
        ("What did Ida Marlow call Karst?", ""),
        ("What did Ida Marlow build?", ""),
        ("Who said that Ida Marlow lied?", ""),
        ("", ""),
    ],
)
def test_whose_words_a_question_asks_for(question: str, expected: str) -> None:
    assert asked_speaker(question) == expected


WORDS = st.lists(st.sampled_from("who is Ida Marlow said that by walls secured , ( the 東京 é".split())).map(" ".join)


@given(text=WORDS, question=WORDS, data=st.data())
def test_any_text_and_place_give_an_answer(text: str, question: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    assert {is_description(text, start, end, question), is_teller(text, start, end, question)} <= {True, False}
