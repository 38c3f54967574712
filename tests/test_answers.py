"""Marked words become whole things, inside the segments they touch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.documents import Span
from index.segmenting import segment
from qa.answers import whole_answer

ANY_TEXT = st.lists(
    st.one_of(
        st.sampled_from(
            "up to three million nearly 370 700 000 Col Myles s al Sham $ 5 % December 1 of and . (".split()
        ),
        st.text(max_size=6),
    ),
    max_size=25,
).map(" ".join)


def whole(text: str, marked: str, question: str = "", *, segments: tuple[Span, ...] | None = None) -> str:
    at = text.index(marked)
    spans = segments or (Span(0, len(text)),)
    return whole_answer(text, Span(at, at + len(marked)), spans, question=question).of(text)


@pytest.mark.parametrize(
    ("text", "marked", "expected"),
    [
        ("the province at up to three million", "three", "up to three million"),
        ("at 700 000 since then", "700", "700 000"),
        ("at 700 000 since then", "000", "700 000"),
        ("say that nearly 370 civilians died", "370", "nearly 370"),
        ("say that some 370 civilians died", "370", "some 370"),
        ("prices rose 5 percent in a year", "5", "5 percent"),
        ("prices rose about 5% in a year", "5", "about 5%"),
        ("it cost US$5 million then", "5", "US$5 million"),
        ("it cost €1,200 then", "1,200", "€1,200"),
        ("in 1755 300 men came", "1755", "1755"),
        ("it began on December 1 there", "1", "December 1"),
        ("it began in December 1944 there", "December", "December"),
        ("it began in December 1944 there", "1944", "December 1944"),
        ("it began on 4 May 1754 there", "1754", "4 May 1754"),
        ("the palace rebuilt 1775 1795 stands", "1775", "1775 1795"),
        ("the palace rebuilt 1775 1795 stands", "1795", "1775 1795"),
    ],
)
def test_a_number_comes_with_all_its_digits_its_unit_and_how_exact_it_is(text: str, marked: str, expected: str) -> None:
    assert whole(text, marked) == expected


@pytest.mark.parametrize(
    ("text", "marked", "question", "expected"),
    [
        ("lies roughly 260 kilometres 160 mi from it", "260 kilometres 160 mi", "How far?", "roughly 260 kilometres"),
        ("covers 100 square km 39 sq miles", "100 square km 39 sq miles", "How large?", "100 square km"),
        ("lies 523 km 325 mi east", "523 km 325 mi", "How many miles east is it?", "325 mi"),
        ("lies 523 km 325 mi east", "523 km 325 mi", "How far in the east is it?", "523 km"),
        ("lies 523 km (325 mi) east.", "523 km (325 mi)", "How far?", "523 km (325 mi)"),  # nothing is lost here
        ("fell from 20 feet 3 m or 4 feet", "20 feet 3 m or 4 feet", "How far?", "20 feet 3 m or 4 feet"),
        ("it is 5 feet 3 inches high", "5 feet 3 inches", "How high?", "5 feet 3 inches"),  # one measure
        ("after 5 km the mi was left", "5 km the mi", "What?", "5 km the mi"),  # the second is no amount
    ],
)
def test_an_amount_is_said_in_one_unit(text: str, marked: str, question: str, expected: str) -> None:
    assert whole(text, marked, question) == expected


@pytest.mark.parametrize(
    ("text", "marked", "expected"),
    [
        ("US spokesman Col Myles Caggins called it", "Myles Caggins", "Col Myles Caggins"),
        ("US spokesman Col Myles Caggins called it", "Caggins", "Col Myles Caggins"),
        ("in Paris Louis XV ruled", "Louis XV", "Louis XV"),
        ("the faction Hayat Tahrir al Sham has", "Hayat Tahrir", "Hayat Tahrir al Sham"),
        ("then Guy de Lusignan came", "Lusignan", "Guy de Lusignan"),
        ("Turkey s Erdogan is now asking", "Erdogan", "Turkey s Erdogan"),
        ("Turkey's Erdogan is now asking", "Erdogan", "Turkey's Erdogan"),
        ("asked by The President of it", "President", "President"),
    ],
)
def test_a_name_comes_with_its_titles_and_all_its_parts(text: str, marked: str, expected: str) -> None:
    assert whole(text, marked, "Who is it?") == expected


@pytest.mark.parametrize(
    ("text", "marked", "expected"),
    [
        ("In 1920 it held out, alone, against the Red Army of Russia.", "Red", "Red Army"),
        ("At noon, it met Mohawk Chief Hendrick, the speaker.", "Hendrick", "Mohawk Chief Hendrick"),
        ("Then, in Said's Orientalism, it is told.", "Orientalism", "Orientalism"),
        ("Then, by Newton's First Law, it goes on.", "Newton's", "Newton's"),
        ("Now, on the river Vistula, Warsaw lies.", "Vistula", "Vistula"),
        ("Now, on the Tamber River, it lies.", "Tamber", "Tamber"),
        ("Senate Slams Iran Deal As Members Plan Vote, Again.", "Iran", "Iran"),
    ],
)
def test_in_text_with_punctuation_a_name_comes_with_the_capitals_beside_it(
    text: str, marked: str, expected: str
) -> None:
    assert whole(text, marked, "Which river?") == expected


@pytest.mark.parametrize("question", ["What is Marlow's first name?", "What is Marlow’s first name?"])
def test_the_name_that_the_question_says_whose_it_is_is_not_taken_in(question: str) -> None:
    assert whole("Then, at noon, Ida Marlow left it.", "Ida", question) == "Ida"


def test_a_description_of_the_name_asked_about_comes_with_whose_it_is() -> None:
    text = "in what United Nations emergency relief coordinator Mark Lowcock called the biggest story"
    marked = "emergency relief coordinator"
    assert whole(text, marked, "Who is Mark Lowcock?") == "United Nations emergency relief coordinator"
    assert whole(text, marked, "Who called it so?") == marked


def test_first_names_do_not_belong_to_a_description() -> None:
    text, marked = "This is why spokesman Col Myles Caggins called Idlib a magnet", "spokesman Col Myles"
    assert whole(text, marked, "Who is Caggins?") == "spokesman"
    assert whole(text, marked, "Who called it so?") == marked


def test_without_punctuation_two_names_side_by_side_stay_two() -> None:
    assert whole("In winter the whole council of Albany Abercrombie wrote refused it", "Abercrombie") == "Abercrombie"


@pytest.mark.parametrize(
    ("text", "marked", "expected"),
    [
        ("the capital of Poland", "capital of", "capital"),
        ("a group which rules the town", "a group which rules", "a group"),
        ("a group which rules the town", "group which rules the town", "group which rules the town"),
        ("it was him who did it", "who did", "did"),
        ("then The Who played there", "The Who played", "The Who played"),
        ("Warsaw and Vienna", "and Vienna", "Vienna"),
        ("what is held by the", "held by the", "held"),
        ("of the", "of the", "of"),
        ("a spokesman Col Ida Marlow", "spokesman Col", "spokesman"),
        ("the envoy Dr. Ida Marlow", "envoy Dr", "envoy"),
        ("the shop in Main St Karst", "Main St", "Main St"),
    ],
)
def test_no_joining_word_is_left_hanging(text: str, marked: str, expected: str) -> None:
    assert whole(text, marked) == expected


def test_a_deed_comes_with_what_it_is_done_to() -> None:
    text = "as Assad has vowed to liberate every inch of the country while others fled"
    assert whole(text, "liberate", "What has Assad vowed to do?") == "liberate every inch of the country"
    assert whole(text, "liberate", "Which word is used?") == "liberate"
    assert whole("they vote. At noon they leave", "vote", "What do they do?") == "vote"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What did Lowcock say?", "as fast becoming the worst horror of the century"),
        ("What does Mark Lowcock say about it?", "as fast becoming the worst horror of the century"),
        ("What did Assad say?", "fast"),
        ("What is Lowcock?", "fast"),
    ],
)
def test_what_somebody_says_comes_whole(question: str, expected: str) -> None:
    text = "many died in what Mark Lowcock has described as fast becoming the worst horror of the century"
    assert whole(text, "fast", question) == expected


def test_of_what_somebody_says_more_than_a_few_words_stay_and_what_has_no_end_is_not_taken() -> None:
    text = "Mark Lowcock said that the long war which he saw has driven away so many"
    assert whole(text, "the long war which he saw", "What did Lowcock say?") == "the long war which he saw"
    assert whole(text, "the long war", "What did Lowcock say?") == "the long war which he saw has driven away so many"
    endless = text + " and more" * 20
    assert whole(endless, "the long war", "What did Lowcock say?") == "the long war"


def test_what_the_question_names_is_not_taken_in() -> None:
    assert whole("it is about 300 km away", "300", "How many kilometres is it away?") == "about 300 km"
    assert whole("it is 300 kilometres away", "300", "How many kilometers is it away?") == "300"
    assert whole("about 300 men came", "300", "About how many men came?") == "300"
    assert whole("then President Eliot came", "Eliot", "Which president came?") == "Eliot"


def test_the_whole_never_reaches_into_another_segment() -> None:
    text = "the total is nearly 370 civilians"
    assert whole(text, "370", segments=(Span(0, 19), Span(20, 33))) == "370"


@given(text=ANY_TEXT, question=ANY_TEXT, data=st.data())
def test_on_any_text_the_whole_stays_inside_what_the_marked_words_touch(
    text: str, question: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text)))
    marked = Span(start, data.draw(st.integers(start, len(text))))
    segments = segment(text)
    found = whole_answer(text, marked, segments, question=question)
    touched = [one for one in segments if one.overlaps(marked)]
    low = min([marked.start, *(one.start for one in touched)])
    high = max([marked.end, *(one.end for one in touched)])
    assert low <= found.start <= found.end <= high
    assert bool(found) == bool(marked)
    if touched:
        assert whole_answer(text, found, segments, question=question).overlaps(found) or not found
