"""Rich text files."""

from __future__ import annotations

import re

from index.documents import Source
from index.loading.loaded import Loaded, Unreadable, iso_date, label, one_document

_FACT = r"\{\\%s ((?:[^{}\\]|\\[^{}]){1,1000})\}"
_CREATED = re.compile(r"\{\\creatim\s*\\yr(\d{4})\\mo(\d{1,2})\\dy(\d{1,2})")
_HEAD = 20_000  # characters within which the facts stand


def read_rtf(data: bytes, name: str) -> Loaded:
    """Return a rich text file as one document."""
    if not data.lstrip().startswith(b"{\\rtf"):
        raise Unreadable("not a rich text file" if data else "empty")
    markup = data.decode("latin-1")  # of ASCII characters by its standard; others are escaped
    created = _CREATED.search(markup[:_HEAD])
    source = Source(
        name,
        title=_fact(markup, "title"),
        date=iso_date("{}-{:0>2}-{:0>2}".format(*created.groups())) if created else None,
        author=_fact(markup, "author"),
    )
    return one_document(_text(markup).strip(), source)


def _fact(markup: str, kind: str) -> str | None:
    found = re.search(_FACT % kind, markup[:_HEAD])
    return label(_text(f"{{\\rtf1\\ansi {found[1]}}}")) if found else None


def _text(markup: str) -> str:
    from striprtf import striprtf

    return str(striprtf.rtf_to_text(markup, errors="replace"))
