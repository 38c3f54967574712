"""What a notebook shows of an answer, a passage and a corpus: HTML that can only be read, in light and in dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from index.documents import Span
from index.errors import IndexingError
from qa.escaping import escape, one_line
from qa.export import facts, verdict

if TYPE_CHECKING:
    from qa.corpus import Corpus
    from qa.results import Answer, Citation, Passage, Quote

# Notebooks drop style sheets when they are saved or shared, so each element carries its own; every colour is the
# notebook's or see-through. The classes keep MathJax from setting what stands between two dollar signs.
_BOX = '<div class="pincite mathjax_ignore tex2jax_ignore" style="max-width: 50em; line-height: 1.5">'
_BLOCK = "margin: .5em 0; padding-left: .8em; border-left: 3px solid rgba(128, 128, 128, .5); white-space: pre-wrap"
_MARK = "background: rgba(255, 190, 0, .35); color: inherit"
_LEFT = "text-align: left"
_SMALL = "font-size: .85em; opacity: .8; margin: 0 0 1em"


def answer_html(answer: Answer) -> str:
    """Return the verdict, then each claim with its quotes, or the nearest passages."""
    numbers = iter(range(1, len(answer.quotes) + 1))
    claims = "".join(
        f'<p dir="auto"><b>{one_line(claim.text)}</b></p>'
        + "".join(_quote(quote, next(numbers)) for quote in claim.quotes)
        for claim in answer.claims
    )
    related = "" if answer.claims else "".join(_passage(passage) for passage in answer.related)
    asked = f'<p dir="auto"><i>{one_line(answer.question)}</i></p>'
    index = f'<p style="{_SMALL}">index {one_line(answer.index_id)}</p>'
    return f"{_BOX}{asked}<p>{escape(verdict(answer))}</p>{claims}{related}{index}</div>"


def passage_html(passage: Passage) -> str:
    """Return the passage's words, its rank and score, and its place."""
    return f"{_BOX}{_passage(passage)}</div>"


def corpus_html(corpus: Corpus) -> str:
    """Return what is indexed, from what and when, or why that cannot be said."""
    try:
        status = corpus.status()
    except (IndexingError, OSError) as error:
        return f"{_BOX}<p>{escape(str(error))}</p></div>"
    told = {
        "documents": f"{status.documents:,}",
        "passages": f"{status.chunks:,}",
        "newest": status.newest_date or "no document has a date",
        "folders": ", ".join(status.roots),
        "built": f"{status.built_at}, generation {status.generation}",
        "model": status.model,
        "index": f"{status.index_id} in {status.index_dir}",
    }
    rows = "".join(
        f'<tr><th style="{_LEFT}">{name}</th><td style="{_LEFT}" dir="auto">{one_line(fact)}</td></tr>'
        for name, fact in told.items()
    )
    return f"{_BOX}<table>{rows}</table></div>"


def _quote(quote: Quote, number: int) -> str:
    said = f"<bdi>{one_line(str(quote.speaker))}</bdi> · " if quote.speaker else ""
    copies = "".join(f"<br>nearly the same text: {_place(copy)}" for copy in quote.copies)
    shown = _blockquote(quote.citation, quote.answer)
    return f'{shown}<p style="{_SMALL}">[{number}] {said}{_place(quote.citation)}{copies}</p>'


def _passage(passage: Passage) -> str:
    shown = _blockquote(passage.citation, Span(passage.span.start, passage.span.start))
    return f'{shown}<p style="{_SMALL}">{passage.rank}. score {passage.score:.3f} · {_place(passage.citation)}</p>'


def _blockquote(citation: Citation, marked: Span) -> str:
    text, start = citation.quote, citation.span.start
    before, after = text[: marked.start - start], text[marked.end - start :]
    words = text[marked.start - start : marked.end - start]
    mark = f'<mark style="{_MARK}">{escape(words)}</mark>' if words else ""
    return f'<blockquote dir="auto" style="{_BLOCK}">{escape(before)}{mark}{escape(after)}</blockquote>'


def _place(citation: Citation) -> str:
    shown = " · ".join(f"<bdi>{one_line(fact)}</bdi>" for fact in facts(citation))
    return f"{shown} · <code>{citation.id}</code>"
