"""An answer as something to take away: Markdown, JSON, and the Python call that gives it again."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as percent_encoded

from qa.escaping import count, markdown, markdown_line
from qa.results import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qa.llm.composing import Composed
    from qa.results import Answer, Citation, CitationCheck, Passage, Quote
    from qa.retrieval import Filters


def as_dict(answer: Answer, composed: Composed | None = None) -> dict[str, Any]:
    """Return the answer's JSON form, with what a language model made of it where one did."""
    beside = {"composed": composed.to_dict()} if composed else {}
    return {**answer.to_dict(), **beside}


def as_json(answer: Answer, composed: Composed | None = None) -> str:
    """Return the JSON of ``pincite ask --json`` as text."""
    return json.dumps(as_dict(answer, composed), ensure_ascii=False, indent=2) + "\n"


def as_python(answer: Answer, filters: Filters) -> str:
    """Return a program that asks the same question of the same index folder."""
    names = "Corpus, Filters" if filters else "Corpus"
    narrowed = f", filters={_filters(filters)}" if filters else ""
    return (
        f"from qa import {names}\n\n"
        'corpus = Corpus.open(".pincite")  # the index folder\n'
        f"answer = corpus.ask({answer.question!r}{narrowed})\n"
        "for quote in answer.quotes:\n"
        "    print(quote.answer_text, quote.citation.id, quote.text, sep='\\n')\n"
    )


def _filters(filters: Filters) -> str:
    named = {name: getattr(filters, name) for name in ("documents", "sources", "date_from", "date_to")}
    return f"Filters({', '.join(f'{name}={value!r}' for name, value in named.items() if value)})"


def as_markdown(answer: Answer, composed: Composed | None = None) -> str:
    """Return the answer under its question, with its numbered quotes, titles, dates, places and citation ids.

    Args:
        answer: words of documents in it show as themselves and do nothing.
        composed: what a language model made of it; follows the quotes, without what is unsupported.
    """
    beside = _composed(composed, answer) if composed else []
    parts = [f"# {markdown_line(answer.question)}", *blocks(answer), *beside, f"Index {answer.index_id}"]
    return "\n\n".join(parts) + "\n"


def blocks(answer: Answer, *, page: str | None = None) -> list[str]:
    """Return the answer in blocks of Markdown: the verdict, then each claim and its quotes, or the nearest passages.

    Args:
        answer: words of documents in it show as themselves and do nothing.
        page: address of a served page; each number then opens its citation there.
    """
    parts, numbers = [markdown(verdict(answer))], itertools.count(1)
    for claim in answer.claims:
        parts.append(f"## {markdown_line(claim.text)}")
        for quote in claim.quotes:
            parts += _quote(next(numbers), quote, page)
    return parts if answer.claims else parts + passage_blocks(answer.related, page=page)


def passage_blocks(passages: Iterable[Passage], *, page: str | None = None) -> list[str]:
    """Return passages with their places, in blocks of Markdown; see `blocks`."""
    parts = []
    for number, passage in enumerate(passages, 1):
        parts += [_quoted(markdown(passage.text))]
        parts += [f"{number_of(number, passage.citation, page)} {_place(passage.citation)}"]
    return parts


def citation_blocks(check: CitationCheck) -> list[str]:
    """Return what became of a citation, and the words that stand there now, in blocks of Markdown."""
    where = markdown_line(check.path or "no file the index remembers")
    if check.citation is None:
        return [f"{check.state.value}: {where}"]
    return [f"{check.state.value}: {_place(check.citation)}", _quoted(markdown(check.citation.quote))]


def verdict(answer: Answer) -> str:
    """Return which words of the question were read as others, and how the documents stand to it, as plain text."""
    return " ".join(filter(None, (respelled(answer), _verdict(answer))))


def _verdict(answer: Answer) -> str:
    if answer.verdict is Verdict.ANSWERED:
        return "Answered."
    if answer.verdict is Verdict.DIFFERS:
        return f"Sources differ: {len(answer.claims)} claims."
    missing = f" Found nowhere: {', '.join(answer.missing_words)}." if answer.missing_words else ""
    return f"Not in the documents.{missing}" + (" Closest passages, not answers:" if answer.related else "")


def respelled(answer: Answer) -> str:
    """Return which words of the question were read as others, as plain text; "" for none."""
    return " ".join(
        f"“{typed}” stands nowhere in the documents and was read as “{read}”." for typed, read in answer.read_as.items()
    )


def facts(citation: Citation) -> list[str]:
    """Return title, author, publisher, date and place of a citation, as far as there are such, as plain text."""
    publisher = citation.source if citation.source != citation.path else None
    known = [citation.title, citation.author, publisher, citation.date, f"{citation.path}, {citation.place}"]
    return [fact for fact in known if fact]


def _quote(number: int, quote: Quote, page: str | None) -> list[str]:
    said = f"{markdown_line(str(quote.speaker))} · " if quote.speaker else ""
    lines = [_quoted(_words(quote)), f"{number_of(number, quote.citation, page)} {said}{_place(quote.citation)}"]
    if quote.copies:
        lines.append("Nearly the same text: " + "; ".join(_place(copy) for copy in quote.copies))
    return lines


def _composed(composed: Composed, answer: Answer) -> list[str]:
    """Return the model's checked sentences, then the spans they name that are not among the quotes."""
    shown = composed.shown_numbers(answer)
    parts = [f"## Language model: {markdown_line(composed.receiver)}"]
    if composed.supported:
        told = (f"{s.text} {''.join(f'[{shown[number]}]' for number in s.numbers)}" for s in composed.supported)
        parts += ["Its own words, each sentence checked against the passages it names:", markdown(" ".join(told))]
    for span in composed.spans:
        if (number := shown[span.number]) > len(answer.quotes):
            parts += [_quoted(markdown(span.citation.quote)), f"[{number}] {_place(span.citation)}"]
    if composed.problem:
        parts.append(markdown_line(composed.problem))
    if composed.unsupported:
        parts.append(f"Left out: {count(len(composed.unsupported), 'sentence')} that the documents do not bear out.")
    return parts


def _words(quote: Quote) -> str:
    """Return the quote with its answering words bold, unless they are all of it."""
    start = quote.citation.span.start
    answer = slice(quote.answer.start - start, quote.answer.end - start)
    return markdown(quote.text, slice(0) if quote.answer_text == quote.text else answer)


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.strip().split("\n"))


def number_of(number: int, citation: Citation, page: str | None) -> str:
    """Return a quote's number in brackets; with the address of a served page it opens the citation there."""
    return f"[\\[{number}\\]]({page}?cite={percent_encoded(citation.id)})" if page else f"[{number}]"


def _place(citation: Citation) -> str:
    return " · ".join(markdown_line(fact) for fact in [*facts(citation), citation.id])
