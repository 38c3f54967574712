"""An answer as something to take away: Markdown, JSON, and the Python call that gives it again. Nothing is escaped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from qa.results import Answer, Passage, Quote, Verdict
from qa.retrieval import Filters

if TYPE_CHECKING:
    from qa.results import Citation


def as_json(answer: Answer) -> str:
    """Return the JSON of ``pincite ask --json``."""
    return json.dumps(answer.to_dict(), ensure_ascii=False, indent=2) + "\n"


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


def as_markdown(answer: Answer) -> str:
    """Return the answer with its numbered quotes, titles, dates and places."""
    parts = [f"# {answer.question}", _verdict(answer)]
    number = 0
    for claim in answer.claims:
        parts.append(f"## {' '.join(claim.text.split())}")
        for quote in claim.quotes:
            number += 1
            parts.append(_quote(number, quote))
    if not answer.claims:
        parts += [_passage(number, passage) for number, passage in enumerate(answer.related, 1)]
    return "\n\n".join([*parts, f"Index {answer.index_id}"]) + "\n"


def _verdict(answer: Answer) -> str:
    if answer.verdict is Verdict.DIFFERS:
        return f"Sources differ: {len(answer.claims)} claims."
    if answer.verdict is Verdict.NOT_FOUND:
        missing = f" Found nowhere: {', '.join(answer.missing_words)}." if answer.missing_words else ""
        return f"Not in the documents.{missing}" + (" Closest passages, not answers:" if answer.related else "")
    return "Answered."


def _quote(number: int, quote: Quote) -> str:
    said = f"{quote.speaker} · " if quote.speaker else ""
    return f"{_block(quote.text)}\n\n[{number}] {said}{_place(quote.citation)}"


def _passage(number: int, passage: Passage) -> str:
    return f"{_block(passage.text)}\n\n[{number}] {_place(passage.citation)}"


def _block(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.strip().split("\n"))


def _place(citation: Citation) -> str:
    facts = [citation.title, citation.source if citation.source != citation.path else None, citation.date]
    facts += [f"{citation.path}, {citation.place}", citation.id]
    return " · ".join(fact for fact in facts if fact)
