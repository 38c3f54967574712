"""How does text that may be hostile become HTML or Markdown that shows it and does nothing? Pure.

The chat shows these strings through a Markdown renderer, the reader through ``innerHTML``; ``escape`` is safe in both.
"""

from __future__ import annotations

import re
import string
import unicodedata
from datetime import date

RAW_TEXT_WORDS = 8  # fewer words without punctuation are a phrase, not a text that lost its punctuation

# An ASCII mark written as a character reference can neither open a tag nor mean anything in Markdown or a template.
_REFERENCES = {ord(mark): f"&#{ord(mark)};" for mark in string.punctuation + "\n\t"}

# Characters that are not seen but act: controls, bidi overrides, zero-width and tag characters. The joiners U+200C
# and U+200D are part of how Persian, Indic scripts and emoji are written, so they stay between two non-ASCII letters.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    "|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)

# What Markdown and its common extensions (tables, mathematics, strikethrough, footnotes) act on, anywhere or first in
# a line. A backslash keeps the words readable where nothing renders them, which a reference would not.
_MARKDOWN = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>&~|$#"})
_FIRST_IN_LINE = re.compile(r"^[ \t]*(?:(?P<mark>[+=:-])|(?P<number>\d{1,9})(?P<point>[.)]))?", re.MULTILINE)


def visible(text: str) -> str:
    """Return the text with every hidden or acting character spelled out, ``⟦U+202E⟧``."""
    return _HIDDEN.sub(lambda match: f"⟦U+{ord(match[0]):04X}⟧", text)


def escape(text: str) -> str:
    """Return text that shows as itself in HTML, in a quoted attribute and in Markdown, and does nothing there."""
    return visible(text).translate(_REFERENCES)


def one_line(text: str) -> str:
    """Return a title, path or name escaped; a line break in it is spelled out rather than obeyed."""
    return escape(text.replace("\n", "⟦U+000A⟧").replace("\t", "⟦U+0009⟧"))


def markdown(text: str, bold: slice = slice(0)) -> str:
    """Return text that Markdown shows as the same words, line by line; no image, link, heading or HTML comes of it.

    A bare address in it stays one: many viewers make a link of that, which says where it leads.

    Args:
        text: any.
        bold: which of its characters are to stand out; left plain where asterisks around them could mean anything else.
    """
    words = text[bold]
    if words[:1].isalnum() and words[-1:].isalnum() and "\n" not in words:
        pieces = f"{_inline(text[: bold.start])}**{_inline(words)}**{_inline(text[bold.stop :])}"
    else:
        pieces = _inline(text)
    return _FIRST_IN_LINE.sub(_first_in_line, pieces)


def _inline(text: str) -> str:
    return visible(text).translate(_MARKDOWN)


def _first_in_line(match: re.Match[str]) -> str:
    if match["number"]:
        return f"{match['number']}\\{match['point']}"
    return f"\\{match['mark']}" if match["mark"] else ""


def markdown_line(text: str) -> str:
    """Return a title, path or name for Markdown, on one line."""
    return markdown(" ".join(text.split()))


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
