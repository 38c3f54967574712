"""What reading a file gives, and the few rules that hold for the facts of every format."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from index.documents import Document, Source, canonical_text

MAX_INSIDE_BYTES = 100_000_000  # what one file may hold once it is unpacked
TITLE_CHARACTERS = 300
NOTES_LISTED = 3


class Unreadable(Exception):
    """A file gives no document; the message is the reason, one clause."""


class TooLargeInside(Unreadable):
    """A file unpacks to more than is read."""

    def __init__(self) -> None:
        super().__init__("too large inside")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The documents of one file, one source each, and remarks for the report."""

    documents: tuple[Document, ...]
    notes: tuple[str, ...] = ()


def one_document(text: str, source: Source, notes: Iterable[str] = ()) -> Loaded:
    """Return a file that is one document.

    Raises:
        Unreadable: the text is only white space.
    """
    if not text.strip():
        raise Unreadable("no text")
    return Loaded((Document.from_raw(text, source),), tuple(notes))


def paged_document(pages: Iterable[str], source: Source, notes: Iterable[str] = ()) -> Loaded:
    """Return a file of pages as one document that knows where each page begins.

    A page that has no text begins where the next one does, or where the text ends. Between two pages stands a line
    break alone, because a sentence may go on.

    Args:
        pages: their texts, read one after the other, so that a file is refused before all of it is in memory.

    Raises:
        Unreadable: the texts are only white space, or more than a file may hold.
    """
    texts: list[str] = []
    starts: list[int] = []
    length = 0
    for page in pages:
        starts.append(length)
        if text := canonical_text(page).strip():
            texts.append(text)
            length += len(text) + 1
        if length > MAX_INSIDE_BYTES:
            raise TooLargeInside
    text = "\n".join(texts)
    within = tuple(min(start, len(text)) for start in starts)
    return one_document(text, replace(source, page_starts=within), notes)


def first_notes(notes: Sequence[str], noun: str) -> tuple[str, ...]:
    """Return the first few remarks, and how many more ``noun`` there were."""
    more = len(notes) - NOTES_LISTED
    return (*notes[:NOTES_LISTED], *((f"{more} more {noun} left out",) if more > 0 else ()))


def label(value: Any) -> str | None:
    """Return a one-line title or name, or None when the value is no text."""
    if not isinstance(value, str):
        return None
    return " ".join(canonical_text(value).split())[:TITLE_CHARACTERS] or None


def names(value: Any) -> str | None:
    """Return authors on one line: of a name, of a list of names, or of objects that have a ``name``; else None."""
    values = value if isinstance(value, list) else [value]
    found = (label(each.get("name") if isinstance(each, dict) else each) for each in values)
    return label(", ".join(dict.fromkeys(name for name in found if name)))


def iso_date(value: Any) -> str | None:
    """Return the calendar date of an ISO 8601 date or time, or None; other forms are not guessed at."""
    match = re.match(r"\s*(\d{4}-\d{2}-\d{2})", str(value)) if isinstance(value, (str, datetime.date)) else None
    try:
        return datetime.date.fromisoformat(match[1]).isoformat() if match else None
    except ValueError:
        return None
