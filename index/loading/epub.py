"""EPUB books: their chapters in reading order, each read as a page."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

from index.documents import Source
from index.loading.container import Container
from index.loading.html import decode_page, text_of_page
from index.loading.loaded import Loaded, Unreadable, iso_date, label, names, one_document
from index.loading.safe_xml import Fields, feed

_KIND = "an EPUB book"
_PAGES = ("application/xhtml+xml", "text/html")


def read_epub(data: bytes, name: str) -> Loaded:
    """Return a book as one document."""
    container = Container(data, kind=_KIND)
    located = _Package()
    feed(container.pieces("META-INF/container.xml"), located)
    package = _Package()
    feed(container.pieces(located.root_file), package)
    folder = posixpath.dirname(located.root_file)
    paths = [posixpath.normpath(posixpath.join(folder, unquote(href))) for href in package.chapters()]
    _refuse_encrypted(container, paths)
    chapters = [text_of_page(decode_page(page).text) for path in paths if (page := container.read(path)).strip()]
    source = Source(
        name,
        title=label(package.first("title")),
        publisher=label(package.first("publisher")),
        date=iso_date(package.first("date")),
        author=names(package.values.get("creator")),
    )
    return one_document("\n\n".join(chapter for chapter in chapters if chapter), source)


def _refuse_encrypted(container: Container, paths: list[str]) -> None:
    listed = "META-INF/encryption.xml"
    if listed in container:
        encrypted = container.read(listed)  # it may name fonts alone, which are only disguised
        if any(path.encode() in encrypted for path in paths):
            raise Unreadable("password-protected")


class _Package(Fields):
    """Collects the facts of a book, its files, and their order; also where the container says that all this stands."""

    def __init__(self) -> None:
        super().__init__()
        self.root_file = ""
        self._files: dict[str, str] = {}
        self._order: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        super().start(tag, attributes)
        if tag == "rootfile":
            self.root_file = self.root_file or attributes.get("full-path", "")
        elif tag == "item" and attributes.get("media-type") in _PAGES:
            self._files[attributes.get("id", "")] = attributes.get("href", "")
        elif tag == "itemref":
            self._order.append(attributes.get("idref", ""))

    def chapters(self) -> list[str]:
        """Return the addresses of the chapters in reading order, each once."""
        return list(dict.fromkeys(self._files[each] for each in self._order if each in self._files))
