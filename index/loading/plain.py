"""Plain text, and Markdown with its front matter; both are kept as they are written."""

from __future__ import annotations

import re
from typing import Any

from index.documents import Source
from index.loading.decoding import decode
from index.loading.loaded import Loaded, iso_date, label, names, one_document

_FRONT_MATTER = re.compile(r"\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", re.DOTALL)
_FRONT_MATTER_CHARACTERS = 20_000
_HEADING = re.compile(r"^#{1,3}[ \t]+([^\s#].*)", re.MULTILINE)


def read_text(data: bytes, name: str) -> Loaded:
    """Return a text file as one document."""
    decoded = decode(data)
    return one_document(decoded.text, Source(name), decoded.notes)


def read_markdown(data: bytes, name: str) -> Loaded:
    """Return a Markdown file as one document: its source text, without the front matter."""
    decoded = decode(data)
    front, body = _front_matter(decoded.text)
    heading = _HEADING.search(body)
    source = Source(
        name,
        title=label(front.get("title")) or label(heading[1].rstrip(" \t#") if heading else None),
        publisher=label(front.get("source") or front.get("publisher")),
        date=iso_date(front.get("date")),
        author=names(front.get("author") or front.get("authors")),
    )
    return one_document(body, source, decoded.notes)


def _front_matter(text: str) -> tuple[dict[str, Any], str]:
    """Return the YAML at the head of a text and the rest; text that only looks like it stays where it is."""
    match = _FRONT_MATTER.match(text[:_FRONT_MATTER_CHARACTERS])
    if match is None:
        return {}, text
    import yaml

    try:
        front = yaml.safe_load(match[1])
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}, text
    if not isinstance(front, dict):
        return {}, text
    return {str(key).lower(): value for key, value in front.items()}, text[match.end() :]
