"""A file's bytes -> documents: one function per format, in a table keyed by suffix."""

from __future__ import annotations

import datetime
import json
import os
import re
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import charset_normalizer
from selectolax.lexbor import LexborHTMLParser, LexborNode

from index.documents import Document, Source, canonical_text
from index.scanning import FileEntry

MAX_FILE_MB = 100
TITLE_CHARACTERS = 300
_BINARY_SAMPLE = 8192


class Unreadable(Exception):
    """A file gives no document; the message is the reason, one clause."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The documents of one file, one source each, and remarks for the report."""

    documents: tuple[Document, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Text:
    """Decoded text and the remark, if any, that decoding left."""

    text: str
    notes: tuple[str, ...] = ()


def read_bytes(entry: FileEntry, *, max_file_mb: int = MAX_FILE_MB) -> bytes:
    """Return a regular file's bytes.

    Raises:
        Unreadable: it is too large, vanished, stopped being a regular file, or the system refuses.
    """
    limit = max_file_mb * 1_000_000
    if entry.size > limit:
        raise Unreadable(f"{entry.size / 1e6:,.0f} MB is over the limit of {max_file_mb} MB")
    try:
        for _ in range(2):
            # O_NONBLOCK: a file that became a pipe since it was listed must not block for ever
            with open(os.open(entry.path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                before = os.fstat(file.fileno())
                if not stat.S_ISREG(before.st_mode):
                    raise Unreadable("not a regular file")
                data = file.read(limit + 1)
                after = os.fstat(file.fileno())
            if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns) and len(data) <= limit:
                return data
    except FileNotFoundError:
        raise Unreadable("gone") from None
    except OSError as error:
        raise Unreadable(error.strerror or "cannot be read") from error
    raise Unreadable("kept changing while it was read")


def load(data: bytes, *, name: str) -> Loaded:
    """Return the documents of one file.

    Args:
        data: the file's bytes.
        name: its name in the corpus; the suffix chooses the reader, and the sources are called by it.

    Raises:
        Unreadable: the bytes hold no text in that format.
    """
    suffix = os.path.splitext(name)[1].lower()
    loaded = READERS[suffix](decode(data), name)
    if not loaded.documents:
        raise Unreadable(loaded.notes[0] if loaded.notes else "no text")
    return loaded


def decode(data: bytes) -> _Text:
    """Return text from bytes: by byte-order mark, as UTF-8, by detection, or with marked gaps.

    Raises:
        Unreadable: empty, or binary by its share of control bytes.
    """
    if not data:
        raise Unreadable("empty")
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return _decoded(data, encoding)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return _decode_by_detection(data, error)
    if _looks_binary(data):
        raise Unreadable("looks binary")
    return _Text(text)


def _decode_by_detection(data: bytes, error: UnicodeDecodeError) -> _Text:
    mostly_utf8 = data.decode("utf-8", "replace")
    if mostly_utf8.count("\ufffd") * 100 < len(data) and any(byte > 127 for byte in _without(data, error)):
        return _Text(mostly_utf8, (f"{mostly_utf8.count(chr(0xFFFD))} bytes unreadable, the first at {error.start:,}",))
    encoding = _detect(data[:1_000_000])
    if _looks_binary(data) and not encoding.startswith("utf_16"):
        raise Unreadable("looks binary")
    return _decoded(data, encoding)


def _detect(data: bytes) -> str:
    """Return the likeliest encoding; of those equally likely the commonest one, Windows' Western European."""
    matches = list(charset_normalizer.from_bytes(data))
    best = [match for match in matches if (match.chaos, match.coherence) == (matches[0].chaos, matches[0].coherence)]
    if any("cp1252" in match.could_be_from_charset for match in best):
        return "cp1252"
    return best[0].encoding if best else "utf-8"


def _without(data: bytes, error: UnicodeDecodeError) -> bytes:
    """Return a sample of the bytes with the first unreadable ones cut out."""
    return data[: error.start][-_BINARY_SAMPLE:] + data[error.end : error.end + _BINARY_SAMPLE]


def _decoded(data: bytes, encoding: str) -> _Text:
    text = data.decode(encoding, "replace")
    gaps = text.count("\ufffd")
    note = (f"{gaps} characters unreadable, the first at {text.index(chr(0xFFFD)):,}",) if gaps else ()
    return _Text(text, note)


def _looks_binary(data: bytes) -> bool:
    sample = data[:_BINARY_SAMPLE]
    control = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in sample)
    return control > 0.1 * len(sample)


def _load_text(decoded: _Text, name: str) -> Loaded:
    return _one_document(decoded, Source(name), decoded.text)


def _load_markdown(decoded: _Text, name: str) -> Loaded:
    front, body = _front_matter(decoded.text)
    heading = re.search(r"^#{1,3}[ \t]+(.+?)[ \t#]*$", body, re.MULTILINE)
    source = Source(
        name,
        title=label(front.get("title") or (heading[1] if heading else None)),
        publisher=label(front.get("source")),
        date=iso_date(front.get("date")),
    )
    return _one_document(decoded, source, body)


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    match = re.match(r"\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", text[:20_000], re.DOTALL)
    if match is None:
        return {}, text
    pairs = re.findall(r"^(\w+):[ \t]*(.+?)[ \t\r]*$", match[1], re.MULTILINE)
    return {key.lower(): value.strip("'\"") for key, value in pairs}, text[match.end() :]


_UNSHOWN = "script, style, noscript, template, head, svg, iframe, object, select, textarea"
_BLOCKS = frozenset(
    "address article aside blockquote br dd div dl dt figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr li"
    " main nav ol p pre section table td th tr ul title".split()
)
_PARAGRAPHS = frozenset(("p", "h1", "h2", "h3", "blockquote"))
_HIDDEN = "[hidden], [aria-hidden=true], [style*='display:none'], [style*='display: none']"


def _load_html(decoded: _Text, name: str) -> Loaded:
    tree = LexborHTMLParser(decoded.text)
    source = Source(
        name,
        title=label(_meta(tree, "og:title") or (node.text() if (node := tree.css_first("title")) else None)),
        publisher=label(_meta(tree, "og:site_name")),
        date=iso_date(_meta(tree, "article:published_time") or _meta(tree, "date")),
    )
    hidden = tree.css(_HIDDEN)
    for node in tree.css(_UNSHOWN) + hidden:
        node.decompose()
    notes = (*decoded.notes, *((f"{len(hidden)} hidden elements left out",) if hidden else ()))
    return _one_document(_Text(decoded.text, notes), source, _visible_text(tree.root))


def _meta(tree: LexborHTMLParser, name: str) -> str | None:
    node = tree.css_first(f'meta[property="{name}"], meta[name="{name}"]')
    return node.attributes.get("content") if node else None


def _visible_text(root: LexborNode | None) -> str:
    """Return a page's text: white space collapsed, one line per block element, blank lines between paragraphs."""
    parts: list[str] = []
    todo: list[LexborNode | str] = [root] if root else []
    while todo:
        node = todo.pop()
        if isinstance(node, str):
            parts.append(node)
        elif node.tag == "-text":
            parts.append(re.sub(r"\s+", " ", node.text_content or ""))
        else:
            gap = "\n\n" if node.tag in _PARAGRAPHS else "\n" if node.tag in _BLOCKS else ""
            inside = list(node.iter(include_text=True))
            todo += [gap, *reversed(inside), gap] if inside else [gap]
    lines = (line.strip() for line in re.sub(" {2,}", " ", "".join(parts)).split("\n"))
    return re.sub("\n{3,}", "\n\n", "\n".join(lines)).strip()


def _load_jsonl(decoded: _Text, name: str) -> Loaded:
    documents: list[Document] = []
    bad: list[str] = []
    for number, line in enumerate(decoded.text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            documents.append(_document_of_line(line, name, number))
        except (ValueError, Unreadable) as error:
            bad.append(f"line {number}: {'not JSON' if isinstance(error, json.JSONDecodeError) else error}")
    notes = bad[:3] + ([f"{len(bad) - 3} more lines left out"] if len(bad) > 3 else [])
    return Loaded(tuple(documents), (*decoded.notes, *notes))


def _document_of_line(line: str, name: str, number: int) -> Document:
    record = json.loads(line)
    if not isinstance(record, dict):
        raise Unreadable("not an object")
    title = label(record.get("title"))
    text = record.get("text")
    text = text if isinstance(text, str) and text.strip() else title
    if not text:
        raise Unreadable("no text")
    key = canonical_text(str(record.get("_id", record.get("id", number))))
    source = Source(f"{name}#{key}", title, label(record.get("source")), iso_date(record.get("date")))
    return Document.from_raw(text, source)


def _one_document(decoded: _Text, source: Source, raw: str) -> Loaded:
    if not raw.strip():
        raise Unreadable("no text")
    return Loaded((Document.from_raw(raw, source),), decoded.notes)


def label(value: Any) -> str | None:
    """Return a one-line title or name, or None when the value is no text."""
    if not isinstance(value, str):
        return None
    return " ".join(canonical_text(value).split())[:TITLE_CHARACTERS] or None


def iso_date(value: Any) -> str | None:
    """Return the calendar date of an ISO 8601 date or time, or None; other forms are not guessed at."""
    match = re.match(r"\s*(\d{4}-\d{2}-\d{2})", value) if isinstance(value, str) else None
    try:
        return datetime.date.fromisoformat(match[1]).isoformat() if match else None
    except ValueError:
        return None


READERS: dict[str, Callable[[_Text, str], Loaded]] = {
    ".txt": _load_text,
    ".text": _load_text,
    ".md": _load_markdown,
    ".markdown": _load_markdown,
    ".html": _load_html,
    ".htm": _load_html,
    ".jsonl": _load_jsonl,
}


def readable_suffixes() -> frozenset[str]:
    return frozenset(READERS)


def readable_names(suffixes: Iterable[str] = READERS) -> str:
    """Return the suffixes as a sentence part, ``.txt, .md``."""
    return ", ".join(sorted(suffixes))
