"""Slips in a question: read as the word of the documents that was meant, and told with the answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import StubEncoder, StubReader

from index.build import build_index
from index.snapshot import Snapshot
from qa.corpus import Corpus
from qa.spelling import respell

TEXTS = (
    "The faction Hayat Tahrir al Sham rules Idlib. Several towns near Aleppo separate it from Latakia.",
    "Marlow separated several provinces. The population of the province is three million; the population grows.",
    "Baron Hansen governs Iraq and several forums of its capital.",
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    for number, text in enumerate(TEXTS):
        (folder / f"{number}.txt").write_text(text)
    build_index(folder.parent / "index", [folder], encoder=StubEncoder())
    return folder.parent / "index"


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("who rules Idlbi?", "who rules Idlib?"),
        ("who rules Idleb?", "who rules Idlib?"),
        ("who rules Idllib?", "who rules Idlib?"),
        ("who rules Idlb near Latkia?", "who rules Idlb near Latakia?"),
        ("who rules idleb?", "who rules Idlib?"),
        ("what is the populaton of the provinse?", "what is the population of the province?"),
        ("who is seperating the provinces?", "who is separating the provinces?"),
    ],
)
def test_an_unknown_word_is_read_as_the_word_one_slip_away(index: Path, typed: str, read: str) -> None:
    assert respell(typed, Snapshot.open(index)).text == read


@pytest.mark.parametrize(
    "question",
    [
        "who governs Iran?",  # short
        "who is Hanson?",  # the encoder knows this name
        "who holds the barony?",  # and this word, not its stem
        "what did Hanzem say in 1999?",  # two slips from any word here
        "who rules Xdlib?",  # the first letter is taken to be right
        "who is ALEPPA?",  # an abbreviation, for all that is known
        "who met in the Forumm?",  # a capital wants a name: "forum" is none here
        "who rules Идлиб?",
        "does the faction separate towns?",
        "whom populaton provinse Idlbi Latkia Alepo mean?",  # more slips than one makes
    ],
)
def test_other_words_stay_as_they_are(index: Path, question: str) -> None:
    assert respell(question, Snapshot.open(index)).read_as == {}


def test_the_answer_tells_what_was_read(index: Path) -> None:
    corpus = Corpus.open(index, encoder=StubEncoder(), reader=StubReader())
    answer = corpus.ask("who rules Idlbi?")
    assert answer.question == "who rules Idlbi?"
    assert answer.read_as == {"Idlbi": "Idlib"}
    assert answer.missing_words == ()
    assert answer.claims == corpus.ask("who rules Idlib?").claims != ()
    assert corpus.retrieve("Idlbi") != corpus.retrieve("Idlib")  # it could not tell
    assert "“Idlbi” stands nowhere in the documents and was read as “Idlib”." in answer.to_markdown()


def test_words_of_the_documents_are_never_changed(index: Path) -> None:
    snapshot = Snapshot.open(index)
    assert all(respell(text, snapshot).text == text for text in TEXTS)
