"""Example questions come from the corpus, and it answers them."""

from __future__ import annotations

from pathlib import Path

from conftest import Build, StubEncoder, StubReader

from qa.corpus import Corpus
from qa.examples import candidate_questions
from qa.results import Verdict


def test_deeds_become_who_questions_before_names_are_asked_about() -> None:
    text = "the group which rules Idlib on the ground. Turkey is petitioning the US. Col Myles Caggins spoke"
    assert candidate_questions([text]) == [
        "Who rules Idlib?",
        "Who is petitioning the US?",
        "What is said about Col Myles Caggins?",
    ]


def test_a_text_without_names_gives_no_questions() -> None:
    assert candidate_questions(["nothing here", ""]) == []


def test_a_corpus_offers_only_what_it_answers(
    build: Build, folder: Path, index_dir: Path, encoder: StubEncoder
) -> None:
    (folder / "history.txt").write_text("Brunel built the Great Western Railway between London and Bristol.")
    build()
    corpus = Corpus.open(index_dir, encoder=encoder, reader=StubReader())
    examples = corpus.examples(3)
    assert "Who built the Great Western Railway?" in examples
    assert all(corpus.ask(question).verdict is not Verdict.NOT_FOUND for question in examples)
