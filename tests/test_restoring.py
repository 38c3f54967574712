"""Restored marks are for the reader alone: whatever is written in, every character leads back to the text as it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import minilm
from index.errors import ModelError
from qa.restoring import Mark, load_restorer, with_marks
from qa.span_network import make_pairs

STRIPPED = (
    "However the fort was named Fort Duquesne The French who had built it in 1754 lost 1 200 men there Turkey s Erdogan"
    " said so in June He added that the border which is closed would stay closed for years to come according to him"
)


def test_marks_are_written_into_the_spaces_they_fill() -> None:
    restored = with_marks(
        "It ended He said 1 000 of Turkey s 2 5 men left Warsaw Polish Warszawa fell",
        {8: Mark.SENTENCE, 18: Mark.JOINED, 32: Mark.JOINED, 36: Mark.JOINED, 54: Mark.OPENING, 70: Mark.CLOSING},
    )
    assert restored.text == "It ended. He said 1,000 of Turkey's 2.5 men left Warsaw (Polish Warszawa) fell"


@pytest.mark.parametrize(
    "text",
    [
        "held by walls|, trenches|, and guards who shot",
        "Eat apples|, red plums| or figs. Drink, and sleep",
        "x|, y|, z| and w; k|, l| or m",
        "walls and guards, and no trenches",  # no two items before "and"
        "It came on January 27, 1967, and burned",  # a date is no list
    ],
)
def test_lists_part_at_their_commas_and_before_the_last_item(text: str) -> None:
    whole = text.replace("|", "")
    joints = {joint for joints in with_marks(whole, {}).lists for joint in joints}
    assert "".join("|" * (at in joints) + char for at, char in enumerate(whole)) == text


@given(st.text(alphabet="ab 1s", max_size=40), st.data())
def test_every_character_of_a_restored_text_leads_back_to_its_own(text: str, data: st.DataObject) -> None:
    spaces = [at for at, char in enumerate(text) if char == " "]
    marks = data.draw(st.dictionaries(st.sampled_from(spaces), st.sampled_from(list(Mark)[1:]))) if spaces else {}
    restored = with_marks(text, marks)
    assert len(restored.places) == len(restored.text)
    assert list(restored.places) == sorted(restored.places)
    for char, place in zip(restored.text, restored.places, strict=True):
        assert text[place] == (char if char.isalnum() else " ")
    kept = [place for char, place in zip(restored.text, restored.places, strict=True) if char.isalnum()]
    assert kept == [at for at, char in enumerate(text) if char.isalnum()]


@pytest.mark.model
def test_text_with_punctuation_is_read_as_it_is() -> None:
    text = "However, the fort was named Fort Duquesne. The French, who had built it in 1754, lost 1,200 men there."
    assert load_restorer().restore(text).text == text


@pytest.mark.model
def test_text_without_punctuation_gets_sentence_ends_and_joins_back() -> None:
    restored = load_restorer().restore(STRIPPED).text
    assert re.search(r"June\. He added", restored)
    assert "Turkey's Erdogan" in restored
    assert "1,200" in restored


@pytest.mark.model
def test_pieces_of_a_restored_passage_have_their_places_in_the_passage_itself() -> None:
    pair = make_pairs(minilm.load_tokenizer(), ["Who built it?"], [STRIPPED], load_restorer())[0]
    assert "".join(STRIPPED[start:end] for start, end in pair.offsets).replace(" ", "") == STRIPPED.replace(" ", "")
    assert len(pair.passage) > len(minilm.load_tokenizer().encode(STRIPPED, add_special_tokens=False).ids)


def test_altered_weights_are_refused_by_name(tmp_path) -> None:
    path = tmp_path / "marks.safetensors"
    path.write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"marks\.safetensors is damaged"):
        load_restorer(path)
