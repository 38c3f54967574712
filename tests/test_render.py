"""What the page shows: escaped, exact, and honest about what it does not know."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pages import answer, hostile_corpus, news_corpus, passage, quote

from index.documents import Document, Source, Span
from index.scanning import FileNote
from qa import escaping
from qa.results import Answer, Citation, CitationCheck, CitationKey, CitationState, Claim, Speaker
from ui import render, source_pane, strip

TEXTS = st.text(st.characters(codec="utf-8"), max_size=200)


class Parsed(HTMLParser):
    """Tags, attributes and text of HTML, as a parser that is not ours reads them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.inside: dict[str, list[str]] = {}
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "input":
            self._open.append(tag)
        self.inside.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        for tag in set(self._open):
            self.inside[tag][-1] += data


def opened(
    document: Document,
    span: Span,
    *others: Span,
    source_state: str = "unchanged",
    state: CitationState = CitationState.VALID,
    passage: Span | None = None,
) -> source_pane.Opened:
    citation = Citation.from_document(document, span)
    walk = tuple(CitationKey.parse(Citation.from_document(document, other).id) for other in sorted((span, *others)))
    key = CitationKey.parse(citation.id)
    return source_pane.Opened(key, state, citation, document, source_state, passage or span, walk)


def one_document(text: str, **source: Any) -> Document:
    return Document.from_raw(text, Source(source.pop("path", "folder/file.txt"), **source))


# --- escaping -------------------------------------------------------------------------------------------------------


@given(TEXTS)
def test_escaped_text_shows_as_itself_in_html(text: str) -> None:
    parsed = Parsed(f'<p title="{escaping.escape(text)}">{escaping.escape(text)}</p>')
    assert parsed.tags == ["p"]
    assert parsed.text == escaping.visible(text)
    assert parsed.attributes == [("title", escaping.visible(text))]


@given(TEXTS)
def test_escaped_text_means_nothing_in_markdown(text: str) -> None:
    html = f"<p>{escaping.escape(text)}</p>"
    assert MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(html) == html


@given(TEXTS)
def test_escaped_text_means_nothing_in_a_template_literal(text: str) -> None:
    assert not set(escaping.escape(text)) & set("`${}\\")


@given(TEXTS)
def test_nothing_hidden_stays_hidden(text: str) -> None:
    shown = escaping.visible(text + "\u202e\u200b\ufeff\U000e0041\x1b\u2066")
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff\x00\x1b\U000e0041")
    assert shown.endswith("⟦U+202E⟧⟦U+200B⟧⟦U+FEFF⟧⟦U+E0041⟧⟦U+001B⟧⟦U+2066⟧")


@pytest.mark.parametrize("text", ["👨‍👩‍👧", "می‌خواهم", "naïve café", "line\nline\ttab", "ﷺ İ ß"])
def test_what_scripts_and_emoji_need_is_left_alone(text: str) -> None:
    assert escaping.visible(text) == text


def test_a_joiner_that_hides_in_a_word_is_shown() -> None:
    assert escaping.visible("pass\u200dword") == "pass⟦U+200D⟧word"


@given(TEXTS, TEXTS, TEXTS)
def test_no_byte_of_a_document_becomes_markup_in_a_card(text: str, name: str, asked: str) -> None:
    document = one_document(f"a{text}b", title=name, publisher=name, date=name, path=f"f/{name}")
    quoted = quote(document, document.text, document.text)
    safe = quote(one_document("ab", title="t", publisher="s", date="d", path="p"), "ab", "ab")
    card = Parsed(render.answer_card(answer(asked, Claim(name, (quoted,)))))
    plain = Parsed(render.answer_card(answer(asked, Claim("ab", (safe,)))))
    assert [tag for tag in card.tags if tag not in ("span",)] == [tag for tag in plain.tags if tag not in ("span",)]
    assert {name for name, _ in card.attributes} <= {"class", "dir", "href", "title", "tabindex", "type"}
    assert card.inside["blockquote"] == [escaping.visible(document.text)]


def test_a_card_is_one_line_and_one_block_for_markdown() -> None:
    for each in hostile_corpus().answers.values():
        card = render.answer_card(each)
        assert "\n" not in card
        assert MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(card) == card


def test_line_breaks_in_names_and_paths_are_spelled_out() -> None:
    assert Parsed(escaping.one_line("a\nb\x1b[31m")).text == "a⟦U+000A⟧b⟦U+001B⟧[31m"


def test_a_question_far_too_long_is_not_echoed_whole() -> None:
    assert len(render.question("x" * 10_000)) < 400


# --- the answer card ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def differs() -> Answer:
    return news_corpus().answers["How many civilians have died in the fighting?"]


