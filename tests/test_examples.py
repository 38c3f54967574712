"""Example questions come from the corpus, and it answers them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from conftest import Build, StubEncoder, StubReader
from pages import ScriptedCorpus, news_corpus

from qa.corpus import Corpus
from qa.examples import candidate_questions
from qa.results import Verdict
from ui.examples import EXAMPLES, Examples


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
    examples = list(corpus.examples())
    assert "Who built the Great Western Railway?" in examples
    assert all(corpus.ask(question).verdict is not Verdict.NOT_FOUND for question in examples)


# --- found in the background ----------------------------------------------------------------------------------------


class SlowCorpus(ScriptedCorpus):
    """Finds an example whenever it is let."""

    def __init__(self) -> None:
        super().__init__(news_corpus().documents_held)
        self.let = threading.Semaphore(0)
        self.index_id = "a1b2c3d4e5f6"

    def status(self) -> object:
        status = super().status()
        status.index_id = self.index_id
        return status

    def examples(self) -> Iterator[str]:
        for number in range(100):
            assert self.let.acquire(timeout=60)
            yield f"{self.index_id} question {number}?"


def wait_until(found: Callable[[], bool]) -> None:
    for _ in range(600):
        if found():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_examples_are_offered_as_they_are_found_and_never_waited_for() -> None:
    corpus = SlowCorpus()
    examples = Examples(corpus)  # type: ignore[arg-type]
    assert (examples.offered().questions, examples.offered().is_looking) == ((), True)
    corpus.let.release()
    wait_until(lambda: len(examples.offered().questions) == 1)
    assert examples.offered().is_looking
    corpus.let.release(EXAMPLES)
    wait_until(lambda: not examples.offered().is_looking)
    assert len(examples.offered().questions) == EXAMPLES  # no more answers are made than are shown


def test_another_index_gets_its_own_examples() -> None:
    corpus = SlowCorpus()
    examples = Examples(corpus)  # type: ignore[arg-type]
    corpus.let.release()
    wait_until(lambda: bool(examples.offered().questions))
    corpus.index_id = "f6e5d4c3b2a1"
    assert examples.offered().questions == ()
    corpus.let.release(2 * EXAMPLES)
    wait_until(lambda: not examples.offered().is_looking)
    assert all(question.startswith("f6e5d4c3b2a1") for question in examples.offered().questions)
