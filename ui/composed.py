"""How does what a language model wrote become HTML that cannot be taken for a quote? Everything is escaped."""

from __future__ import annotations

from collections.abc import Mapping

from qa.escaping import count, day, escape, one_line
from qa.llm.composing import Composed, Sentence, State
from qa.llm.prompt import NumberedSpan
from qa.results import Answer


def composed_section(composed: Composed, answer: Answer) -> tuple[str, int]:
    """Return the model's part of an answer, on one line, and how many numbers it takes after those of the quotes.

    Checked sentences come first, then the spans that are not among the quotes, then what is unsupported.
    """
    shown = composed.shown_numbers(answer)
    chips = {span.number: _chip(span, shown[span.number]) for span in composed.spans}
    prose = " ".join(_sentence(sentence, chips) for sentence in composed.supported)
    added = [span for span in composed.spans if shown[span.number] > len(answer.quotes)]
    section = (
        f'<section class="composed"><h3>Language model <bdi class="receiver">{one_line(composed.receiver)}</bdi></h3>'
        f"{_said(composed)}{_paragraph(prose)}{''.join(_span(span, chips) for span in added)}"
        f"{_unsupported(composed, chips)}</section>"
    )
    return section, len(added)


def announced(composed: Composed) -> str:
    """Return what a screen reader hears when the model is finished; nothing while it writes."""
    if composed.state is State.WRITING:
        return ""
    return escape(composed.problem) or f"The language model wrote {count(len(composed.supported), 'checked sentence')}."


def _chip(span: NumberedSpan, number: int) -> str:
    return f'<a class="chip" href="?cite={span.citation.id}"><span class="unseen">Open citation </span>{number}</a>'


def _paragraph(prose: str) -> str:
    return f'<p class="prose" dir="auto">{prose}</p>' if prose else ""


def _said(composed: Composed) -> str:
    """Return what there is to know about the whole: how far it is, or why there is nothing."""
    if composed.state is State.FAILED:
        return f'<p class="problem" dir="auto">{escape(composed.problem)} The quotes above do not depend on it.</p>'
    if composed.state is State.WRITING:
        return '<p class="searching">The language model reads the passages …</p>'
    if not composed.supported and not composed.spans:
        return '<p class="why">It found nothing in the passages that it could show.</p>'
    if composed.supported:
        return '<p class="why">Its own words, each sentence checked against the passages it names.</p>'
    return ""


def _sentence(sentence: Sentence, chips: Mapping[int, str]) -> str:
    return f"{escape(sentence.text)} {''.join(chips[number] for number in sentence.numbers)}"


def _span(span: NumberedSpan, chips: Mapping[int, str]) -> str:
    citation = span.citation
    dated = f'<span class="date">{one_line(day(citation.date))}</span>' if citation.date else ""
    source = f'<bdi class="source">{one_line(citation.source)}</bdi>'
    return (
        f'<div class="passage"><blockquote dir="auto">{escape(citation.quote)}</blockquote>'
        f'<div class="byline">{chips[span.number]}{source}{dated}</div></div>'
    )


def _unsupported(composed: Composed, chips: Mapping[int, str]) -> str:
    if not composed.unsupported:
        return ""
    rows = "".join(
        f'<li dir="auto">{_sentence(sentence, chips)} <span class="reason">{escape(sentence.problem)}</span></li>'
        for sentence in composed.unsupported
    )
    summary = f"Unsupported: {count(len(composed.unsupported), 'sentence')} that the documents do not bear out"
    return f'<details class="unsupported"><summary>{summary}</summary><ul>{rows}</ul></details>'
