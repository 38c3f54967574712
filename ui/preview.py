"""Which words stand either side of a quote? What a citation shows before it is opened. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from index.documents import Span

REACH = 110  # characters looked at on either side; a clause is seldom longer
SHORTEST = 20  # a shorter remainder is no clause: the mark before it is passed over
SHOWN = 320  # characters of the quote itself; of a longer one its beginning and its end are shown

Surroundings = Mapping[str, tuple[str, str]]
"""By citation id, the words before and after."""

_CLAUSE_ENDS = re.compile(r"[.;:!?…](?=\s)|\n")


def surroundings(text: str, span: Span) -> tuple[str, str]:
    """Return the clause before a span and the one after it, whole words; "" at the text's own ends."""
    return _before(text[max(0, span.start - REACH) : span.start], span.start > REACH), _after(
        text[span.end : span.end + REACH], span.end + REACH < len(text)
    )


def _before(near: str, is_cut: bool) -> str:
    ends = [end.end() for end in _CLAUSE_ENDS.finditer(near) if len(near[end.end() :].strip()) >= SHORTEST]
    if ends:
        return near[ends[-1] :].lstrip()
    return f"… {near.partition(' ')[2]}" if is_cut else near


def _after(near: str, is_cut: bool) -> str:
    for end in _CLAUSE_ENDS.finditer(near):
        if len(near[: end.end()].strip()) >= SHORTEST:
            return near[: end.end()].rstrip()
    return f"{near.rpartition(' ')[0]} …" if is_cut else near


def shortened(quote: str) -> str:
    """Return the quote, or its first and last words when it is long."""
    if len(quote) <= SHOWN:
        return quote
    half = SHOWN // 2
    return f"{quote[:half].rpartition(' ')[0] or quote[:half]} … {quote[-half:].partition(' ')[2] or quote[-half:]}"
