"""A citation shows its quote with a clause either side before it is opened."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from index.documents import Span
from ui.preview import REACH, SHOWN, shortened, surroundings


def around(text: str, words: str) -> tuple[str, str]:
    start = text.index(words)
    return surroundings(text, Span(start, start + len(words)))


def test_a_clause_either_side_ends_where_the_text_has_its_marks() -> None:
    text = "It rained for days. The dam held until March, they said. It broke. The valley was flooded; all had fled."
    assert around(text, " It broke.") == ("The dam held until March, they said.", " The valley was flooded;")


def test_text_without_marks_is_cut_between_words_and_says_so() -> None:
    text = f"{'word ' * 60}the quote{' word' * 60}"
    before, after = around(text, "the quote")
    assert before.startswith("… word")
    assert after.endswith("word …")
    assert len(before) <= REACH + 2
    assert len(after) <= REACH + 2


def test_nothing_stands_beyond_the_ends_of_a_text() -> None:
    assert around("The quote", "The quote") == ("", "")
    assert around("Now: the quote!", "the quote") == ("Now: ", "!")


def test_a_long_quote_is_shown_by_its_ends() -> None:
    quote = " ".join(f"w{n}" for n in range(300))
    shown = shortened(quote)
    assert len(shown) <= SHOWN + 3
    assert shown.startswith("w0 w1 ")
    assert shown.endswith(" w298 w299")
    assert " … " in shown
    assert shortened("short") == "short"


@given(st.text(max_size=300), st.integers(0, 300), st.integers(0, 300))
def test_what_stands_around_is_never_made_up(text: str, a: int, b: int) -> None:
    start, end = sorted((min(a, len(text)), min(b, len(text))))
    before, after = surroundings(text, Span(start, end))
    assert before.removeprefix("… ") in text[:start]
    assert after.removesuffix(" …") in text[end:]
