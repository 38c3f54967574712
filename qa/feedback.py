"""What people think of quotes: one line each in ``feedback.jsonl`` of the index folder, on this machine alone."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Any, Literal, get_args

from qa.errors import AnsweringError
from qa.results import Quote

FILE_NAME = "feedback.jsonl"
MAX_BYTES = 50_000_000  # a file of that size holds a hundred thousand judgements; more are refused, not rotated away

Judgement = Literal["answers", "wrong speaker", "not relevant", "wrong boundary"]


class FeedbackRefused(AnsweringError, ValueError):
    """A judgement is not kept; the message says why."""


def keep(index_dir: Path, question: str, quote: Quote, judgement: str, *, index_id: str) -> None:
    """Append one judgement; a line is written whole or not at all.

    Raises:
        FeedbackRefused: the judgement is none of the four, or the file is full or cannot be written.
    """
    if judgement not in get_args(Judgement):
        raise FeedbackRefused("That is no judgement of a quote.")
    citation = quote.citation
    row = {
        "question": question,
        "citation": citation.id,
        "answer": quote.answer_text,
        "answer_start": quote.answer.start,
        "answer_end": quote.answer.end,
        "quote": quote.text,
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
