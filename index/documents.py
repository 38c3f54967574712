"""What a corpus is made of: sources, documents, spans, chunks, and the canonical text every offset refers to."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from dataclasses import dataclass, field

DOC_ID_LENGTH = 16
TITLE_WORDS = 8

_REPLACED = re.compile("[\x00\ud800-\udfff]")
_LINE_END = re.compile("\r\n?")


def canonical_text(raw: str) -> str:
    """Return the text that is stored, and that all offsets refer to.

    A leading byte-order mark is dropped, CRLF and CR become LF, and every NUL or lone surrogate becomes U+FFFD, one
    for one. Nothing else is touched: no Unicode normalisation, no trimming, so a quote is what the author wrote.
    Applying it twice changes nothing.
    """
    return _REPLACED.sub("\ufffd", _LINE_END.sub("\n", raw.lstrip("\ufeff")))


def content_hash(text: str) -> str:
    """Return the SHA-256 of canonical text in UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of code points, ``text[start:end]``."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"a span needs 0 <= start <= end, not {self.start}..{self.end}")

    def __len__(self) -> int:
        return self.end - self.start

    def of(self, text: str) -> str:
        """Return the characters of ``text`` that this span covers."""
        return text[self.start : self.end]

    def contains(self, other: Span) -> bool:
        return self.start <= other.start and other.end <= self.end

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Source:
    """A place where a text stands: a file, or one line of a JSONL file (``news.jsonl#<_id>``).

    Attributes:
        path: corpus folder's name, then the path inside it, with ``/`` between; printable, but hostile until escaped.
        title: the title the file carries, or None.
        publisher: who published it, as far as the file says (the ``source`` of a JSONL line, an HTML site name).
        date: ISO 8601 calendar date (``2017-03-03``), or None when the file does not say.
        author: who wrote it, as far as the file says; several names stand on one line.
        page_starts: where in the text each page begins, the first at 0; empty when the format has no pages.
    """

    path: str
    title: str | None = None
    publisher: str | None = None
    date: str | None = None
    author: str | None = None
    page_starts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A text and every place where exactly that text stands. Same text, same document.

    Attributes:
        text: canonical text; offsets into it are code points.
        sources: at least one, ordered by path. The first one names the document.
    """

    text: str
    sources: tuple[Source, ...]
    sha256: str = field(default="")

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("a document needs at least one source")
        if not self.sha256:
            object.__setattr__(self, "sha256", content_hash(self.text))

    @classmethod
    def from_raw(cls, raw: str, source: Source) -> Document:
        """Return the document of one source, its text made canonical."""
        return cls(canonical_text(raw), (source,))

    @property
    def doc_id(self) -> str:
        """The first 16 hexadecimal digits of the content hash."""
        return self.sha256[:DOC_ID_LENGTH]

    @property
    def path(self) -> str:
        return self.sources[0].path

    @property
    def title(self) -> str:
        """The title the source carries, else the text's first words."""
        return self.sources[0].title or first_words(self.text)

    @property
    def source(self) -> str:
        """Who published it when the file says so, else its path."""
        return self.sources[0].publisher or self.path

    @property
    def date(self) -> str | None:
        return self.sources[0].date

    @property
    def author(self) -> str | None:
        return self.sources[0].author

    def page(self, offset: int) -> int | None:
        """Return the number of the page an offset stands on, from 1; None when the format has no pages."""
        return bisect_right(self.sources[0].page_starts, offset) or None


@dataclass(frozen=True, slots=True)
class Chunk:
    """The unit that is embedded and searched: a run of whole segments of one document.

    Attributes:
        chunk_id: positive, never used again for another chunk of the same index.
        doc_id: the document it is cut from.
        span: its place in the document's text.
    """

    chunk_id: int
    doc_id: str
    span: Span


def with_heading(heading: str | None, text: str) -> str:
    """Return what is embedded and looked up of a chunk: the document's title, if it carries one, and the chunk."""
    return f"{heading}\n{text}" if heading else text


def first_words(text: str, words: int = TITLE_WORDS) -> str:
    """Return the first words of a text, on one line, with an ellipsis when more follow."""
    head = text[:1000].split(maxsplit=words)
    return " ".join(head[:words])[:120] + (" …" if len(head) > words else "")
