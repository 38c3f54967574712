"""Answers, passages and documents as HTML. Every byte that comes from a document, a path or a person is escaped here.

The chat shows these strings through a Markdown renderer, the reader through ``innerHTML``; ``escape`` is safe in both.
"""

from __future__ import annotations

import base64
import re
import string
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from index.documents import Document, Span
from qa.results import Answer, Citation, CitationCheck, CitationKey, CitationState, Claim, Passage, Quote, Verdict

if TYPE_CHECKING:
    from index.status import CorpusStatus

RAW_TEXT_WORDS = 8  # fewer words without punctuation are a phrase, not a text that lost its punctuation
QUESTION_SHOWN = 4_000  # characters of a question that are echoed
PATHS_LISTED = 20
WINDOW = 100_000  # characters of a long document shown on either side of a citation
BLOCK = 2_000  # characters after which the next line break ends a block that the browser lays out by itself
LINE = 20_000  # a longer line is broken into blocks at a space

# An ASCII mark written as a character reference can neither open a tag nor mean anything in Markdown or a template.
_REFERENCES = {ord(mark): f"&#{ord(mark)};" for mark in string.punctuation + "\n\t"}

# Characters that are not seen but act: controls, bidi overrides, zero-width and tag characters. The joiners U+200C
# and U+200D are part of how Persian, Indic scripts and emoji are written, so they stay between two non-ASCII letters.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    "|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)
_LINES = re.compile(r"[^\n]*\n+|[^\n]+")


def visible(text: str) -> str:
    """Return the text with every hidden or acting character spelled out, ``⟦U+202E⟧``."""
    return _HIDDEN.sub(lambda match: f"⟦U+{ord(match[0]):04X}⟧", text)


def escape(text: str) -> str:
    """Return text that shows as itself in HTML, in a quoted attribute and in Markdown, and does nothing there."""
    return visible(text).translate(_REFERENCES)


def one_line(text: str) -> str:
    """Return a title, path or name escaped; a line break in it is spelled out rather than obeyed."""
    return escape(text.replace("\n", "⟦U+000A⟧").replace("\t", "⟦U+0009⟧"))


def is_raw_text(text: str) -> bool:
    """Say whether this looks like text whose punctuation was stripped: words, and not one punctuation mark."""
    return len(text.split()) >= RAW_TEXT_WORDS and not any(unicodedata.category(mark)[0] == "P" for mark in text)


def day(iso_date: str) -> str:
    """Return ``3 Mar 2017`` for ``2017-03-03``; anything else comes back as it is."""
    try:
        parsed = date.fromisoformat(iso_date)
    except ValueError:
        return iso_date
    return f"{parsed.day} {parsed:%b %Y}"


def count(number: int, noun: str) -> str:
    """Return ``1 quote`` or ``2,000 quotes``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


# --- the chat -------------------------------------------------------------------------------------------------------


def question(text: str) -> str:
    """Return a person's question as it stands in the chat."""
    shown = text if len(text) <= QUESTION_SHOWN else text[:200] + " …"
    return f'<p class="asked" dir="auto">{escape(shown.strip())}</p>'


def searching() -> str:
    """Return the sign of life shown until the answer is there."""
    return '<p class="searching">Searching the documents …</p>'


def problem(sentence: str) -> str:
    """Return an error as one sentence."""
    return f'<p class="problem" dir="auto">{escape(sentence)}</p>'


def verdict_line(answer: Answer) -> str:
    """Return the answer's first line, as plain text."""
    if answer.verdict is Verdict.NOT_FOUND:
        return "Not in the documents"
    if answer.verdict is Verdict.DIFFERS:
        return f"Sources differ: {count(len(answer.claims), 'claim')}"
    quotes = len(answer.quotes)
    documents = len({quote.citation.doc_id for quote in answer.quotes})
    if quotes == 1:
        return "Answered by one quote"
    places = "one document" if documents == 1 else count(documents, "document")
    return f"Answered by {count(quotes, 'quote')} from {places}"


def answer_card(answer: Answer, *, states: Mapping[str, str] | None = None, completed: bool = False) -> str:
    """Return the answer as one line of HTML: a line break would end the HTML block for Markdown.

    Args:
        answer: what is shown.
        states: by document id, whether its file still holds what was indexed; None shows no ticks.
        completed: the question was completed from the one before, which is said and can be undone.
    """
    numbers = iter(range(1, len(answer.quotes) + len(answer.related) + 1))
    differs = answer.verdict is Verdict.DIFFERS
    body = "".join(
        _claim(claim, numbers, f"Claim {n}" if differs else "", states or {})
        for n, claim in enumerate(answer.claims, 1)
    )
    if answer.verdict is Verdict.NOT_FOUND:
        body = f'<p class="why">{_why_not_found(answer)}</p>'
    return (
        f'<article class="answer {answer.verdict.value}">{_searched(answer) if completed else ""}'
        f'<h2 class="verdict">{verdict_line(answer)}</h2>{body}{_related(answer, numbers)}{_ACTS}</article>'
    )


