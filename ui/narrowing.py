"""Which documents may answer: the filters of a conversation, set and dropped one at a time, shown as chips."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from qa import escaping
from qa.retrieval import Filters

if TYPE_CHECKING:
    from index.documents import Document

ITEMS = 20  # documents, and sources, that one conversation may be narrowed to
CHARACTERS = 300


def narrowed(filters: Filters, change: Mapping[str, object]) -> Filters:
    """Return the filters after a change that comes from the browser; what makes no sense in it changes nothing.

    Args:
        filters: as they are.
        change: ``{"add": kind, "value": text}`` or ``{"drop": kind, "value": text}``; kinds are ``document``,
            ``source``, ``since`` and ``until``.

    Raises:
        QuestionError: a date is none.
    """
    value = change.get("value")
    if not isinstance(value, str) or not value.strip() or len(value) > CHARACTERS:
        return filters
    if "add" in change:
        return _with(filters, change["add"], value.strip())
    return _without(filters, change.get("drop"), value)


def _with(filters: Filters, kind: object, value: str) -> Filters:
    if kind == "document":
        return replace(filters, documents=_added(filters.documents, value))
    if kind == "source":
        return replace(filters, sources=_added(filters.sources, value))
    if kind == "since":
        return replace(filters, date_from=value)
    return replace(filters, date_to=value) if kind == "until" else filters


def _added(values: tuple[str, ...], value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*values, value)))[:ITEMS]


def _without(filters: Filters, kind: object, value: str) -> Filters:
    if kind == "document":
        return replace(filters, documents=tuple(each for each in filters.documents if each != value))
    if kind == "source":
        return replace(filters, sources=tuple(each for each in filters.sources if each != value))
    if kind == "since":
        return replace(filters, date_from=None)
    return replace(filters, date_to=None) if kind == "until" else filters


def bar(filters: Filters, titles: Mapping[str, str], known: Iterable[Document] = (), problem: str = "") -> str:
    """Return the chips, each a button that drops its filter, and the folded form that adds one.

    Args:
        filters: as they are.
        titles: by document id.
        known: documents whose sources are offered.
        problem: what was wrong with the last change.
    """
    kinds = (
        ("document", "", filters.documents),
        ("source", "", filters.sources),
        ("since", "from ", (filters.date_from,) if filters.date_from else ()),
        ("until", "until ", (filters.date_to,) if filters.date_to else ()),
    )
    chips = "".join(
        _chip(kind, value, f"{word}{titles.get(value, value) if kind == 'document' else value}")
        for kind, word, values in kinds
        for value in values
    )
    wrong = f'<p class="problem" role="alert">{escaping.escape(problem)}</p>' if problem else ""
    lead = '<span class="lead">Only</span>' if chips else ""
    return f'<div class="narrowing"><div class="chips">{lead}{chips}</div>{wrong}{_form(known)}</div>'


def _chip(kind: str, value: str, shown: str) -> str:
    return (
        f'<button type="button" class="drop" data-kind="{kind}" data-value="{escaping.escape(value)}">'
        f'<bdi>{escaping.one_line(shown)}</bdi><span aria-hidden="true"> ×</span>'
        '<span class="unseen">, remove</span></button>'
    )


def _form(known: Iterable[Document]) -> str:
    sources = sorted({document.source for document in known})
    options = "".join(f'<option value="{escaping.one_line(source)}"></option>' for source in sources)
    return (
        '<details class="narrow"><summary>Narrow the search</summary><form>'
        f'<label>Source <input name="source" list="sources" maxlength="{CHARACTERS}" placeholder="*Reuters*"></label>'
        f'<datalist id="sources">{options}</datalist>'
        '<label>From <input name="since" type="date"></label><label>Until <input name="until" type="date"></label>'
        '<button type="submit">Apply</button></form></details>'
    )
