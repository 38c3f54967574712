"""The table of formats: which function reads which suffix, and where it runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from index.loading.archives import gunzip, read_zip
from index.loading.epub import read_epub
from index.loading.html import read_html
from index.loading.isolation import load_isolated
from index.loading.loaded import Loaded, Unreadable
from index.loading.mail import read_eml
from index.loading.office import read_docx, read_pptx
from index.loading.opendocument import read_odt
from index.loading.pdf import read_pdf
from index.loading.plain import read_markdown, read_text
from index.loading.records import read_csv, read_json, read_jsonl, read_tsv
from index.loading.rtf import read_rtf

TIMEOUT_S = 60.0
ARCHIVE_TIMEOUTS = 10  # an archive may take as long as ten files

# Characters that are there and not seen: zero-width, bidirectional overrides, tag characters.
_HIDDEN = re.compile("[\u200b\u2060-\u2064\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]")


@dataclass(frozen=True, slots=True)
class Format:
    """How files of a suffix are read.

    Attributes:
        read: bytes and name to documents; the same bytes always give the same.
        isolated: read in another process, which has limits of memory and time and can open nothing.
        libraries: what ``read`` imports; the other process does so beforehand.
    """

    read: Callable[[bytes, str], Loaded]
    isolated: bool = False
    libraries: tuple[str, ...] = ()


_XML = ("defusedxml.ElementTree",)
_PAGES = ("selectolax.lexbor", "charset_normalizer")
_HTML = Format(read_html, isolated=True, libraries=_PAGES)
_TEXTS = {
    ".txt": Format(read_text),
    ".text": Format(read_text),
    ".md": Format(read_markdown),
    ".markdown": Format(read_markdown),
    ".html": _HTML,
    ".htm": _HTML,
    ".csv": Format(read_csv),
    ".tsv": Format(read_tsv),
    ".json": Format(read_json, isolated=True),
    ".jsonl": Format(read_jsonl),
}
FORMATS = {
    **_TEXTS,
    ".pdf": Format(read_pdf, isolated=True, libraries=("pypdfium2",)),
    ".docx": Format(read_docx, isolated=True, libraries=_XML),
    ".pptx": Format(read_pptx, isolated=True, libraries=_XML),
    ".odt": Format(read_odt, isolated=True, libraries=_XML),
    ".epub": Format(read_epub, isolated=True, libraries=(*_XML, *_PAGES)),
    ".rtf": Format(read_rtf, isolated=True, libraries=("striprtf.striprtf",)),
    ".eml": Format(read_eml, isolated=True, libraries=("email.parser", "email.policy", "email.utils", *_PAGES)),
}
_PACKED_TEXTS = {f"{suffix}.gz": form for suffix, form in _TEXTS.items()}
_ALL = {**FORMATS, **_PACKED_TEXTS}
_ZIP = ".zip"


def load(data: bytes, *, name: str, timeout_s: float = TIMEOUT_S) -> Loaded:
    """Return the documents of one file. The same bytes and name always give the same; any number of threads may call.

    Args:
        data: the file's bytes.
        name: its name in the corpus; the suffix chooses the reader, and the sources are called by it.
        timeout_s: how long a format that is read in another process may take.

    Raises:
        Unreadable: the bytes hold no text in that format.
        OSError: the other process cannot be started.
    """
    if name.lower().endswith(_ZIP):
        loaded = read_zip(
            data,
            name,
            suffixes=FORMATS,
            load_member=partial(_load_one, timeout_s=timeout_s),
            timeout_s=timeout_s * ARCHIVE_TIMEOUTS,
        )
    else:
        loaded = _load_one(data, name, timeout_s=timeout_s)
    if not loaded.documents:
        raise Unreadable(loaded.notes[0] if loaded.notes else "no text")
    return loaded


def _load_one(data: bytes, name: str, *, timeout_s: float) -> Loaded:
    suffix = _suffix(name)
    if suffix in _PACKED_TEXTS:
        data = gunzip(data)
    form = _ALL[suffix]
    if not data:
        raise Unreadable("empty")
    loaded = load_isolated(data, name, timeout_s=timeout_s) if form.isolated else form.read(data, name)
    hidden = any(_HIDDEN.search(document.text) for document in loaded.documents)
    return Loaded(loaded.documents, (*loaded.notes, *(("hidden characters",) if hidden else ())))


def read_here(data: bytes, name: str) -> Loaded:
    """Return the documents of one file, read in this process; for the process that `load` keeps for it."""
    return _ALL[_suffix(name)].read(data, name)


def _suffix(name: str) -> str:
    """Return the longest suffix of a name that has a reader."""
    return max((suffix for suffix in _ALL if name.lower().endswith(suffix)), key=len)


def readable_suffixes() -> frozenset[str]:
    """Return every suffix that `load` reads, ``.txt`` and ``.txt.gz`` among them."""
    return frozenset((*_ALL, _ZIP))


def readable_names() -> str:
    """Return the formats as a sentence part, ``.csv, .docx, ... and texts in .gz``."""
    return f"{', '.join(sorted((*FORMATS, _ZIP)))}, and texts in .gz"
