"""Evaluation data on disk -> documents, questions, relevance grades and gold answers."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from index.documents import canonical_text
from qa.errors import AnsweringError

QRELS_FILES = ("qrels.tsv", "qrels/test.tsv", "qrels/dev.tsv", "qrels/train.tsv")
_CORPUS_FILE_BYTES = 32_000_000  # the loader refuses files over 100 MB

_BETWEEN_WORDS = re.compile(r"[\W_]+")  # \w is str.isalnum or the underscore
_Kind = TypeVar("_Kind")


class DatasetError(AnsweringError, ValueError):
    """Evaluation data is missing, broken or of another format; the message is one sentence naming the place."""


@dataclass(frozen=True, slots=True)
class DatasetDocument:
    """A document of the collection: ``id`` is what relevance grades call it; ``title`` may be empty."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class DatasetQuestion:
    """A question and what is known about its answer.

    Attributes:
        grades: document id -> relevance grade; above 0 is relevant. Empty when nothing was judged.
        answers: accepted answers; () when it is known to have none; None when its answer is not known.
    """

    id: str
    text: str
    grades: Mapping[str, int]
    answers: tuple[str, ...] | None

    @property
    def is_judged(self) -> bool:
        """Whether at least one document is relevant, so that retrieval can be scored."""
        return any(grade > 0 for grade in self.grades.values())

    @property
    def is_answerable(self) -> bool | None:
        """None when not known."""
        return None if self.answers is None else bool(self.answers)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Documents and questions, both in file order; no two documents share an id.

    Attributes:
        name: the file's name without its suffix, or the folder's.
        stripped: the documents and gold answers had their punctuation removed.
    """

    name: str
    documents: tuple[DatasetDocument, ...]
    questions: tuple[DatasetQuestion, ...]
    stripped: bool = False


def read_dataset(path: Path) -> Dataset:
    """Return the evaluation data of a SQuAD-format JSON file or a BEIR folder.

    SQuAD (version 1 or 2): each paragraph is a document; equal paragraphs are one. A question's paragraph is its only
    relevant document, whether it holds an answer or not.

    BEIR: ``corpus.jsonl``, ``queries.jsonl`` and the first that exists of ``QRELS_FILES``. A line of ``queries.jsonl``
    may carry ``answers``, a list of strings, empty when the question has none. Questions that have neither a relevant
    document nor ``answers`` are left out, as they belong to another split.

    Raises:
        DatasetError: the path is missing, is neither, is broken, or holds no documents or no questions.
    """
    if path.is_dir():
        dataset = _read_beir(path)
    elif path.is_file():
        dataset = _read_squad(path)
    else:
        raise DatasetError(f"{path} does not exist; expected a SQuAD-format JSON file or a BEIR folder.")
    if not dataset.documents:
        raise DatasetError(f"{path} holds no documents.")
    if not dataset.questions:
        raise DatasetError(f"{path} holds no questions with a relevant document or gold answers.")
    return dataset


def strip_dataset(dataset: Dataset) -> Dataset:
    """Return the data with documents, titles and gold answers stripped of punctuation; questions stay as typed.

    A gold answer without a letter or digit becomes "". A question left with no other is scored as the official SQuAD
    script scores one whose golds normalise to nothing: no answer is right.
    """
    return replace(
        dataset,
        documents=tuple(
            DatasetDocument(document.id, strip_punctuation(document.title), strip_punctuation(document.text))
            for document in dataset.documents
        ),
        questions=tuple(replace(question, answers=_stripped(question.answers)) for question in dataset.questions),
        stripped=True,
    )


def strip_punctuation(text: str) -> str:
    """Return text as scrapers leave it: all that is no letter or digit becomes a space, and runs of spaces become one.

    Letters and digits are what ``str.isalnum`` says. Case is kept, a space at either end is kept. Combining marks,
    such as the vowel signs of Hindi, are no letters. Applying it twice changes nothing.
    """
    return _BETWEEN_WORDS.sub(" ", text)


def content_name(dataset: Dataset) -> str:
    """Return a name for the content, readable at the front and exact at the end."""
    digest = hashlib.sha256()
    for line in _lines_of(dataset.documents):
        digest.update(line)
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", dataset.name).strip("-.")[:40]
    return f"{readable}{'-stripped' * dataset.stripped}-{digest.hexdigest()[:16]}"


def write_documents(dataset: Dataset, folder: Path) -> None:
    """Write the documents as JSONL files that ``pincite index`` reads; a document without a word is left out.

    Files already there with the same bytes are left alone, others that this function could have written are deleted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = set()
    for number, part in enumerate(_parts(_lines_of(dataset.documents))):
        path = folder / f"corpus-{number:04}.jsonl"
        names.add(path.name)
        if not path.exists() or path.read_bytes() != part:
            unfinished = path.with_suffix(".tmp")
            unfinished.write_bytes(part)
            os.replace(unfinished, path)
    for path in folder.glob("corpus-*.jsonl"):
        if path.name not in names:
            path.unlink()


