"""What a question gives back: passages, quotes, claims and the answer, with the JSON form of each.

The same dictionaries are the output of ``--json``, of the HTTP API and of the page's export. All offsets are half-open
ranges of code points in the document's canonical text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from index.documents import Document, Span

_CITATION_ID = re.compile(r"(?P<doc_id>[0-9a-f]{16})-(?P<start>\d{1,12})-(?P<end>\d{1,12})-(?P<digest>[0-9a-f]{8})")


class Verdict(StrEnum):
    """How the documents stand to a question."""

    ANSWERED = "answered"
    DIFFERS = "differs"
    NOT_FOUND = "not_found"


class CitationState(StrEnum):
    """What became of a citation since it was made."""

    VALID = "valid"
    MOVED = "moved"
    CHANGED = "changed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class CitationKey:
    """The parts of a citation id: which text, where in it, and a check of the words."""

    doc_id: str
    span: Span
    digest: str

    def __str__(self) -> str:
        return f"{self.doc_id}-{self.span.start}-{self.span.end}-{self.digest}"

    @classmethod
    def parse(cls, citation_id: str) -> CitationKey:
        """Return the parts of a citation id.

        Raises:
            ValueError: it is not one.
        """
        match = _CITATION_ID.fullmatch(citation_id.strip())
        if match is None or int(match["start"]) > int(match["end"]):
            raise ValueError(
                f"{citation_id[:80]!r} is not a citation id; one looks like 0123456789abcdef-700-902-89abcdef"
            )
        return cls(match["doc_id"], Span(int(match["start"]), int(match["end"])), match["digest"])


def quote_digest(quote: str) -> str:
    """Return the 8 hexadecimal digits that stand for a quote's words in a citation id."""
    return hashlib.sha256(quote.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Citation:
    """An exact place in a document, and the words that stand there.

    Attributes:
        id: content hash, range and quote hash; it survives re-indexing.
        quote: the words; a slice of the document's text by construction.
        source: publisher when known, else the path.
        path: where the file stands, always given.
        author: as far as the file says.
        page: where the quote begins, from 1; None when the format has no pages.
        also_in: paths of other files with exactly the same text.
    """

    doc_id: str
    span: Span
    quote: str
    title: str
    source: str
    path: str
    date: str | None = None
    author: str | None = None
    page: int | None = None
    also_in: tuple[str, ...] = ()

    @classmethod
    def from_document(cls, document: Document, span: Span) -> Citation:
        """Return the citation of a span. The quote is cut here and nowhere else.

        Raises:
            ValueError: the span is empty or reaches past the end of the text.
        """
        if not span or span.end > len(document.text):
            raise ValueError(f"span {span.start}..{span.end} is not inside the {len(document.text)} characters of text")
        return cls(
            doc_id=document.doc_id,
            span=span,
            quote=span.of(document.text),
            title=document.title,
            source=document.source,
            path=document.path,
            date=document.date,
            author=document.author,
            page=document.page(span.start),
            also_in=tuple(source.path for source in document.sources[1:]),
        )

    @property
    def place(self) -> str:
        """Where the quote stands, in words: its page if there are pages, and its characters."""
        page = f"page {self.page}, " if self.page else ""
        return f"{page}characters {self.span.start}-{self.span.end}"

    @property
    def id(self) -> str:
        return str(CitationKey(self.doc_id, self.span, quote_digest(self.quote)))

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "doc_id": self.doc_id,
            "title": self.title,
            "source": self.source,
            "path": self.path,
            "also_in": list(self.also_in),
            "author": self.author,
            "date": self.date,
            "page": self.page,
            "start": self.span.start,
            "end": self.span.end,
        }


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved chunk.

    Attributes:
        rank: 1 is best.
        score: fused retrieval score in 0..1; higher is better; comparable within one question only.
        dense_score: cosine of question and chunk, in -1..1.
        lexical_score: BM25, 0 when none of the question's words stand in the chunk.
        citation: the chunk's exact place; ``citation.quote`` is its text.
    """

    rank: int
    score: float
    dense_score: float
    lexical_score: float
    citation: Citation

    @property
    def text(self) -> str:
        return self.citation.quote

    @property
    def span(self) -> Span:
        return self.citation.span

    @property
    def doc_id(self) -> str:
        return self.citation.doc_id

    @property
    def title(self) -> str:
        return self.citation.title

    @property
    def source(self) -> str:
        return self.citation.source

    @property
    def date(self) -> str | None:
        return self.citation.date

    def __repr__(self) -> str:
        head = " ".join(self.text.split())
        head = head if len(head) <= 160 else head[:159] + "…"
        return f"\n{self.rank}. [{self.score:.3f}] {head!r}\n   {self.citation.path} · citation {self.citation.id}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "rank": self.rank,
            "score": self.score,
            "dense_score": self.dense_score,
            "lexical_score": self.lexical_score,
            "text": self.text,
            "citation_id": self.citation.id,
            **{key: value for key, value in self.citation.to_dict().items() if key != "id"},
        }

    def _repr_html_(self) -> str:
        """Show the passage in a notebook."""
        from qa.notebook import passage_html

        return passage_html(self)


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who the text says is speaking, and the words that say so.

    Attributes:
        name: as the text writes it.
        span: where the name stands, in the quote's document.
        via: who hands the words on, when the text names both: the WSJ, which cites opposition sources.
    """

    name: str
    span: Span
    via: Speaker | None = None

    def __str__(self) -> str:
        return f"{self.name}, cited by {self.via}" if self.via else self.name


