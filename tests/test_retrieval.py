"""From a question to passages: order, filters, bounds, and the words found nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Build, StubEncoder, StubReader

from index.snapshot import Snapshot
from qa.corpus import Corpus
from qa.errors import QuestionError
from qa.retrieval import Filters, content_terms, lexical_terms


def test_the_passage_with_the_words_comes_first(corpus: Corpus) -> None:
    passages = corpus.retrieve("Which cheese comes from France?")
    assert passages[0].citation.path == "docs/cheese.txt"
    assert [passage.rank for passage in passages] == [1, 2, 3]
    assert [p.score for p in passages] == sorted((p.score for p in passages), reverse=True)


def test_every_passage_is_the_slice_it_names(corpus: Corpus) -> None:
    for passage in corpus.retrieve("rivers and cheese on Mars"):
        assert corpus.document(passage.doc_id).text[passage.span.start : passage.span.end] == passage.text


@pytest.mark.parametrize(("k", "count"), [(-1, 1), (0, 1), (1, 1), (2, 2), (10**9, 3)])
def test_k_is_brought_into_bounds(corpus: Corpus, k: int, count: int) -> None:
    assert len(corpus.retrieve("anything", k)) == count


def test_a_deeper_ranking_begins_with_the_shallow_one(corpus: Corpus) -> None:
    shallow, deep = corpus.retrieve("Danube cheese", 1), corpus.retrieve("Danube cheese", 3)
    assert shallow == deep[:1]


def test_passages_print_readably(corpus: Corpus) -> None:
    printed = repr(corpus.retrieve("Danube", 1))
    assert "1. [1.000] 'The Danube flows through Vienna." in printed
    assert "docs/rivers.txt · citation" in printed


@pytest.mark.parametrize(
    ("filters", "paths"),
    [
        (Filters(sources=("docs/*.md",)), {"docs/space.md"}),
        (Filters(sources=("docs/r*", "docs/c*")), {"docs/rivers.txt", "docs/cheese.txt"}),
        (Filters(date_from="2021-01-01", date_to="2021-12-31"), {"docs/space.md"}),
        (Filters(date_from="2022-01-01"), set()),
        (Filters(sources=("*cheese*",), date_to="2022-01-01"), set()),
        (Filters(), {"docs/space.md", "docs/rivers.txt", "docs/cheese.txt"}),
    ],
)
def test_filters_choose_documents(corpus: Corpus, filters: Filters, paths: set[str]) -> None:
    found = {passage.citation.path for passage in corpus.retrieve("Danube cheese Mars", filters=filters)}
    assert found == paths


def test_a_document_filter_takes_ids(corpus: Corpus) -> None:
    wanted = corpus.retrieve("Mars", 1)[0].doc_id
    assert {p.doc_id for p in corpus.retrieve("cheese", filters=Filters(documents=(wanted,)))} == {wanted}


def test_a_publisher_can_be_filtered_for(build: Build, folder: Path, index_dir: Path, encoder: StubEncoder) -> None:
    (folder / "news.jsonl").write_text('{"text": "Storm over Crete.", "source": "Reuters"}\n')
    build()
    found = Corpus.open(index_dir, encoder=encoder, reader=StubReader()).retrieve(
        "storm", filters=Filters(sources=("Reut*",))
    )
    assert [passage.source for passage in found] == ["Reuters"]


def test_a_filter_that_is_no_date_is_refused() -> None:
    with pytest.raises(QuestionError, match="write it as 2017-03-03"):
        Filters(date_from="3 March")


@pytest.mark.parametrize("question", ["", "   ", "?!…", "\x00\n"])
def test_a_question_without_a_word_is_refused(corpus: Corpus, question: str) -> None:
    with pytest.raises(QuestionError, match="Please type a question"):
        corpus.retrieve(question)


def test_a_question_over_the_limit_is_refused(corpus: Corpus) -> None:
    with pytest.raises(QuestionError, match=r"1,000,000 characters; at most 4,000"):
        corpus.retrieve("a" * 1_000_000)


@pytest.mark.parametrize(
    "question", ['" OR *', "(((why", "text:x AND", "\ud800 word", "a\x00b", "你好吗", "كيف", "x" * 4000]
)
def test_any_other_question_is_searched(corpus: Corpus, question: str) -> None:
    assert len(corpus.retrieve(question)) == 3


def test_content_words_carry_their_rarity(build: Build, index_dir: Path) -> None:
    build()
    terms = content_terms("Where does the Danube flow to, and the Volga?", Snapshot.open(index_dir).lexical)
    assert [(term.word, term.chunk_frequency) for term in terms] == [("Danube", 1), ("flow", 1), ("Volga", 0)]
    assert terms[2].idf > terms[0].idf > 0


def test_what_kind_of_thing_a_question_asks_for_is_no_content_word() -> None:
    assert lexical_terms("Which countries share the Danube?") == ["share", "danub"]
    assert lexical_terms("In what year did the country share it?") == ["countri", "share"]
    assert lexical_terms("What kind?") == ["what", "kind"]


def test_a_question_of_common_words_alone_is_still_looked_up() -> None:
    assert lexical_terms("who is it?") == ["who", "is", "it"]
    assert lexical_terms("who controls the controls of Idlib?") == ["control", "idlib"]


@pytest.mark.parametrize("question", ["where is Orl\u00e9ans", "where is Orle\u0301ans"])
@pytest.mark.parametrize("text", ["Orl\u00e9ans lies on the Loire.", "Orle\u0301ans lies on the Loire."])
def test_composed_and_decomposed_letters_find_each_other_and_texts_stay_as_they_are(
    build: Build, folder: Path, index_dir: Path, encoder: StubEncoder, question: str, text: str
) -> None:
    (folder / "orleans.txt").write_text(text)
    build()
    found = {passage.text: passage for passage in Corpus.open(index_dir, encoder=encoder).retrieve(question)}
    assert found[text].lexical_score > 0
