"""How does a document with an opened citation become HTML, exact to the character and quick also when it is long?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from index.documents import Document, Span
from qa.escaping import count, day, escape, one_line
from qa.results import Citation, CitationCheck, CitationKey, CitationState

WINDOW = 100_000  # characters of a long document shown on either side of a citation
BLOCK = 2_000  # characters after which the next line break ends a block that the browser lays out by itself
LINE = 20_000  # a longer line is broken into blocks at a space

_LINES = re.compile(r"[^\n]*\n+|[^\n]+")


def empty_reader() -> str:
    """Return the reader before anything was opened."""
    return (
        '<div class="source-empty"><p>Open a citation to read it in its source.</p>'
        "<p><kbd>/</kbd> ask <kbd>1</kbd>–<kbd>9</kbd> open a citation "
        "<kbd>n</kbd> <kbd>p</kbd> next, previous <kbd>Esc</kbd> back</p></div>"
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """A citation opened in its document.

    Attributes:
        asked: the citation that was opened; after a move it is another than ``citation.id``.
        state: what became of it.
        citation: where the words stand today.
        source_state: ``unchanged``, ``changed`` or ``missing``, the file on disk compared to the index.
        passage: what was searched and read, around the citation.
        walk: the citations of the same answer, in the order of their numbers; Next and Previous follow it.
    """

    asked: CitationKey
    state: CitationState
    citation: Citation
    document: Document
    source_state: str
    passage: Span
    walk: tuple[CitationKey, ...] = ()


_SOURCE_STATES = {
    "unchanged": '<p class="state matches">matches the file</p>',
    "changed": '<p class="state amber">changed on disk since it was indexed; this is the indexed text</p>',
    "missing": '<p class="state amber">no longer on disk; this is the indexed text</p>',
}
_MOVED = "These words have moved since the link was made. This is where they stand now."


def source(opened: Opened) -> str:
    """Return the reader: head, then the document's text with the citation in a ``<mark>``."""
    citation = opened.citation
    facts = [
        f'<bdi class="author">{one_line(citation.author)}</bdi>' if citation.author else "",
        f"<span>{one_line(day(citation.date))}</span>" if citation.date else "",
        f'<bdi class="path">{one_line(citation.path)}</bdi>',
        f"<span>page {citation.page:,}</span>" if citation.page else "",
        f"<span>characters {citation.span.start:,}–{citation.span.end:,}</span>",
    ]
    moved = f'<p class="state amber">{_MOVED}</p>' if opened.state is CitationState.MOVED else ""
    return (
        f'<div class="source-head">{_steps(opened)}<h2 dir="auto">{one_line(citation.title)}</h2>'
        f'<p class="source-facts">{" · ".join(fact for fact in facts if fact)}</p>'
        f'<button type="button" class="only" value="{opened.document.doc_id}">Ask only this document</button>'
        f"{_SOURCE_STATES[opened.source_state]}{moved}</div>"
        f'<div class="source-text">{_text(opened)}</div>'
    )


def source_gone(check: CitationCheck) -> str:
    """Return the reader of a citation whose words are not in the index any more."""
    path = check.path or "the document"
    if check.state is CitationState.CHANGED:
        return source_problem(f"{path} has changed: it no longer holds the words this citation was made for.")
    return source_problem(f"The words of this citation are no longer in the index: {path} was removed from it.")


def source_problem(sentence: str) -> str:
    """Return the reader when there is nothing to open, and why."""
    return (
        f'<div class="source-head"><nav class="steps">{_CLOSE}</nav></div>'
        f'<p class="source-problem" tabindex="-1" dir="auto">{escape(sentence)}</p>'
    )


_CLOSE = '<button type="button" class="close">Close</button>'


def _steps(opened: Opened) -> str:
    walk = opened.walk if opened.asked in opened.walk else (opened.asked,)
    here = walk.index(opened.asked)
    previous = walk[here - 1] if here else None
    following = walk[here + 1] if here + 1 < len(walk) else None
    return (
        f'<nav class="steps" aria-label="Citations of this answer"><span>Citation {here + 1} of {len(walk)}</span>'
        f"{_step(previous, 'Previous')}{_step(following, 'Next')}{_CLOSE}</nav>"
    )


def _step(key: CitationKey | None, name: str) -> str:
    if key is None:
        return f'<span class="step none">{name}</span>'
    return f'<a class="step" rel="{"prev" if name == "Previous" else "next"}" href="?cite={key}">{name}</a>'


def _text(opened: Opened) -> str:
    text, mark = opened.document.text, opened.citation.span
    start, end = max(0, mark.start - WINDOW), min(len(text), mark.end + WINDOW)
    cited = tuple(key.span for key in opened.walk if key.doc_id == opened.citation.doc_id)
    pieces = [Piece(mark, "mark"), *(Piece(span, "cited") for span in outlined(cited, mark, len(text)))]
    pieces.sort(key=lambda piece: piece.span)
    blocks = "".join(
        f'<div class="block" dir="auto">{_block(text, block, pieces, opened.passage)}</div>'
        for block in blocks_of(text, start, end)
    )
    return f"{_left_out(start, 'before')}{blocks}{_left_out(len(text) - end, 'after')}"


def _left_out(characters: int, where: str) -> str:
    return f'<p class="left-out">{count(characters, "character")} {where} this are not shown</p>' if characters else ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a document that is shown in its own way: ``mark`` or ``cited``."""

    span: Span
    kind: str


_TAGS = {
    "mark": ('<mark tabindex="-1">', "</mark>"),
    "cited": ('<span class="cited">', "</span>"),
}


def _block(text: str, block: Span, pieces: Iterable[Piece], passage: Span) -> str:
    """Return one block's characters, those of the passage in a ``<span>``; pieces are in order and apart."""
    start = min(max(block.start, passage.start), block.end)
    end = max(start, min(block.end, passage.end))
    before, inside, after = (
        _marked(text, part, pieces) for part in (Span(block.start, start), Span(start, end), Span(end, block.end))
    )
    return f'{before}<span class="passage">{inside}</span>{after}' if inside else before + after


def _marked(text: str, part: Span, pieces: Iterable[Piece]) -> str:
    shown, at = [], part.start
    for piece in pieces:
        start, end = max(at, piece.span.start), min(part.end, piece.span.end)
        if start < end:
            opening, closing = _TAGS[piece.kind]
            shown += [escape(text[at:start]), opening, escape(text[start:end]), closing]
            at = end
    return "".join([*shown, escape(text[at : part.end])])


def outlined(cited: Sequence[Span], mark: Span, length: int) -> list[Span]:
    """Return the cited spans without the mark and without each other's characters, in order."""
    rest: list[Span] = []
    at = 0
    for span in sorted(cited):
        for start, end in ((span.start, min(span.end, mark.start)), (max(span.start, mark.end), span.end)):
            start, end = max(start, at), min(end, length)
            if start < end:
                rest.append(Span(start, end))
                at = end
    return rest


def blocks_of(text: str, start: int, end: int) -> Iterator[Span]:
    """Cut ``text[start:end]`` at line breaks into blocks, and a very long line at spaces. No character is lost."""
    at = start
    for line in _LINES.finditer(text, start, end):
        for stop in (*_cuts(text, line.start(), line.end()), line.end()):
            if stop - at >= BLOCK:
                yield Span(at, stop)
                at = stop
    if at < end:
        yield Span(at, end)


def _cuts(text: str, start: int, end: int) -> Iterator[int]:
    while end - start > LINE:
        space = text.rfind(" ", start + 1, start + LINE)
        start = space + 1 if space > 0 else start + LINE
        yield start