def test_sources_that_differ_are_counted_and_shown_apart(differs: Answer) -> None:
    card = Parsed(render.answer_card(differs))
    assert card.inside["h2"] == ["Sources differ: 2 claims"]
    assert card.inside["h3"] == ["nearly 370", "412"]


def test_the_answering_words_are_bold_and_the_quote_is_verbatim(differs: Answer) -> None:
    card = Parsed(render.answer_card(differs))
    assert card.inside["strong"] == ["nearly 370", "412"]
    assert card.inside["blockquote"] == [each.text for each in differs.quotes]


def test_a_claim_that_is_its_whole_quote_is_not_said_twice() -> None:
    documents = [one_document(text) for text in ("It was 370.", "It was 412.")]
    claims = [Claim(each.text, (quote(each, each.text, each.text),)) for each in documents]
    card = Parsed(render.answer_card(answer("q", claims[0])))
    assert card.text.count("It was 370.") == 1
    assert not {"h3", "strong"} & set(card.tags)
    assert Parsed(render.answer_card(answer("q", *claims))).inside["h3"] == ["Claim 1", "Claim 2"]


def test_the_byline_names_speaker_source_and_date(differs: Answer) -> None:
    card = Parsed(render.answer_card(differs))
    assert card.inside["bdi"][:2] == ["The WSJ", "seeds/000_fd202e94ced50b5a.txt"]
    assert "Committee on Relief3 Mar 2017" in card.inside["div"][-2]


def test_the_byline_says_who_hands_a_speaker_s_words_on() -> None:
    document = one_document("<b>WSJ cited sources to say 370 died")
    one = quote(document, document.text, "370", "sources")
    handed_on = replace(one, speaker=Speaker("sources", Span(13, 20), Speaker("<b>WSJ", Span(0, 6))))
    card = Parsed(render.answer_card(answer("q", Claim("370", (handed_on,)))))
    assert card.inside["bdi"][0] == "sources, cited by <b>WSJ"
    assert "b" not in card.tags


def test_the_byline_names_the_author_escaped_and_shortened() -> None:
    for author, shown in (("Jane <b>Doe", "Jane <b>Doe"), ("Many Names, " * 40, f"{'Many Names, ' * 6}Many Nam …")):
        document = Document("It was 370.", (Source("a.txt", publisher="The Hall", author=author, date="2017-03-03"),))
        card = Parsed(render.answer_card(answer("q", Claim("370", (quote(document, document.text, "370"),)))))
        assert card.inside["bdi"][:2] == ["The Hall", shown]
        assert "b" not in card.tags


def test_chips_are_numbered_and_are_their_own_links(differs: Answer) -> None:
    card = Parsed(render.answer_card(differs))
    assert card.inside["a"] == ["Open citation 1", "Open citation 2"]
    links = [value for name, value in card.attributes if name == "href"]
    assert links == [f"?cite={each.citation.id}" for each in differs.quotes]


def test_copies_fold_and_a_long_list_of_them_is_cut() -> None:
    sources = tuple(Source(f"f/{n:03}.txt") for n in range(31))
    copied = quote(Document("Some words.", sources), "Some words.", "words")
    card = Parsed(render.answer_card(answer("q", Claim("words", (copied,)))))
    assert card.inside["summary"] == ["same text in 30 more files", "Feedback"]
    assert card.inside["li"][0] == "f/001.txt"
    assert card.inside["li"][-1] == "and 10 more"


def test_near_copies_fold_into_links_of_their_own_without_a_number_and_escaped() -> None:
    held, copy = one_document("Some words."), Document("Some words again.", (Source("<img src=x>.txt"),))
    citation = Citation.from_document(copy, Span(0, 10))
    folded = replace(quote(held, "Some words.", "words"), copies=(citation,))
    card = Parsed(render.answer_card(answer("q", Claim("words", (folded,)))))
    assert card.inside["summary"] == ["Feedback", "nearly the same text in 1 more document"]
    assert card.inside["li"] == ["<img src=x>.txt"]
    assert ("href", f"?cite={citation.id}") in card.attributes
    assert card.inside["a"] == ["Open citation 1", "<img src=x>.txt"]
    assert "img" not in card.tags


@pytest.mark.parametrize(
    ("documents", "line"),
    [
        (["One answer."], "Answered by one quote"),
        (["One answer. One answer again."], "Answered by 2 quotes from one document"),
        (["One answer.", "One answer too."], "Answered by 2 quotes from 2 documents"),
    ],
)
def test_the_verdict_says_how_many_agree(documents: list[str], line: str) -> None:
    held = [one_document(text) for text in documents]
    quotes = [quote(document, document.text[:11], "answer") for document in held]
    if "again" in documents[0]:
        quotes.append(quote(held[0], "One answer again.", "answer"))
    assert render.verdict_line(answer("q", Claim("answer", tuple(quotes)))) == line


