"""OpenDocument texts, as LibreOffice writes them."""

from __future__ import annotations

from index.documents import Source
from index.loading.container import Container
from index.loading.loaded import Loaded, Unreadable, iso_date, label, one_document
from index.loading.safe_xml import Fields, feed

_KIND = "an OpenDocument text"
_UNREAD = frozenset(("tracked-changes", "annotation", "forms", "scripts", "automatic-styles", "font-face-decls"))
_SPACES_AT_ONCE = 1000


def read_odt(data: bytes, name: str) -> Loaded:
    """Return an OpenDocument text as one document, without deleted passages and comments."""
    container = Container(data, kind=_KIND)
    if _is_encrypted(container):
        raise Unreadable("password-protected")
    body = _Body()
    feed(container.pieces("content.xml"), body)
    if not body.is_text:
        raise Unreadable(f"not {_KIND}")
    fields = Fields()
    if "meta.xml" in container:
        feed(container.pieces("meta.xml"), fields)
    source = Source(
        name,
        title=label(fields.first("title")),
        date=iso_date(fields.first("creation-date", "date")),
        author=label(fields.first("initial-creator", "creator")),
    )
    return one_document(body.text(), source)


def _is_encrypted(container: Container) -> bool:
    manifest = "META-INF/manifest.xml"
    return manifest in container and b"encryption-data" in container.read(manifest)


class _Body:
    """Collects the text of paragraphs and headings, blank lines between them."""

    def __init__(self) -> None:
        self.is_text = False
        self._parts: list[str] = []
        self._paragraphs = self._unread = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in _UNREAD:
            self._unread += 1
        elif tag in ("p", "h"):
            self._paragraphs += 1
        elif tag == "text":
            self.is_text = True
        elif tag == "s":
            count = attributes.get("c", "1")
            self.data(" " * min(int(count) if count.isdecimal() else 1, _SPACES_AT_ONCE))
        elif tag == "tab":
            self.data("\t")
        elif tag == "line-break":
            self.data("\n")

    def data(self, text: str) -> None:
        if self._paragraphs and not self._unread:
            self._parts.append(text)

    def end(self, tag: str) -> None:
        if tag in _UNREAD:
            self._unread -= 1
        elif tag in ("p", "h"):
            self._paragraphs -= 1
            if not self._unread:
                self._parts.append("\n\n")

    def text(self) -> str:
        paragraphs = "".join(self._parts).split("\n\n")
        return "\n\n".join(paragraph for paragraph in paragraphs if paragraph.strip())
