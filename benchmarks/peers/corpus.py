"""The documents and questions that every system gets: from data sets, from a folder, or made."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.environments import PROJECT
from qa.datasets import read_dataset

QUESTIONS = 300
ONE_CHUNK = (80, 110, 700)  # words at least and at most, characters at most: one chunk in every system
WORDS_OF_AN_ADDED_DOCUMENT = 300


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and the file that answers it where that is known."""

    text: str
    answered_by: str | None = None


@dataclass(frozen=True, slots=True)
class Corpus:
    """A folder of text files and what is asked of it.

    Attributes:
        table: vectors come from a table; nothing but questions and added documents is embedded.
    """

    name: str
    folder: Path
    documents: int
    words: int
    questions: tuple[Question, ...]
    table: bool = False


@dataclass(frozen=True, slots=True)
class Texts:
    """Documents by file name, and questions on them."""

    documents: dict[str, str]
    questions: tuple[Question, ...]


def read_texts(data: Sequence[Path], *, documents: int, characters: int) -> Texts:
    """Return the first documents of the data, each cut to so many characters, and up to QUESTIONS questions.

    Questions with a known answer are kept where their document is, and where the cut left the answer in it. Without
    data, documents are made from this project's own texts; nothing is known of answers there.
    """
    texts: dict[str, str] = {}
    questions: list[Question] = []
    for path in data:
        found = _read_folder(path) if _is_text_folder(path) else _read_dataset(path)
        taken = {name: text[:characters] for name, text in list(found.documents.items())[: documents - len(texts)]}
        texts |= taken
        questions += [
            question
            for question, answers in found.asked
            if question.answered_by in taken
            and any(answer in taken[question.answered_by] for answer in answers if question.answered_by)
        ]
    if not data:
        pool = sentences(_read_folder(PROJECT).documents.values())
        texts = dict(made_documents(pool, documents, words=(150, 400, 3_000)))
    chosen = random.Random(0).sample(questions, min(QUESTIONS, len(questions)))
    return Texts(texts, tuple(chosen) or first_words(texts))


def first_words(texts: dict[str, str]) -> tuple[Question, ...]:
    """Return the first words of some documents as questions, for data that has none."""
    chosen = random.Random(0).sample(list(texts.values()), min(QUESTIONS, len(texts)))
    return tuple(Question(" ".join(text.split()[:8])) for text in chosen)


@dataclass(frozen=True, slots=True)
class _Found:
    documents: dict[str, str]
    asked: list[tuple[Question, tuple[str, ...]]]


def _read_dataset(path: Path) -> _Found:
    dataset = read_dataset(path)
    names = {document.id: f"{path.stem}-{row:05}.txt" for row, document in enumerate(dataset.documents)}
    asked = [
        (Question(question.text, names[doc_id]), question.answers)
        for question in dataset.questions
        for doc_id, grade in question.grades.items()
        if question.answers and grade > 0 and doc_id in names
    ]
    return _Found({names[document.id]: document.text for document in dataset.documents}, asked)


def _is_text_folder(path: Path) -> bool:
    return path.is_dir() and not (path / "corpus.jsonl").exists()


def _read_folder(path: Path) -> _Found:
    files = sorted(file for file in path.rglob("*") if file.suffix in {".txt", ".md"} and not _is_hidden(file, path))
    return _Found({f"{row:06}-{file.stem}.txt": file.read_text(errors="replace") for row, file in enumerate(files)}, [])


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def sentences(texts: Iterable[str]) -> list[str]:
    """Return the texts' sentences of 5 words or more; runs of 25 words where none ends."""
    found = []
    for text in texts:
        for sentence in re.split(r"(?<=[.!?])\s+|\n\s*\n", text):
            words = sentence.split()
            found += [" ".join(words[at : at + 25]) for at in range(0, len(words), 25) if len(words[at : at + 25]) > 4]
    return found


def made_documents(
    pool: Sequence[str], count: int, *, words: tuple[int, int, int] = ONE_CHUNK
) -> Iterator[tuple[str, str]]:
    """Yield names and texts: sentences drawn from the pool until a text has enough words. The same at every call."""
    drawn = random.Random(1)
    least, most, characters = words
    for number in range(count):
        text: list[str] = []
        while len(text) < least:
            text += drawn.choice(pool).split()
        yield f"made-{number:06}.txt", " ".join(text[:most])[:characters]


def added_document(pool: Sequence[str], label: str, *, words: int = WORDS_OF_AN_ADDED_DOCUMENT) -> tuple[str, Question]:
    """Return a new text, and the question that only it answers."""
    drawn = random.Random(label)
    person, place = ("".join(drawn.choices("bdfgklmnprstvz", k=1) + drawn.choices("aeiou", k=1)) * 3 for _ in "ab")
    fact = f"The {person.title()} bridge in {place.title()} was opened by the mayor {label}."
    (_, rest), *_ = made_documents(drawn.sample(list(pool), min(len(pool), 60)), 1, words=(words, words, 10**6))
    name = f"added-{label}.txt"
    return f"{fact} {rest}", Question(f"Who opened the {person.title()} bridge in {place.title()}?", name)


def write_corpus(name: str, texts: Texts, cache: Path, *, table: bool = False) -> Corpus:
    """Write the documents as files, unless they are there, and return the corpus."""
    folder, stamp = cache / "corpora" / name, cache / "corpora" / f"{name}.complete"
    if not stamp.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.documents.items():
            (folder / file).write_text(text)
        stamp.touch()
    words = sum(len(text.split()) for text in texts.documents.values())
    return Corpus(name, folder, len(texts.documents), words, texts.questions, table)