_ACTS = (
    '<div class="acts"><button type="button" class="act markdown">Copy</button>'
    '<button type="button" class="act python">Copy as Python</button>'
    '<button type="button" class="act save-md">Save Markdown</button>'
    '<button type="button" class="act save-json">Save JSON</button></div>'
)
_FEEDBACK = (
    '<details class="judge"><summary>Feedback</summary><span>'
    '<button type="button" class="act judgement">answers</button>'
    '<button type="button" class="act judgement">wrong speaker</button>'
    '<button type="button" class="act judgement">not relevant</button>'
    '<button type="button" class="act judgement">wrong boundary</button></span></details>'
)


def _searched(answer: Answer) -> str:
    return (
        f'<p class="searched">Searching: <q><bdi>{escape(answer.question)}</bdi></q> (from your last question) '
        '<button type="button" class="act as-typed">Search as typed</button></p>'
    )


def _claim(claim: Claim, numbers: Iterator[int], name: str, states: Mapping[str, str]) -> str:
    """Return a claim; ``name`` stands in for a heading that would only repeat the quote below it."""
    if not _is_whole_quote(claim.quotes[0]):
        heading = f'<h3 dir="auto">{one_line(claim.text)}</h3>'
    else:
        heading = f'<h3 class="unnamed">{name}</h3>' if name else ""
    quotes = "".join(_quote(quote, next(numbers), states) for quote in claim.quotes)
    return f'<section class="claim">{heading}{quotes}</section>'


def _is_whole_quote(quote: Quote) -> bool:
    return quote.answer_text.strip() == quote.text.strip()


def _quote(quote: Quote, number: int, states: Mapping[str, str]) -> str:
    beside = f"{_tick(quote.citation, states)}{_FEEDBACK}"
    byline = _byline(quote.citation, number, str(quote.speaker) if quote.speaker else None, beside)
    return f'<div class="quote"><blockquote dir="auto">{_words(quote)}</blockquote>{byline}{_near_copies(quote)}</div>'


def _words(quote: Quote) -> str:
    """Return the quote with its answering words bold, unless they are all of it."""
    if _is_whole_quote(quote):
        return escape(quote.text)
    start = quote.citation.span.start
    before, after = quote.text[: quote.answer.start - start], quote.text[quote.answer.end - start :]
    return f"{escape(before)}<strong>{escape(quote.answer_text)}</strong>{escape(after)}"


def _tick(citation: Citation, states: Mapping[str, str]) -> str:
    """Return the sign that says whether the file on disk still holds what was indexed."""
    state = states.get(citation.doc_id)
    if state is None:
        return ""
    if state == "unchanged":
        words = f"matches the file, sha256 of the text {citation.doc_id}…"
        return f'<span class="tick matches" title="{words}">✓<span class="unseen"> matches the file</span></span>'
    return f'<span class="tick amber">▲ source {"changed" if state == "changed" else "gone"}</span>'


def _byline(citation: Citation, number: int, speaker: str | None = None, beside: str = "") -> str:
    said = f'<bdi class="speaker">{one_line(speaker)}</bdi>' if speaker else ""
    source = f'<bdi class="source">{one_line(citation.source)}</bdi>'
    dated = f'<span class="date">{one_line(day(citation.date))}</span>' if citation.date else ""
    page = f'<span class="page">page {citation.page:,}</span>' if citation.page else ""
    facts = f"{said}{source}{dated}{page}{_raw_tag(citation.quote)}{_copies(citation)}{beside}"
    return f'<div class="byline">{chip(citation, number)}{facts}</div>'


def chip(citation: Citation, number: int) -> str:
    """Return the numbered link that opens a citation; it is its own deep link."""
    where = one_line(f"{citation.title}, characters {citation.span.start:,}–{citation.span.end:,}")
    return (
        f'<a class="chip" href="?cite={citation.id}" title="{where}">'
        f'<span class="unseen">Open citation </span>{number}</a>'
    )


def _raw_tag(text: str) -> str:
    if not is_raw_text(text):
        return ""
    why = "This text came without punctuation: where a quote begins and ends is estimated. The words are exact."
    return f'<span class="tag" tabindex="0" title="{why}">raw text</span>'


def _copies(citation: Citation) -> str:
    return _fold([f"<bdi>{one_line(path)}</bdi>" for path in citation.also_in], "same text in", "more file")


def _near_copies(quote: Quote) -> str:
    """Return links to where nearly the same text stands; they open like a chip, but have no number."""
    links = [f'<a class="copy" href="?cite={copy.id}"><bdi>{one_line(copy.path)}</bdi></a>' for copy in quote.copies]
    return _fold(links, "nearly the same text in", "more document")


def _fold(items: Sequence[str], what: str, noun: str) -> str:
    if not items:
        return ""
    rows = "".join(f"<li>{item}</li>" for item in items[:PATHS_LISTED])
    if len(items) > PATHS_LISTED:
        rows += f"<li>and {len(items) - PATHS_LISTED:,} more</li>"
    return f'<details class="copies"><summary>{what} {count(len(items), noun)}</summary><ul>{rows}</ul></details>'


