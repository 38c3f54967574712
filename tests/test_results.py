"""Citations and their ids; the JSON of an answer; quotes are slices on any text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.documents import Document, Source, Span
from qa.results import Answer, Citation, CitationKey, Claim, Passage, Quote, Speaker, Verdict

ANY_TEXT = st.text(st.characters(), min_size=1, max_size=300)


@given(raw=ANY_TEXT, data=st.data())
def test_a_quote_is_a_slice_of_the_document_on_any_text(raw: str, data: st.DataObject) -> None:
    document = Document.from_raw(raw, Source("a.txt"))
    if not document.text:
        return
    start = data.draw(st.integers(0, len(document.text) - 1))
    end = data.draw(st.integers(start + 1, len(document.text)))
    answer_start = data.draw(st.integers(start, end))
    answer = Span(answer_start, data.draw(st.integers(answer_start, end)))
    quote = Quote(Citation.from_document(document, Span(start, end)), answer, 0.5)
    plain = json.loads(json.dumps(quote.to_dict()))
    assert document.text[plain["citation"]["start"] : plain["citation"]["end"]] == plain["quote"]
    assert document.text[plain["answer_start"] : plain["answer_end"]] == plain["answer"]


def test_a_citation_id_names_text_range_and_words() -> None:
    document = Document.from_raw("one two three", Source("a.txt"))
    citation = Citation.from_document(document, Span(4, 7))
    key = CitationKey.parse(citation.id)
    assert (key.doc_id, key.span) == (document.doc_id, Span(4, 7))
    assert citation.id == Citation.from_document(Document.from_raw("one two three", Source("b.txt")), Span(4, 7)).id


@pytest.mark.parametrize(
    "wrong", ["", "x", "../../etc/passwd", "0123456789abcdef-5-2-89abcdef", "0123456789abcdef-1-2-89ABCDEF", "é" * 9999]
)
def test_what_is_no_citation_id_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not a citation id"):
        CitationKey.parse(wrong)


@pytest.mark.parametrize("span", [Span(2, 2), Span(0, 4)])
def test_an_empty_or_outside_span_cannot_be_cited(span: Span) -> None:
    with pytest.raises(ValueError, match="is not inside"):
        Citation.from_document(Document.from_raw("abc", Source("a.txt")), span)


def test_answering_words_outside_the_quote_are_refused() -> None:
    citation = Citation.from_document(Document.from_raw("one two three", Source("a.txt")), Span(4, 7))
    with pytest.raises(ValueError, match="inside the quote"):
        Quote(citation, Span(0, 3), 0.5)


def test_the_json_of_an_answer_is_the_documented_one() -> None:
    document = Document.from_raw(
        "The WSJ says 370 died", Source("a.pdf", "T", "Reuters", "2020-02-03", "Anna Weiss", page_starts=(0, 9))
    )
    citation = Citation.from_document(document, Span(0, 21))
    quote = Quote(citation, Span(13, 16), 0.75, Speaker("WSJ", Span(4, 7)))
    passage = Passage(1, 1.0, 0.5, 3.0, citation)
    answer = Answer(
        "how many?", Verdict.ANSWERED, (Claim("370", (quote,)),), (passage,), ("many",), "abc", {"dyed": "died"}
    )
    place = {
        "doc_id": document.doc_id,
        "title": "T",
        "source": "Reuters",
        "path": "a.pdf",
        "also_in": [],
        "author": "Anna Weiss",
        "date": "2020-02-03",
        "page": 1,
        "start": 0,
        "end": 21,
    }
    assert answer.to_dict() == {
        "question": "how many?",
        "verdict": "answered",
        "index_id": "abc",
        "claims": [
            {
                "text": "370",
                "score": 0.75,
                "quotes": [
                    {
                        "quote": "The WSJ says 370 died",
                        "answer": "370",
                        "answer_start": 13,
                        "answer_end": 16,
                        "score": 0.75,
                        "speaker": "WSJ",
                        "speaker_start": 4,
                        "speaker_end": 7,
                        "speaker_via": None,
                        "speaker_via_start": None,
                        "speaker_via_end": None,
                        "citation": {"id": citation.id, **place},
                        "copies": [],
                    }
                ],
            }
        ],
        "related": [
            {
                "rank": 1,
                "score": 1.0,
                "dense_score": 0.5,
                "lexical_score": 3.0,
                "text": "The WSJ says 370 died",
                "citation_id": citation.id,
                **place,
            }
        ],
        "missing_words": ["many"],
        "read_as": {"dyed": "died"},
    }


def test_a_speaker_whose_words_another_hands_on_names_both() -> None:
    document = Document.from_raw("The WSJ cited sources to say 370 died", Source("a.txt"))
    speaker = Speaker("sources", Span(14, 21), Speaker("The WSJ", Span(0, 7)))
    quote = Quote(Citation.from_document(document, Span(0, 37)), Span(29, 32), 0.75, speaker)
    plain = quote.to_dict()
    assert str(speaker) == "sources, cited by The WSJ"
    assert (plain["speaker"], plain["speaker_via"]) == ("sources", "The WSJ")
    assert document.text[plain["speaker_via_start"] : plain["speaker_via_end"]] == "The WSJ"