def _stripped(answers: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if answers is None else tuple(strip_punctuation(answer).strip() for answer in answers)


def _lines_of(documents: Sequence[DatasetDocument]) -> Iterator[bytes]:
    for document in documents:
        if document.text.strip() or document.title.strip():
            record = {"_id": document.id, "title": document.title, "text": document.text}
            yield json.dumps(record).encode("ascii") + b"\n"


def _parts(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines joined into files of a size that the loader accepts."""
    part: list[bytes] = []
    size = 0
    for line in lines:
        if part and size + len(line) > _CORPUS_FILE_BYTES:
            yield b"".join(part)
            part, size = [], 0
        part.append(line)
        size += len(line)
    if part:
        yield b"".join(part)


# SQuAD


def _read_squad(path: Path) -> Dataset:
    documents: dict[str, DatasetDocument] = {}
    questions: list[DatasetQuestion] = []
    for number, (title, paragraph, where) in enumerate(_paragraphs(path), 1):
        text = _field(paragraph, "context", str, where)
        document = documents.setdefault(canonical_text(text), DatasetDocument(str(number), title, text))
        for position, record in enumerate(_field(paragraph, "qas", list, where), 1):
            questions.append(_squad_question(record, document, f"{where}, question {position}"))
    return Dataset(path.stem, tuple(documents.values()), tuple(questions))


def _paragraphs(path: Path) -> Iterator[tuple[str, Any, str]]:
    """Yield each paragraph with its article's title and its place in words."""
    record = _read_json(path)
    for article_number, article in enumerate(_field(record, "data", list, f"{path} (not SQuAD format?)"), 1):
        where = f"{path}, article {article_number}"
        title = article.get("title") if isinstance(article, dict) else None
        for number, paragraph in enumerate(_field(article, "paragraphs", list, where), 1):
            yield str(title or ""), paragraph, f"{where}, paragraph {number}"


def _squad_question(record: Any, document: DatasetDocument, where: str) -> DatasetQuestion:
    text = _field(record, "question", str, where)
    impossible = record.get("is_impossible") is True
    answers = () if impossible else tuple(_squad_answers(record, document.text, where))
    return DatasetQuestion(str(record.get("id", where)), text, {document.id: 1}, answers)


def _squad_answers(record: Any, context: str, where: str) -> Iterator[str]:
    """Yield the gold answers, after a look that each stands where the data says."""
    for answer in _field(record, "answers", list, where):
        text, start = _field(answer, "text", str, where), _field(answer, "answer_start", int, where)
        if start < 0 or not context.startswith(text, start):
            raise DatasetError(f"{where}: the gold answer {text[:60]!r} does not stand at character {start}.")
        yield text


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}, line {error.lineno}: not JSON ({error.msg}).") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not UTF-8 (byte {error.start:,}).") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}).") from error


# BEIR