def test_not_found_names_missing_words_and_folds_the_closest_passages() -> None:
    document = one_document("Something else entirely.")
    near = passage(document, "Something else")
    card = Parsed(render.answer_card(answer("q", related=(near,), missing=("zucchini", "<b>"))))
    assert card.inside["h2"] == ["Not in the documents"]
    assert card.inside["p"] == ["These words of the question stand nowhere in them: zucchini, <b>."]
    assert card.inside["summary"] == ["Closest passages (not answers)"]
    assert card.inside["a"] == ["Open citation 1"]
    assert "open" not in dict(card.attributes)


def test_words_read_as_others_are_told_and_do_nothing() -> None:
    misread = replace(answer("who?", related=()), read_as={"<b>Idlbi": "Idlib<script>"})
    parsed = Parsed(render.answer_card(misread))
    assert "“<b>Idlbi” stands nowhere in the documents and was read as “Idlib<script>”." in parsed.text
    assert not {"b", "script"}.intersection(parsed.tags)


def test_not_found_without_missing_words_claims_nothing_about_words() -> None:
    assert Parsed(render.answer_card(answer("q"))).inside["p"] == [
        "The documents use these words, but no passage answers the question."
    ]


def test_a_passage_that_holds_a_quote_is_not_listed_as_another() -> None:
    document = one_document("One answer. And more.")
    near = (passage(document, "One answer. And"), passage(document, "more.", 2))
    card = Parsed(
        render.answer_card(answer("q", Claim("answer", (quote(document, "One answer.", "answer"),)), related=near))
    )
    assert card.inside["blockquote"] == ["One answer.", "more."]


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("Turkey s Erdogan is now petitioning the US and NATO", True),
        ("Turkey's Erdogan is now petitioning the US and NATO.", False),
        ("The phrase is short", False),
        ("", False),
        ("これは句読点のある文です。 a b c d e f g", False),
    ],
)
def test_text_without_punctuation_is_told_from_text_with(text: str, raw: bool) -> None:
    assert escaping.is_raw_text(text) is raw


def test_dates_are_written_out_and_odd_ones_left() -> None:
    assert escaping.day("2017-03-03") == "3 Mar 2017"
    assert escaping.day("around 2017") == "around 2017"


# --- the reader -----------------------------------------------------------------------------------------------------


@given(TEXTS, st.data())
def test_the_mark_holds_exactly_the_cited_characters(text: str, data: st.DataObject) -> None:
    document = one_document(f"{text}x")
    ends = st.integers(0, len(document.text))
    spans = [Span(*sorted(data.draw(st.tuples(ends, ends)))) for _ in range(3)]
    cited = [span for span in spans if span] or [Span(0, 1)]
    shown = Parsed(source_pane.source(opened(document, *cited)))
    marked = "".join(shown.inside["mark"])
    assert marked.count("⟦") or marked == cited[0].of(document.text)
    assert marked == "".join(escaping.visible(part) for part in _parts(cited[0], document))


def _parts(span: Span, document: Document) -> list[str]:
    blocks = source_pane.blocks_of(document.text, 0, len(document.text))
    clipped = [(max(span.start, b.start), min(span.end, b.end)) for b in blocks if b.overlaps(span)]
    return [document.text[start:end] for start, end in clipped]


@given(st.text(st.sampled_from("ab \n"), max_size=300), st.integers(0, 300), st.integers(0, 300))
def test_blocks_lose_no_character(text: str, start: int, end: int) -> None:
    start, end = sorted((min(start, len(text)), min(end, len(text))))
    assert "".join(block.of(text) for block in source_pane.blocks_of(text, start, end)) == text[start:end]


def test_a_very_long_line_is_broken_at_spaces_or_hard() -> None:
    text = "word " * 10_000 + "x" * 50_000
    blocks = list(source_pane.blocks_of(text, 0, len(text)))
    assert "".join(block.of(text) for block in blocks) == text
    assert max(len(block) for block in blocks) <= 2 * source_pane.LINE


def test_other_cited_spans_are_outlined_around_the_mark() -> None:
    document = one_document("0123456789")
    shown = Parsed(source_pane.source(opened(document, Span(4, 6), Span(1, 5), Span(2, 8), Span(9, 10))))
    assert shown.inside["mark"] == ["45"]
    assert source_pane.outlined([Span(1, 5), Span(2, 8), Span(9, 10)], Span(4, 6), 10) == [
        Span(1, 4),
        Span(6, 8),
        Span(9, 10),
    ]
    assert "".join(block for block in shown.inside["div"] if block.endswith("789")).endswith("0123456789")