def _speaker_dict(key: str, speaker: Speaker | None) -> dict[str, Any]:
    return {
        key: speaker.name if speaker else None,
        f"{key}_start": speaker.span.start if speaker else None,
        f"{key}_end": speaker.span.end if speaker else None,
    }


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of a document that answer a question, shown in the segment that holds them.

    Attributes:
        citation: the words shown.
        answer: the answering words, inside ``citation.span``.
        speaker: named by the text, or None; never guessed.
        score: probability in 0..1 that ``answer`` answers the question; higher is better.
        copies: where nearly the same text stands in other documents, in order of path; one voice, not several.
    """

    citation: Citation
    answer: Span
    score: float
    speaker: Speaker | None = None
    copies: tuple[Citation, ...] = ()

    def __post_init__(self) -> None:
        if not self.citation.span.contains(self.answer):
            raise ValueError("the answering words must stand inside the quote")

    @property
    def text(self) -> str:
        """The words shown."""
        return self.citation.quote

    @property
    def answer_text(self) -> str:
        """The answering words."""
        start = self.citation.span.start
        return self.citation.quote[self.answer.start - start : self.answer.end - start]

    def to_dict(self) -> dict[str, Any]:
        return {
            "quote": self.text,
            "answer": self.answer_text,
            "answer_start": self.answer.start,
            "answer_end": self.answer.end,
            "score": self.score,
            **_speaker_dict("speaker", self.speaker),
            **_speaker_dict("speaker_via", self.speaker.via if self.speaker else None),
            "citation": self.citation.to_dict(),
            "copies": [copy.to_dict() for copy in self.copies],
        }


@dataclass(frozen=True, slots=True)
class Claim:
    """One answer to a question, and the quotes that give it, strongest first."""

    text: str
    quotes: tuple[Quote, ...]

    @property
    def score(self) -> float:
        """The score of its strongest quote."""
        return self.quotes[0].score

    def to_dict(self) -> dict[str, Any]:
        return {"text": self.text, "score": self.score, "quotes": [quote.to_dict() for quote in self.quotes]}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the documents say to a question.

    Attributes:
        claims: strongest first; empty exactly when the verdict is ``not_found``.
        related: the nearest passages; not an answer.
        missing_words: content words of the question, as it was read, that stand nowhere in the corpus.
        index_id: names the exact index content that was asked.
        read_as: words of the question that stand nowhere in it and were taken for slips -> those read in their place.
    """

    question: str
    verdict: Verdict
    claims: tuple[Claim, ...]
    related: tuple[Passage, ...]
    missing_words: tuple[str, ...]
    index_id: str
    read_as: Mapping[str, str] = field(default_factory=dict)

    @property
    def quotes(self) -> tuple[Quote, ...]:
        """All quotes in the order in which they are shown and numbered."""
        return tuple(quote for claim in self.claims for quote in claim.quotes)

    def to_dict(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "verdict": self.verdict.value,
            "index_id": self.index_id,
            "claims": [claim.to_dict() for claim in self.claims],
            "related": [passage.to_dict() for passage in self.related],
            "missing_words": list(self.missing_words),
            "read_as": dict(self.read_as),
        }

    def to_json(self) -> str:
        """Return `to_dict` as the text that ``pincite ask --json`` prints."""
        from qa.export import as_json

        return as_json(self)

    def to_markdown(self) -> str:
        """Return the question, the numbered quotes, and of each its title, date, place and citation id."""
        from qa.export import as_markdown

        return as_markdown(self)

    def _repr_html_(self) -> str:
        """Show the answer in a notebook."""
        from qa.notebook import answer_html

        return answer_html(self)


@dataclass(frozen=True, slots=True)
class CitationCheck:
    """What a citation id points at today.

    Attributes:
        state: ``valid``: the words stand where the id says. ``moved``: the same words stand elsewhere now. ``changed``:
            the file is there, the words are not. ``deleted``: no file of the index has held them since.
        citation: where the words stand today, or None when they do not.
        path: the file that held or holds them, as far as the index remembers.
    """

    id: str
    state: CitationState
    citation: Citation | None
    path: str | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "state": self.state.value,
            "path": self.path,
            "quote": self.citation.quote if self.citation else None,
            "citation": self.citation.to_dict() if self.citation else None,
        }
