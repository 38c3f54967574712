"""An answer taken away as Markdown: renderers show its words, and nothing in them acts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pages import answer, hostile_corpus, news_corpus

from index.documents import Document, Source, Span
from qa.escaping import markdown, visible
from qa.export import blocks
from qa.results import Citation, Claim, Quote, Speaker

TEXTS = st.text(st.sampled_from("ab9 .)(\n\t\\`*_[]<>&~|$#+=:-!^{}\"'/\u202e\u0661é") | st.characters(codec="utf-8"))
RENDERERS = [MarkdownIt("commonmark"), MarkdownIt("gfm-like", {"linkify": False})]
PLAIN = {"text", "softbreak", "hardbreak", "paragraph_open", "paragraph_close", "inline"}


def tokens(text: str, renderer: MarkdownIt) -> Iterator[Token]:
    for token in renderer.parse(text):
        yield token
        yield from token.children or ()


def shown(text: str, renderer: MarkdownIt) -> str:
    """The words a reader sees."""
    pieces = (
        t.content if t.type == "text" else "" if t.type.startswith("strong") else " " for t in tokens(text, renderer)
    )
    return " ".join("".join(pieces).split())


def words(text: str) -> str:
    return " ".join(visible(text).split())


@pytest.mark.parametrize("renderer", RENDERERS, ids=["commonmark", "gfm"])
@given(text=TEXTS)
@example(text="1. one\n2) two\n# three\n- four\n+ five\n    six\n===\n***\n> seven\n| a | b |\n|---|---|\n")
@example(
    text="![i](https://e.example/a.png) <img src=x> [l](javascript:a) [r]: /u\n[r] `c` ~~s~~ &lt; <!-- c --> $x$ a #"
)
def test_markdown_shows_the_words_and_nothing_else_comes_of_them(text: str, renderer: MarkdownIt) -> None:
    escaped = markdown(text)
    assert {token.type for token in tokens(escaped, renderer)} <= PLAIN
    assert shown(escaped, renderer) == words(text)


@pytest.mark.parametrize("renderer", RENDERERS, ids=["commonmark", "gfm"])
@given(text=TEXTS, data=st.data())
def test_bold_words_are_bold_or_plain_but_always_the_words(
    text: str, data: st.DataObject, renderer: MarkdownIt
) -> None:
    start = data.draw(st.integers(0, len(text)))
    bold = slice(start, data.draw(st.integers(start, len(text))))
    escaped = markdown(text, bold)
    assert {token.type for token in tokens(escaped, renderer)} <= PLAIN | {"strong_open", "strong_close"}
    assert shown(escaped, renderer) == words(text)


def test_the_answering_words_are_bold_inside_the_quote() -> None:
    told = news_corpus().answers["How many civilians have died in the fighting?"]
    for quote in told.quotes:
        assert f"**{quote.answer_text}**" in told.to_markdown()


def hostile() -> list[str]:
    corpus = hostile_corpus()
    (told,) = corpus.answers.values()
    missing = answer("<b>who</b>?", related=told.related, missing=("![x](//e)", "a\nb"))
    return [told.to_markdown(), missing.to_markdown()]


@pytest.mark.parametrize("text", hostile(), ids=["answered", "not found"])
@pytest.mark.parametrize("renderer", RENDERERS, ids=["commonmark", "gfm"])
def test_hostile_documents_names_and_questions_do_nothing_in_markdown(text: str, renderer: MarkdownIt) -> None:
    kinds = {token.type for token in tokens(text, renderer)}
    assert not {kind for kind in kinds if re.search("html|image|link|code|fence|table|list|hr|s_", kind)}
    assert "\u202e" not in text
    headings = [token for token in tokens(text, renderer) if token.type == "heading_open"]
    assert len(headings) == (2 if "\n## " in text else 1)  # the question and the claim, none from a document


def test_the_words_of_a_hostile_quote_can_still_be_read() -> None:
    (told,) = hostile_corpus().answers.values()
    for renderer in RENDERERS:
        assert words(told.quotes[0].text) in shown(told.to_markdown(), renderer)


def test_numbers_open_their_citation_on_a_served_page_and_nothing_else_is_a_link() -> None:
    corpus = hostile_corpus()
    (told,) = corpus.answers.values()
    text = "\n\n".join(blocks(told, page="http://127.0.0.1:7860/"))
    links = [token.attrGet("href") for token in tokens(text, RENDERERS[0]) if token.type == "link_open"]
    assert links == [f"http://127.0.0.1:7860/?cite={told.quotes[0].citation.id}"]


def test_copies_and_who_hands_words_on_are_named() -> None:
    document = Document.from_raw("The WSJ cited sources to say 370 died", Source("a.txt"))
    copy = Citation.from_document(Document.from_raw("x 370 died", Source("b.txt")), Span(2, 10))
    speaker = Speaker("sources", Span(14, 21), Speaker("The WSJ", Span(0, 7)))
    quote = Quote(Citation.from_document(document, Span(0, 37)), Span(29, 32), 0.75, speaker, (copy,))
    text = answer("how many?", Claim("370", (quote,))).to_markdown()
    assert "[1] sources, cited by The WSJ · " in text
    assert f"Nearly the same text: x 370 died · b.txt, characters 2-10 · {copy.id}" in text


def test_the_json_is_the_answer_whole() -> None:
    (told,) = hostile_corpus().answers.values()
    assert json.loads(told.to_json()) == told.to_dict()
