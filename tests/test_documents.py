"""Canonical text, spans and documents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.documents import Document, Source, Span, canonical_text, first_words

ANY_TEXT = st.text(st.characters(), max_size=200)


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("\ufeffword", "word"),
        ("a\x00b", "a\ufffdb"),
        ("a\ud800b", "a\ufffdb"),
        ("e\u0301 é", "e\u0301 é"),
        ("a\u2028b", "a\u2028b"),
        ("  spaces stay  ", "  spaces stay  "),
    ],
)
def test_canonical_text_changes_line_ends_marks_and_what_cannot_be_stored(raw: str, canonical: str) -> None:
    assert canonical_text(raw) == canonical


@given(st.text(st.one_of(st.characters(), st.sampled_from("\r\n\x00\ufeff\ud800\udfff")), max_size=200))
def test_canonical_text_is_stable_and_can_be_encoded(raw: str) -> None:
    once = canonical_text(raw)
    assert canonical_text(once) == once
    assert once.encode().decode() == once


@given(ANY_TEXT)
def test_the_same_text_is_the_same_document_wherever_it_stands(raw: str) -> None:
    one, other = Document.from_raw(raw, Source("a.txt")), Document.from_raw(raw, Source("b/c.txt", title="T"))
    assert one.doc_id == other.doc_id
    assert len(one.doc_id) == 16


def test_a_document_is_called_by_its_title_or_its_first_words() -> None:
    text = "one two three four five six seven eight nine"
    assert Document(text, (Source("a.txt", title="A title"),)).title == "A title"
    assert Document(text, (Source("a.txt"),)).title == "one two three four five six seven eight …"
    assert first_words("short text") == "short text"


def test_a_document_names_its_publisher_or_its_path_as_source() -> None:
    assert Document("x", (Source("a.txt", publisher="Reuters"),)).source == "Reuters"
    assert Document("x", (Source("a.txt"),)).source == "a.txt"


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (3, 2)])
def test_a_span_that_is_no_range_is_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="start <= end"):
        Span(start, end)


def test_spans_that_only_touch_do_not_overlap() -> None:
    assert not Span(0, 3).overlaps(Span(3, 5))
    assert Span(0, 4).overlaps(Span(3, 5))
    assert Span(0, 5).contains(Span(0, 5))
    assert not Span(0, 5).contains(Span(4, 6))


@pytest.mark.parametrize(("offset", "page"), [(0, 1), (4, 1), (5, 3), (9, 4), (100, 4)])
def test_an_offset_stands_on_the_last_page_that_begins_at_or_before_it(offset: int, page: int) -> None:
    document = Document("page1page3 4", (Source("a.pdf", page_starts=(0, 5, 5, 9)),))
    assert document.page(offset) == page


def test_a_text_without_pages_has_no_page_numbers() -> None:
    assert Document("text", (Source("a.txt"),)).page(0) is None
