"""PDF files: the text layer of each page."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from index.documents import Source
from index.loading.loaded import Loaded, Unreadable, iso_date, label, paged_document

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_PASSWORD_NEEDED = 4  # PDFium's number for it
_DATE = re.compile(r"D:(\d{4})(\d{2})(\d{2})")
_SAVED_BY_WORD = re.compile(r"^Microsoft Word - |\.docx?$")
_NO_TITLE = ("untitled", "title", "")
_HYPHEN_AT_LINE_END = re.compile("[\ufffe\x02](\r?\n)?")  # PDFium marks a hyphen it takes for a word division


def read_pdf(data: bytes, name: str) -> Loaded:
    """Return a PDF as one document that knows its pages."""
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        locked = getattr(error, "err_code", None) == _PASSWORD_NEEDED
        raise Unreadable("password-protected" if locked else "not a readable PDF") from None
    with contextlib.closing(pdf):
        bare: list[int] = []
        pages = list(_page_texts(pdf, bare))
        if not any(page.strip() for page in pages):
            raise Unreadable("no text layer; OCR is not done")
        note = f"no text layer on {len(bare)} of {len(pages)} pages, OCR is not done; first: {min(bare, default=0)}"
        return paged_document(pages, _source(pdf, name), (note,) if bare else ())


def _page_texts(pdf: PdfDocument, bare: list[int]) -> Iterator[str]:
    """Yield each page's text; the numbers of pages that show something and have no text go to ``bare``."""
    import pypdfium2

    for number in range(len(pdf)):
        try:
            page = pdf[number]
            text_page = page.get_textpage()
        except pypdfium2.PdfiumError:
            bare.append(number + 1)
            yield ""
            continue
        text = _HYPHEN_AT_LINE_END.sub("", text_page.get_text_range())
        if not text.strip() and next(page.get_objects(max_depth=1), None) is not None:
            bare.append(number + 1)
        text_page.close()
        page.close()
        yield text


def _source(pdf: PdfDocument, name: str) -> Source:
    facts = pdf.get_metadata_dict()
    title = _SAVED_BY_WORD.sub("", facts.get("Title", "").strip())
    created = _DATE.match(facts.get("CreationDate", ""))
    return Source(
        name,
        title=label(title) if title.lower() not in _NO_TITLE else None,
        date=iso_date("-".join(created.groups())) if created else None,
        author=label(facts.get("Author")),
    )
