"""What a notebook shows: escaped, the answering words marked, nothing that runs, no colour of its own."""

from __future__ import annotations

import re

import pytest
from pages import answer, hostile_corpus, news_corpus
from test_render import Parsed

from qa.corpus import Corpus
from qa.escaping import visible

HARMLESS = {"div", "p", "b", "i", "blockquote", "mark", "bdi", "code", "br", "table", "tr", "th", "td"}


def shows() -> list[str]:
    (told,) = hostile_corpus().answers.values()
    missing = answer("<b>who</b>?", related=told.related, missing=("<svg onload=x>", "a\nb"))
    return [shown._repr_html_() for shown in (told, missing, told.related[0])]


@pytest.mark.parametrize("html", shows(), ids=["answered", "not found", "passage"])
def test_hostile_documents_names_and_questions_do_nothing(html: str) -> None:
    parsed = Parsed(html.replace("<br>", ""))
    assert set(parsed.tags) <= HARMLESS
    assert {name for name, _ in parsed.attributes} <= {"class", "style", "dir"}
    assert all(value == visible(value or "") for _, value in parsed.attributes)
    assert "url(" not in html
    assert "\u202e" not in html


@pytest.mark.parametrize("html", shows(), ids=["answered", "not found", "passage"])
def test_every_colour_is_the_notebooks_or_see_through(html: str) -> None:
    colours = re.findall(r"(?:color|background|border[a-z-]*): ?([^;\"]*)", html)
    assert colours
    assert all(colour == "inherit" or re.search(r"rgba\(.*, \.\d+\)$", colour) for colour in colours)


def test_quotes_are_whole_and_the_answering_words_are_marked() -> None:
    told = news_corpus().answers["Who rules Idlib on the ground?"]
    parsed = Parsed(told._repr_html_())
    assert parsed.inside["blockquote"] == [quote.text for quote in told.quotes]
    assert parsed.inside["mark"] == [quote.answer_text for quote in told.quotes]
    assert all(quote.citation.id in parsed.inside["code"] for quote in told.quotes)


def test_what_is_not_in_the_documents_is_said_and_near_passages_are_not_marked() -> None:
    near = news_corpus().related
    parsed = Parsed(answer("Who won?", related=near, missing=("won",))._repr_html_())
    assert "Not in the documents. Found nowhere: won. Closest passages, not answers:" in parsed.text
    assert parsed.inside["blockquote"] == [passage.text for passage in near]
    assert "mark" not in parsed.inside


def test_a_corpus_says_what_is_indexed(corpus: Corpus) -> None:
    parsed = Parsed(corpus._repr_html_())
    cells = dict(zip(parsed.inside["th"], parsed.inside["td"], strict=True))
    assert (cells["documents"], cells["newest"]) == ("3", "2021-02-18")
    assert corpus.status().index_id in cells["index"]
    assert repr(corpus) == f"Corpus({str(corpus.status().index_dir)!r})"


def test_a_corpus_whose_index_is_gone_says_so_and_does_not_raise(corpus: Corpus) -> None:
    (corpus.status().index_dir / "corpus.sqlite").unlink()
    assert "There is no index in" in Parsed(corpus._repr_html_()).text
