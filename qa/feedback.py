"""What people think of quotes: one line each in ``feedback.jsonl`` of the index folder, on this machine alone.

A line is a JSON object: ``question`` as it was searched, ``sources``, ``documents``, ``date_from``, ``date_to`` (its
filters), ``citation`` (id), ``quote``, ``answer``, ``answer_start``, ``answer_end`` (code points of the document),
``speaker``, ``path``, ``judgement`` (one of four), ``index_id``, ``at``. ``pincite eval feedback.jsonl`` asks the
questions again and counts which judgements today's answers respect.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from index.documents import Span
from qa.errors import AnsweringError
from qa.metrics import exact_match
from qa.results import CitationKey, Quote
from qa.retrieval import Filters

if TYPE_CHECKING:
    from qa.corpus import Corpus

FILE_NAME = "feedback.jsonl"
MAX_BYTES = 50_000_000  # a file of that size holds a hundred thousand judgements; more are refused, not rotated away

Judgement = Literal["answers", "wrong speaker", "not relevant", "wrong boundary"]


class FeedbackRefused(AnsweringError, ValueError):
    """A judgement is not kept; the message says why."""


def keep(index_dir: Path, question: str, quote: Quote, judgement: str, *, index_id: str, filters: Filters) -> None:
    """Append one judgement; a line is written whole or not at all.

    Raises:
        FeedbackRefused: the judgement is none of the four, or the file is full or cannot be written.
    """
    if judgement not in get_args(Judgement):
        raise FeedbackRefused("That is no judgement of a quote.")
    citation = quote.citation
    row = {
        "question": question,
        **asdict(filters),
        "citation": citation.id,
        "answer": quote.answer_text,
        "answer_start": quote.answer.start,
        "answer_end": quote.answer.end,
        "quote": quote.text,
        "speaker": str(quote.speaker) if quote.speaker else None,
        "path": citation.path,
        "judgement": judgement,
        "index_id": index_id,
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    path = index_dir / FILE_NAME
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            if os.fstat(handle).st_size > MAX_BYTES:
                raise FeedbackRefused(f"{FILE_NAME} is full; move it away to keep more.")
            os.write(handle, (json.dumps(row, ensure_ascii=False) + "\n").encode())  # one write: lines do not mix
        finally:
            os.close(handle)
    except OSError as error:
        raise FeedbackRefused(f"{FILE_NAME} cannot be written: {error.strerror}.") from error


def read_feedback(path: Path) -> list[dict[str, Any]]:
    """Return the judgements of a file, the last one of each question and citation, oldest first; [] when there is none.

    Raises:
        FeedbackRefused: a line is no judgement.
    """
    if not path.is_file():
        return []
    latest: dict[tuple[str, str], dict[str, Any]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            key = (str(row["question"]), str(row["citation"]))
            known = row["judgement"] in get_args(Judgement)
        except (ValueError, KeyError, TypeError):
            known = False
        if not known:
            raise FeedbackRefused(f"{path}, line {number}, is no judgement of a quote.")
        latest.pop(key, None)
        latest[key] = row
    return list(latest.values())


# --- what today's answers make of it --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Respected:
    """How many judgements of one kind there are, and how many of them today's answers respect."""

    judgement: str
    judged: int
    respected: int


def respected(corpus: Corpus, rows: Iterable[dict[str, Any]]) -> list[Respected]:
    """Ask each judged question again and return, by kind of judgement, how many are respected now.

    "answers": the judged words are quoted. "not relevant": they are not. "wrong speaker": they are not, or with another
    speaker. "wrong boundary": they are not, or the answering words begin or end elsewhere.

    Raises:
        FeedbackRefused: a row lacks a field.
    """
    counts = {kind: [0, 0] for kind in get_args(Judgement)}
    for row in rows:
        try:
            answer = corpus.ask(row["question"], filters=_filters(row))
            is_respected = _is_respected(row, answer.quotes)
        except (KeyError, TypeError, ValueError) as error:
            judged = str(row.get("question"))[:80]
            raise FeedbackRefused(f"The judgement of {judged!r} cannot be used: {error}.") from error
        counts[row["judgement"]][0] += 1
        counts[row["judgement"]][1] += is_respected
    return [Respected(kind, *numbers) for kind, numbers in counts.items()]


def _filters(row: dict[str, Any]) -> Filters:
    documents, sources = (tuple(row.get(name) or ()) for name in ("documents", "sources"))
    return Filters(documents, sources, row.get("date_from"), row.get("date_to"))


def _is_respected(row: dict[str, Any], quotes: Sequence[Quote]) -> bool:
    again = [quote for quote in quotes if _is_the_judged(row, quote)]
    if row["judgement"] == "answers":
        return bool(again)
    if row["judgement"] == "wrong speaker":
        return all((str(quote.speaker) if quote.speaker else None) != row.get("speaker") for quote in again)
    if row["judgement"] == "wrong boundary":
        return all(quote.answer_text != row["answer"] for quote in again)
    return not again


def _is_the_judged(row: dict[str, Any], quote: Quote) -> bool:
    """Say whether a quote gives the judged words: at their place, or the same words in an edited text."""
    key = CitationKey.parse(row["citation"])
    if quote.citation.doc_id == key.doc_id:
        return quote.answer.overlaps(Span(row["answer_start"], row["answer_end"]))
    return quote.citation.path == row["path"] and bool(exact_match(quote.answer_text, [row["answer"]]))
