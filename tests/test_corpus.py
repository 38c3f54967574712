"""`Corpus`: answers belong to one generation, follow the index, and their citations can be checked later."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from conftest import Build, StubEncoder, StubReader

import qa.corpus
from index.documents import Span
from index.errors import DocumentNotFound, IndexEmpty, IndexMismatch, IndexNotFound
from index.store import FILE_NAME, Store
from qa import Corpus, Verdict, ask, retrieve
from qa.results import Answer, Citation, CitationState


def cited(answer: Answer) -> str:
    return answer.quotes[0].citation.path


def test_a_question_is_answered_with_a_quote_from_the_right_document(corpus: Corpus) -> None:
    answer = corpus.ask("Which river flows through Vienna?")
    assert answer.verdict is Verdict.ANSWERED
    assert cited(answer) == "docs/rivers.txt"
    assert "Danube" in answer.claims[0].quotes[0].text


def test_what_is_not_there_is_not_answered_and_its_words_are_named(corpus: Corpus) -> None:
    answer = corpus.ask("Who won the World Cup in Brazil?")
    assert (answer.verdict, answer.claims) == (Verdict.NOT_FOUND, ())
    assert answer.missing_words == ("won", "World", "Cup", "Brazil")
    assert answer.related


def test_every_quote_is_the_slice_it_names(corpus: Corpus) -> None:
    for question in ("Which river flows through Cologne?", "Which cheese is Dutch?", "What landed on Mars?"):
        for quote in corpus.ask(question).quotes:
            text = corpus.document(quote.citation.doc_id).text
            assert text[quote.citation.span.start : quote.citation.span.end] == quote.text
            assert text[quote.answer.start : quote.answer.end] == quote.answer_text


def test_the_same_question_gives_the_same_answer(corpus: Corpus, index_dir: Path, encoder: StubEncoder) -> None:
    first = corpus.ask("Which river flows through Vienna?").to_dict()
    assert (
        Corpus.open(index_dir, encoder=encoder, reader=StubReader()).ask("Which river flows through Vienna?").to_dict()
        == first
    )


def test_an_open_corpus_answers_from_a_new_file_without_reopening(corpus: Corpus, build: Build, folder: Path) -> None:
    before = corpus.ask("Which volcano stands in Sicily?")
    (folder / "etna.txt").write_text("Etna is a volcano that stands in Sicily.")
    build()
    after = corpus.ask("Which volcano stands in Sicily?")
    assert before.verdict is Verdict.NOT_FOUND
    assert cited(after) == "docs/etna.txt"
    assert after.index_id != before.index_id


def test_answers_during_builds_belong_to_one_generation(corpus: Corpus, build: Build, folder: Path) -> None:
    """Each build writes its own number into a file; the number a reader sees must be its answer's generation's."""
    seen: list[tuple[str, str]] = []
    problems: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                answer = corpus.ask("Which cheese has which number?")
                texts = [p.text for p in answer.related if p.citation.path == "docs/cheese.txt" and "number" in p.text]
                seen.extend((answer.index_id, text) for text in texts)
        except Exception as problem:
            problems.append(problem)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    written = {}
    for number in range(12):
        (folder / "cheese.txt").write_text(f"Cheese number {number} is the best.")
        written[build().index_id] = f"Cheese number {number} is the best."
    done.set()
    for reader in readers:
        reader.join()
    assert not problems
    assert seen
    assert all(written[index_id] == text for index_id, text in seen)


@pytest.mark.parametrize(
    ("edit", "state"),
    [
        (lambda path: None, CitationState.VALID),
        (lambda path: path.rename(path.with_name("other.txt")), CitationState.VALID),
        (lambda path: path.write_text("First of all. " + path.read_text()), CitationState.MOVED),
        (lambda path: path.write_text("Nothing of it is left."), CitationState.CHANGED),
        (lambda path: path.unlink(), CitationState.DELETED),
    ],
)
def test_a_citation_says_what_became_of_its_words(
    corpus: Corpus, build: Build, folder: Path, edit: object, state: CitationState
) -> None:
    citation = corpus.ask("Which river flows through Vienna?").quotes[0].citation
    edit(folder / "rivers.txt")
    build()
    checked = corpus.cite(citation.id)
    assert checked.state is state
    assert checked.path in ("docs/rivers.txt", "docs/other.txt")
    if checked.citation:
        assert checked.citation.quote == citation.quote
        assert checked.citation.span.of(corpus.document(checked.citation.doc_id).text) == citation.quote


def test_a_citation_of_nothing_we_know_is_deleted_and_a_forged_one_is_refused(corpus: Corpus) -> None:
    assert corpus.cite("0123456789abcdef-0-5-89abcdef").state is CitationState.DELETED
    citation = corpus.ask("Which river flows through Vienna?").quotes[0].citation
    with pytest.raises(ValueError, match="was not made for this text"):
        corpus.cite(citation.id[:-8] + "00000000")


def test_the_passage_of_a_citation_is_the_one_it_stands_in_the_middle_of(
    build: Build, folder: Path, index_dir: Path, encoder: StubEncoder
) -> None:
    text = " ".join(f"Sentence number {number} stands here alone." for number in range(200))
    (folder / "long.txt").write_text(text)
    build()
    corpus = Corpus.open(index_dir, encoder=encoder, reader=StubReader())
    document = next(document for document in corpus.documents() if document.path.endswith("long.txt"))
    spans = [passage.span for passage in corpus.retrieve("sentence number", 100) if passage.doc_id == document.doc_id]
    assert len(spans) > 2
    for span in spans:
        middle = (span.start + span.end) // 2
        assert corpus.passage_span(Citation.from_document(document, Span(middle, middle + 4))) == span
    whole = Span(0, len(document.text))
    assert corpus.passage_span(Citation.from_document(document, whole)) == whole


def test_the_file_behind_a_document_is_compared_with_what_was_indexed(corpus: Corpus, folder: Path) -> None:
    doc_id = corpus.retrieve("Danube", 1)[0].doc_id
    assert corpus.source_state(doc_id) == "unchanged"
    (folder / "rivers.txt").write_text("edited")
    assert corpus.source_state(doc_id) == "changed"
    (folder / "rivers.txt").unlink()
    assert corpus.source_state(doc_id) == "missing"
    with pytest.raises(DocumentNotFound):
        corpus.source_state("0" * 16)


def test_another_encoder_than_the_index_was_made_with_is_refused(
    corpus: Corpus, index_dir: Path, encoder: StubEncoder
) -> None:
    with pytest.raises(IndexMismatch, match=r"made with stub .* this is other .*--rebuild"):
        Corpus.open(index_dir, encoder=encoder.of_model("other"))


def test_an_index_without_documents_opens_and_fills(
    build: Build, index_dir: Path, encoder: StubEncoder, tmp_path: Path
) -> None:
    with pytest.raises(IndexNotFound, match="pincite index FOLDER"):
        Corpus.open(tmp_path / "nowhere")
    index_dir.mkdir()
    Store.create_or_open(index_dir / FILE_NAME).close()
    corpus = Corpus.open(index_dir, encoder=encoder, reader=StubReader())
    with pytest.raises(IndexEmpty, match="no documents yet"):
        corpus.ask("Which river flows through Vienna?")
    build()
    assert cited(corpus.ask("Which river flows through Vienna?")) == "docs/rivers.txt"


def test_the_module_functions_ask_the_default_index(
    build: Build, index_dir: Path, encoder: StubEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    build()
    monkeypatch.setenv("PINCITE_INDEX", str(index_dir))
    monkeypatch.setattr(qa.corpus, "load_encoder", lambda model: encoder)
    monkeypatch.setattr(qa.corpus, "SpanReader", StubReader)
    assert retrieve("Danube", k=1)[0].citation.path == "docs/rivers.txt"
    assert cited(ask("Which river flows through Vienna?")) == "docs/rivers.txt"