def test_outlines_made_for_a_longer_text_stay_inside_this_one() -> None:
    assert source_pane.outlined([Span(5, 900), Span(950, 990)], Span(1, 2), 10) == [Span(5, 10)]


def test_the_head_says_title_date_path_range_and_place_among_the_citations() -> None:
    document = one_document("One two three", title="A <title>", date="2017-03-03")
    shown = Parsed(source_pane.source(opened(document, Span(4, 7), Span(0, 3), Span(8, 13))))
    assert shown.inside["h2"] == ["A <title>"]
    assert "3 Mar 2017 · folder/file.txt · characters 4–7" in shown.inside["p"]
    assert shown.inside["nav"] == ["Citation 2 of 3PreviousNextClose"]


@pytest.mark.parametrize("length", [6, 3 * source_pane.BLOCK])
def test_the_passage_around_the_mark_is_set_apart_and_no_character_is_lost(length: int) -> None:
    line = "x" * (length - 1) + "\n"
    text = f"{line * 5}<b>cited</b>{line * 5}"
    start = text.index("cited")
    passage = Span(start - length - 3, start + length + 9)
    html = source_pane.source(opened(one_document(text), Span(start, start + 5), Span(2, 4), passage=passage))
    inside = "".join(re.findall(r'<span class="passage">(.*?)</span>', html, re.DOTALL))
    assert Parsed(inside).text == passage.of(text)
    assert inside.count("<mark") == 1
    assert Parsed(html[html.index('<div class="source-text">') :]).text == text


def test_the_page_of_a_paged_document_is_shown_beside_its_characters() -> None:
    document = one_document("One two three", page_starts=(0, 4))
    head = Parsed(source_pane.source(opened(document, Span(4, 7))))
    assert "folder/file.txt · page 2 · characters 4–7" in head.inside["p"]
    assert Citation.from_document(document, Span(4, 7)).place == "page 2, characters 4-7"
    assert Citation.from_document(one_document("One two"), Span(0, 3)).place == "characters 0-3"


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("unchanged", "matches the file"),
        ("changed", "changed on disk since it was indexed; this is the indexed text"),
        ("missing", "no longer on disk; this is the indexed text"),
    ],
)
def test_the_head_says_whether_the_file_is_still_the_same(state: str, sentence: str) -> None:
    shown = Parsed(source_pane.source(opened(one_document("One two"), Span(0, 3), source_state=state)))
    assert sentence in shown.inside["p"]


def test_a_moved_citation_says_so() -> None:
    document = one_document("One two")
    assert "have moved" not in source_pane.source(opened(document, Span(0, 3)))
    assert "have moved" in source_pane.source(opened(document, Span(0, 3), state=CitationState.MOVED))


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (CitationState.CHANGED, "f/<a>.txt has changed: it no longer holds the words this citation was made for."),
        (
            CitationState.DELETED,
            "The words of this citation are no longer in the index: f/<a>.txt was removed from it.",
        ),
    ],
)
def test_a_citation_that_is_gone_is_explained(state: CitationState, sentence: str) -> None:
    assert sentence in Parsed(source_pane.source_gone(CitationCheck("id", state, None, "f/<a>.txt"))).text


def test_a_huge_document_is_shown_around_the_citation() -> None:
    document = one_document("word " * 200_000)
    shown = source_pane.source(opened(document, Span(500_000, 500_004)))
    assert "400,000 characters before this are not shown" in Parsed(shown).text
    assert "399,996 characters after this are not shown" in Parsed(shown).text
    assert len(shown) < 600_000


# --- the strip ------------------------------------------------------------------------------------------------------


def test_the_strip_lists_skipped_files_with_their_reasons_escaped() -> None:
    corpus = news_corpus()
    corpus.notes = (
        FileNote("docs/<img src=x>.pdf", "password-protected"),
        FileNote("docs/fine.txt", "hidden characters", skipped=False),
        *(FileNote(f"docs/{n}.bin", "looks binary") for n in range(strip.SKIPPED_LISTED)),
    )
    html = strip.status_strip(corpus.status())
    shown = Parsed(html)
    assert shown.inside["summary"] == ["51 files skipped"]
    assert shown.inside["li"][0] == "docs/<img src=x>.pdf password-protected"
    assert shown.inside["li"][-1] == "and 1 more: pincite status"
    assert "img" not in shown.tags
    assert "fine.txt" not in html


def test_the_strip_says_what_is_indexed() -> None:
    shown = Parsed(strip.status_strip(news_corpus().status()))
    assert shown.inside["p"] == ["2 documents · newest 3 Mar 2017 · index a1b2c3 · offline"]
