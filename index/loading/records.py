"""Files of records: CSV, TSV, JSON and JSON lines. A record that has a text is a document."""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from index.documents import Document, Source, canonical_text
from index.loading.decoding import Text, decode
from index.loading.loaded import (
    MAX_INSIDE_BYTES,
    Loaded,
    Unreadable,
    first_notes,
    iso_date,
    label,
    names,
    one_document,
)

# Names under which the parts of a document go, best first; compared in lower case.
TEXT_FIELDS = ("text", "body", "content", "abstract", "article", "full_text", "fulltext", "description", "summary")
TITLE_FIELDS = ("title", "headline", "subject")
SOURCE_FIELDS = ("source", "publisher", "publication", "site")
DATE_FIELDS = ("date", "published", "published_at", "publication_date", "datepublished", "created_at")
AUTHOR_FIELDS = ("author", "authors", "byline", "creator")
ID_FIELDS = ("_id", "id", "doc_id")

LINE_CHARACTERS = 20_000_000  # of JSON lines; a longer one could take a hundred times its size when it is parsed
SAMPLE_ROWS = 200
LONG_CELL = 80  # characters of the mean cell from which an unnamed column can be the text
CLEARLY_LONGER = 4  # times as long as any other column


def read_jsonl(data: bytes, name: str) -> Loaded:
    """Return a document for each line."""
    decoded = decode(data)
    documents: list[Document] = []
    bad: list[str] = []
    for number, line in enumerate(_lines(decoded.text), 1):
        if not line.strip():
            continue
        try:
            documents.append(_document(_parsed_line(line), name, number))
        except Unreadable as reason:
            bad.append(f"line {number}: {reason}")
    return Loaded(tuple(documents), (*decoded.notes, *first_notes(bad, "lines")))


def _lines(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end + 1


def _parsed_line(line: str) -> Any:
    if len(line) > LINE_CHARACTERS:
        raise Unreadable("too long")
    return _parsed(line)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise Unreadable("nested too deeply") from None
    except ValueError:
        raise Unreadable("not JSON") from None


def read_json(data: bytes, name: str) -> Loaded:
    """Return a document for each object with a text in the file's list, else the file as one document."""
    decoded = decode(data)
    records = _records(_parsed(decoded.text.lstrip("\ufeff")))
    documents: list[Document] = []
    bad: list[str] = []
    for number, record in enumerate(records, 1):
        try:
            documents.append(_document(record, name, number, alone=len(records) == 1))
        except Unreadable as reason:
            bad.append(f"record {number}: {reason}")
    if not documents:
        return one_document(decoded.text, Source(name), decoded.notes)
    return Loaded(tuple(documents), (*decoded.notes, *first_notes(bad, "records")))


def _records(parsed: Any) -> Sequence[Any]:
    """Return the list that a file is or holds, or the file as the only record."""
    if isinstance(parsed, list):
        return parsed
    if isinstance(parsed, dict) and not _field(_lowered(parsed), TEXT_FIELDS):
        for value in parsed.values():
            if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
                return value
    return [parsed]


def read_csv(data: bytes, name: str) -> Loaded:
    """Return a document for each row when a column holds texts, else the file as one document."""
    return _read_table(decode(data), name, delimiter=None)


def read_tsv(data: bytes, name: str) -> Loaded:
    """As `read_csv`, for cells separated by tabs."""
    return _read_table(decode(data), name, delimiter="\t")


def _read_table(decoded: Text, name: str, *, delimiter: str | None) -> Loaded:
    text = canonical_text(decoded.text)
    sample = list(islice(_rows(text, delimiter), SAMPLE_ROWS))
    header = _header(sample)
    if header is None:
        return one_document(decoded.text, Source(name), decoded.notes)
    documents: list[Document] = []
    empty = 0
    for number, row in enumerate(islice(_rows(text, delimiter), 1, None), 2):
        try:
            documents.append(_document(dict(zip(header, row, strict=False)), name, number))
        except Unreadable:
            empty += any(cell.strip() for cell in row)
    notes = (f"{empty} rows without a text left out",) if empty else ()
    return Loaded(tuple(documents), (*decoded.notes, *notes))


def _rows(text: str, delimiter: str | None) -> Iterator[list[str]]:
    csv.field_size_limit(MAX_INSIDE_BYTES)
    head = text[:10_000].partition("\n")[0]
    lines = (f"{line}\n" for line in _lines(text))  # StringIO would hold four bytes a character
    reader = csv.reader(lines, delimiter=delimiter or max(",;\t|", key=head.count))
    try:
        yield from reader
    except csv.Error as error:
        raise Unreadable(f"line {reader.line_num}: {error}") from None


def _header(rows: Sequence[Sequence[str]]) -> list[str] | None:
    """Return the names of the columns, the text's being ``text``; None when no column holds texts."""
    if len(rows) < 2:
        return None
    header = [cell.strip().lower() for cell in rows[0]]
    if not any(field in header for field in TEXT_FIELDS):
        longest = _clearly_longest(header, rows[1:])
        if longest is None:
            return None
        header[longest] = TEXT_FIELDS[0]
    return header


def _clearly_longest(header: Sequence[str], rows: Sequence[Sequence[str]]) -> int | None:
    columns = ([len(row[at]) for row in rows if at < len(row)] for at in range(len(header)))
    means = [statistics.fmean(lengths) if lengths else 0.0 for lengths in columns]
    best = max(range(len(means)), key=means.__getitem__, default=None)
    if best is None or means[best] < LONG_CELL or len(header[best]) > LONG_CELL / 2:
        return None
    others = max((mean for at, mean in enumerate(means) if at != best), default=0.0)
    return best if means[best] >= CLEARLY_LONGER * others else None


def _document(record: Any, name: str, number: int, *, alone: bool = False) -> Document:
    """Return the document of one record.

    Raises:
        Unreadable: it is no object, or has neither text nor title.
    """
    if not isinstance(record, dict):
        raise Unreadable("not an object")
    fields = _lowered(record)
    title = label(_field(fields, TITLE_FIELDS))
    text = _field(fields, TEXT_FIELDS) or title
    if not isinstance(text, str):
        raise Unreadable("no text")
    key = _field(fields, ID_FIELDS)
    path = name if alone else f"{name}#{canonical_text(str(number if key is None else key))}"
    source = Source(
        path,
        title,
        publisher=names(_field(fields, SOURCE_FIELDS)),
        date=iso_date(_field(fields, DATE_FIELDS)),
        author=names(_field(fields, AUTHOR_FIELDS)),
    )
    return Document.from_raw(text, source)


def _lowered(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key.lower(): value for key, value in record.items()}


def _field(fields: Mapping[str, Any], wanted: Iterable[str]) -> Any:
    """Return the value of the first field that is there and not blank."""
    values = (fields.get(field) for field in wanted)
    return next((value for value in values if value is not None and str(value).strip()), None)