def _why_not_found(answer: Answer) -> str:
    if not answer.missing_words:
        return "The documents use these words, but no passage answers the question."
    words = ", ".join(f"<b><bdi>{one_line(word)}</bdi></b>" for word in answer.missing_words)
    if len(answer.missing_words) == 1:
        return f"This word of the question stands nowhere in them: {words}."
    return f"These words of the question stand nowhere in them: {words}."


def _related(answer: Answer, numbers: Iterator[int]) -> str:
    related = [passage for passage in answer.related if not _is_quoted(passage, answer)]
    if not related:
        return ""
    name = "Closest" if answer.verdict is Verdict.NOT_FOUND else "Other close"
    items = "".join(_passage(passage, next(numbers)) for passage in related)
    return f'<details class="related"><summary>{name} passages (not answers)</summary>{items}</details>'


def _is_quoted(passage: Passage, answer: Answer) -> bool:
    return any(q.citation.doc_id == passage.doc_id and q.citation.span.overlaps(passage.span) for q in answer.quotes)


def _passage(passage: Passage, number: int) -> str:
    return (
        f'<div class="passage"><blockquote dir="auto">{escape(passage.text)}</blockquote>'
        f"{_byline(passage.citation, number)}</div>"
    )


def parcel(name: str, text: str, *, is_copied: bool) -> str:
    """Return something to copy or to save; in base64 it arrives exactly, and cannot act on its way."""
    body = base64.b64encode(text.encode()).decode()
    kind = "copy" if is_copied else "save"
    return f'<i data-kind="{kind}" data-name="{name}" data-body="{body}" data-at="{time.time_ns()}"></i>'


# --- the status strip and the first visit ---------------------------------------------------------------------------


def status_strip(status: CorpusStatus) -> str:
    """Return what is indexed, in one line."""
    facts = [count(status.documents, "document")]
    if status.newest_date:
        facts.append(f"newest {one_line(day(status.newest_date))}")
    facts += [f'index <code title="{one_line(status.index_id)}">{one_line(status.index_id[:6])}</code>', "offline"]
    return _strip(" <i>·</i> ".join(f"<span>{fact}</span>" for fact in facts))


def status_problem(sentence: str) -> str:
    """Return the strip of an index that cannot be read."""
    return _strip(f'<span class="amber">{escape(sentence)}</span>')


def _strip(facts: str) -> str:
    return (
        f'<header class="strip"><h1>Pincite</h1><p>{facts}</p>'
        '<div class="news"><span class="news-words"></span> '
        '<button type="button" class="update" hidden>Update</button></div>'
        '<div class="tools"><label class="add">Add files<input type="file" class="unseen" multiple></label>'
        '<button type="button" class="help">Keys</button></div></header>'
    )


def welcome() -> str:
    """Return what a first visitor reads above the example questions."""
    return (
        '<div class="welcome"><h2>Ask your documents</h2>'
        "<p>Every answer is a quote. Open its number to see it in the source, character for character.</p></div>"
    )


def empty_index() -> str:
    """Return the first page of an index without documents."""
    return (
        '<div class="welcome"><h2>The index has no documents yet</h2>'
        "<p>Run this in a terminal, then reload the page:</p><pre><code>pincite index FOLDER</code></pre></div>"
    )


def empty_reader() -> str:
    """Return the reader before anything was opened."""
    return (
        '<div class="source-empty"><p>Open a citation to read it in its source.</p>'
        "<p><kbd>/</kbd> ask <kbd>1</kbd>–<kbd>9</kbd> open a citation "
        "<kbd>n</kbd> <kbd>p</kbd> next, previous <kbd>Esc</kbd> back</p></div>"
    )


# --- the source reader ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opened:
    """A citation opened in its document.

    Attributes:
        asked: the citation that was opened; after a move it is another than ``citation.id``.
        state: what became of it.
        citation: where the words stand today.
        source_state: ``unchanged``, ``changed`` or ``missing``, the file on disk compared to the index.
        walk: the citations of the same answer, in the order of their numbers; Next and Previous follow it.
    """

    asked: CitationKey
    state: CitationState
    citation: Citation
    document: Document
    source_state: str
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
    blocks = "".join(
        f'<div class="block" dir="auto">{_block(text, block, pieces)}</div>' for block in blocks_of(text, start, end)
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


def _block(text: str, block: Span, pieces: Iterable[Piece]) -> str:
    """Return one block's characters; the pieces do not overlap."""
    shown, at = [], block.start
    for piece in sorted(pieces, key=lambda piece: piece.span):
        start, end = max(at, piece.span.start), min(block.end, piece.span.end)
        if start < end:
            opening, closing = _TAGS[piece.kind]
            shown += [escape(text[at:start]), opening, escape(text[start:end]), closing]
            at = end
    return "".join([*shown, escape(text[at : block.end])])


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
