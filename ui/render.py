"""How does an answer become HTML? Every byte of a document, a path or a person is escaped before it gets here."""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from qa.escaping import count, day, escape, is_raw_text, one_line
from qa.export import respelled
from qa.results import Answer, Citation, Claim, Passage, Quote, Speaker, Verdict
from ui.preview import Surroundings, shortened

QUESTION_SHOWN = 4_000  # characters of a question that are echoed
PATHS_LISTED = 20
AUTHOR_SHOWN = 80  # characters of the authors under a quote; the source pane has them all


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


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of the sources of an answer when it is shown.

    Attributes:
        states: by document id, whether its file still holds what was indexed; no tick where there is none.
        surroundings: by citation id, the words before and after; no preview where there are none.
    """

    states: Mapping[str, str] = field(default_factory=dict)
    surroundings: Surroundings = field(default_factory=dict)


def answer_card(
    answer: Answer,
    *,
    checked: Checked = Checked(),
    completed: bool = False,
    beside: str = "",
    beside_numbers: int = 0,
) -> str:
    """Return the answer as one line of HTML: a line break would end the HTML block for Markdown.

    Args:
        answer: what is shown.
        checked: what is shown beside its citations.
        completed: the question was completed from the one before, which is said and can be undone.
        beside: what stands below the quotes, as HTML; it uses the next ``beside_numbers`` numbers.
    """
    numbers = itertools.count(1)
    differs = answer.verdict is Verdict.DIFFERS
    body = "".join(
        _claim(claim, numbers, f"Claim {n}" if differs else "", checked) for n, claim in enumerate(answer.claims, 1)
    )
    if answer.verdict is Verdict.NOT_FOUND:
        body = f'<p class="why">{_why_not_found(answer)}</p>'
    numbers = itertools.count(len(answer.quotes) + beside_numbers + 1)
    return (
        f'<article class="answer {answer.verdict.value}">{_searched(answer) if completed else ""}'
        f'<h2 class="verdict">{verdict_line(answer)}</h2>{_respelled(answer)}{body}{beside}'
        f"{_related(answer, numbers, checked)}{_ACTS}"
        "</article>"
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


def _respelled(answer: Answer) -> str:
    return f'<p class="respelled">{one_line(respelled(answer))}</p>' if answer.read_as else ""


def _claim(claim: Claim, numbers: Iterator[int], name: str, checked: Checked) -> str:
    """Return a claim; ``name`` stands in for a heading that would only repeat the quote below it."""
    if not _is_whole_quote(claim.quotes[0]):
        heading = f'<h3 dir="auto">{one_line(claim.text)}</h3>'
    else:
        heading = f'<h3 class="unnamed">{name}</h3>' if name else ""
    quotes = "".join(_quote(quote, next(numbers), checked) for quote in claim.quotes)
    return f'<section class="claim">{heading}{quotes}</section>'


def _is_whole_quote(quote: Quote) -> bool:
    return quote.answer_text.strip() == quote.text.strip()


def _quote(quote: Quote, number: int, checked: Checked) -> str:
    beside = f"{_tick(quote.citation, checked)}{_FEEDBACK}"
    byline = _byline(_chip(quote.citation, number, checked), quote.citation, speaker=quote.speaker, beside=beside)
    return f'<div class="quote"><blockquote dir="auto">{_words(quote)}</blockquote>{byline}{_near_copies(quote)}</div>'


def _words(quote: Quote) -> str:
    """Return the quote with its answering words bold, unless they are all of it."""
    if _is_whole_quote(quote):
        return escape(quote.text)
    start = quote.citation.span.start
    before, after = quote.text[: quote.answer.start - start], quote.text[quote.answer.end - start :]
    return f"{escape(before)}<strong>{escape(quote.answer_text)}</strong>{escape(after)}"


def _tick(citation: Citation, checked: Checked) -> str:
    """Return the sign that says whether the file on disk still holds what was indexed."""
    state = checked.states.get(citation.doc_id)
    if state is None:
        return ""
    if state == "unchanged":
        words = f"matches the file, sha256 of the text {citation.doc_id}…"
        return f'<span class="tick matches" title="{words}">✓<span class="unseen"> matches the file</span></span>'
    return f'<span class="tick amber">▲ source {"changed" if state == "changed" else "gone"}</span>'


def _shortened(author: str) -> str:
    return author if len(author) <= AUTHOR_SHOWN else f"{author[:AUTHOR_SHOWN].rstrip()} …"


def _byline(chip: str, citation: Citation, *, speaker: Speaker | None = None, beside: str = "") -> str:
    said = f'<bdi class="speaker">{one_line(str(speaker))}</bdi>' if speaker else ""
    source = f'<bdi class="source">{one_line(citation.source)}</bdi>'
    author = f'<bdi class="author">{one_line(_shortened(citation.author))}</bdi>' if citation.author else ""
    dated = f'<span class="date">{one_line(day(citation.date))}</span>' if citation.date else ""
    page = f'<span class="page">page {citation.page:,}</span>' if citation.page else ""
    facts = f"{said}{source}{author}{dated}{page}{_raw_tag(citation.quote)}{_copies(citation)}{beside}"
    return f'<div class="byline">{chip}{facts}</div>'


def _chip(citation: Citation, number: int, checked: Checked) -> str:
    """Return the numbered link that opens a citation, its own deep link, and what it shows before it is opened."""
    return (
        f'<span class="cite"><a class="chip" href="?cite={citation.id}">'
        f'<span class="unseen">Open citation </span>{number}</a>{_preview(citation, checked)}</span>'
    )


def _preview(citation: Citation, checked: Checked) -> str:
    if citation.id not in checked.surroundings:
        return ""
    before, after = checked.surroundings[citation.id]
    where = one_line(f"{citation.title}, characters {citation.span.start:,}–{citation.span.end:,}")
    words = f"{escape(before)}<b>{escape(shortened(citation.quote))}</b>{escape(after)}"
    return (
        f'<span class="preview" role="tooltip"><bdi class="where">{where}</bdi>'
        f'<span class="words" dir="auto">{words}</span></span>'
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


def _related(answer: Answer, numbers: Iterator[int], checked: Checked) -> str:
    related = [passage for passage in answer.related if not _is_quoted(passage, answer)]
    if not related:
        return ""
    name = "Closest" if answer.verdict is Verdict.NOT_FOUND else "Other close"
    items = "".join(_passage(passage, next(numbers), checked) for passage in related)
    return f'<details class="related"><summary>{name} passages (not answers)</summary>{items}</details>'


def _is_quoted(passage: Passage, answer: Answer) -> bool:
    return any(q.citation.doc_id == passage.doc_id and q.citation.span.overlaps(passage.span) for q in answer.quotes)


def _passage(passage: Passage, number: int, checked: Checked) -> str:
    return (
        f'<div class="passage"><blockquote dir="auto">{escape(passage.text)}</blockquote>'
        f"{_byline(_chip(passage.citation, number, checked), passage.citation)}</div>"
    )


def parcel(name: str, text: str, *, is_copied: bool) -> str:
    """Return something to copy or to save; in base64 it arrives exactly, and cannot act on its way."""
    body = base64.b64encode(text.encode()).decode()
    kind = "copy" if is_copied else "save"
    return f'<i data-kind="{kind}" data-name="{name}" data-body="{body}" data-at="{time.time_ns()}"></i>'