def _read_beir(folder: Path) -> Dataset:
    documents = tuple(_beir_documents(folder / "corpus.jsonl"))
    grades = _read_qrels(folder)
    questions = tuple(
        question
        for question in _beir_questions(folder / "queries.jsonl", grades)
        if question.is_judged or question.answers is not None
    )
    return Dataset(folder.resolve().name, documents, questions)


def _beir_documents(path: Path) -> Iterator[DatasetDocument]:
    seen: set[str] = set()
    for record, where in _json_lines(path):
        title = record.get("title")
        yield DatasetDocument(
            _new_id(record, seen, where), title if isinstance(title, str) else "", _field(record, "text", str, where)
        )


def _beir_questions(path: Path, grades: Mapping[str, Mapping[str, int]]) -> Iterator[DatasetQuestion]:
    seen: set[str] = set()
    for record, where in _json_lines(path):
        question_id, text = _new_id(record, seen, where), _field(record, "text", str, where)
        yield DatasetQuestion(question_id, text, grades.get(question_id, {}), _beir_answers(record, where))


def _beir_answers(record: Any, where: str) -> tuple[str, ...] | None:
    if record.get("answers") is None:
        return None
    answers = _field(record, "answers", list, where)
    if not all(isinstance(answer, str) for answer in answers):
        raise DatasetError(f"{where}: 'answers' should be a list of strings.")
    return tuple(answers)


def _new_id(record: Any, seen: set[str], where: str) -> str:
    """Return a line's ``_id`` and add it to those seen."""
    value = record.get("_id")
    if not isinstance(value, str | int) or value == "":
        raise DatasetError(f"{where}: '_id' is missing.")
    new_id = canonical_text(str(value))
    if new_id in seen:
        raise DatasetError(f"{where}: the '_id' {new_id[:60]!r} was used before.")
    seen.add(new_id)
    return new_id


def _json_lines(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each line's object with its place in words; blank lines are passed over."""
    for line, where in _lines(path):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise DatasetError(f"{where}: not JSON ({error.msg}).") from error
        if not isinstance(record, dict):
            raise DatasetError(f"{where}: expected a JSON object, not {line[:40]!r}.")
        yield record, where


def _read_qrels(folder: Path) -> dict[str, dict[str, int]]:
    """Return question id -> document id -> grade. A first line that is not a judgement is a header."""
    path = next((folder / name for name in QRELS_FILES if (folder / name).is_file()), None)
    if path is None:
        raise DatasetError(f"{folder} holds none of {', '.join(QRELS_FILES)}.")
    grades: dict[str, dict[str, int]] = {}
    for number, (line, where) in enumerate(_lines(path)):
        fields = [field.strip() for field in line.split("\t")] if "\t" in line else line.split()
        if len(fields) == 3 and _is_integer(fields[2]):
            grades.setdefault(fields[0], {})[fields[1]] = int(fields[2])
        elif number > 0:
            raise DatasetError(f"{where}: expected question id, document id and a whole grade, not {line[:60]!r}.")
    return grades


def _is_integer(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each line that is not blank with its place in words, ``corpus.jsonl, line 3``."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                where = f"{path}, line {number}"
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if line:
                    yield line, where
    except UnicodeDecodeError as error:
        raise DatasetError(f"{where}: not UTF-8 (byte {error.start:,}).") from error
    except FileNotFoundError as error:
        raise DatasetError(f"{path} does not exist; a BEIR folder holds corpus.jsonl and queries.jsonl.") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}).") from error


def _field(record: Any, key: str, kind: type[_Kind], where: str) -> _Kind:
    """Return a field of a JSON object.

    Raises:
        DatasetError: it is not an object, or the field is missing or of another kind.
    """
    value = record.get(key) if isinstance(record, dict) else None
    if not isinstance(value, kind):
        raise DatasetError(f"{where}: expected {key!r}, a {_KIND_NAMES[kind]}.")
    return value


_KIND_NAMES: dict[type, str] = {str: "string", int: "whole number", list: "list"}
