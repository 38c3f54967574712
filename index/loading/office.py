"""Word and PowerPoint files (Office Open XML): their paragraphs, and the properties that Office shows."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from index.documents import Source
from index.loading.container import Container
from index.loading.loaded import Loaded, Unreadable, iso_date, label, one_document, paged_document
from index.loading.safe_xml import Fields, feed

_BREAKS = {"br": "\n", "cr": "\n", "tab": "\t", "noBreakHyphen": "\u2011"}
_REPEATED = frozenset(("Fallback", "fld"))  # a text box once more for older programs; a slide's number and date
_OFF = ("0", "false", "off")


def read_docx(data: bytes, name: str) -> Loaded:
    """Return a Word file as one document: its body, then footnotes and endnotes.

    Inserted text of tracked changes is read, deleted and hidden text is not, nor comments, page heads and feet.
    """
    container = _opened(data, "a Word file")
    main = _target(container, "", "officeDocument")
    body = _Paragraphs(root="document", kind="a Word file")
    feed(container.pieces(main), body)
    for part in ("footnotes", "endnotes"):
        if path := _target(container, main, part, optional=True):
            feed(container.pieces(path), body)
    notes = ("hidden text left out",) if body.left_out else ()
    return one_document(body.text(), _source(container, name), notes)


def read_pptx(data: bytes, name: str) -> Loaded:
    """Return a PowerPoint file as one document whose pages are the slides, each with its speaker's notes."""
    container = _opened(data, "a PowerPoint file")
    main = _target(container, "", "officeDocument")
    show = _SlideOrder()
    feed(container.pieces(main), show)
    links = {link.id: link for link in _links(container, main)}
    slides = [links[each].path for each in show.ids if each in links]
    return paged_document((_slide(container, path) for path in slides), _source(container, name))


def _opened(data: bytes, kind: str) -> Container:
    container = Container(data, kind=kind)
    if "[Content_Types].xml" not in container:
        raise Unreadable(f"not {kind}")
    return container


def _source(container: Container, name: str) -> Source:
    fields = Fields()
    if path := _target(container, "", "core-properties", optional=True):
        feed(container.pieces(path), fields)
    return Source(
        name,
        title=label(fields.first("title")),
        date=iso_date(fields.first("created", "modified")),
        author=label(fields.first("creator")),
    )


def _slide(container: Container, path: str) -> str:
    slide = _Paragraphs(root="sld", kind="a PowerPoint file")
    feed(container.pieces(path), slide)
    if notes := _target(container, path, "notesSlide", optional=True):
        feed(container.pieces(notes), slide)
    return slide.text()


# --- parts of a file point at each other in files of links


class _Link:
    """One part's link to another."""

    __slots__ = ("id", "kind", "path")

    def __init__(self, part: str, attributes: dict[str, str]) -> None:
        self.id = attributes.get("Id", "")
        self.kind = attributes.get("Type", "").rpartition("/")[2]
        target = posixpath.join(posixpath.dirname(f"/{part}"), attributes.get("Target", ""))
        self.path = posixpath.normpath(target).lstrip("/")


class _Links:
    """Collects the links of one part to others inside the file."""

    def __init__(self, part: str) -> None:
        self.part = part
        self.found: list[_Link] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "Relationship" and attributes.get("TargetMode") != "External":
            self.found.append(_Link(self.part, attributes))

    def end(self, tag: str) -> None:
        pass

    def data(self, text: str) -> None:
        pass


def _links(container: Container, part: str) -> list[_Link]:
    folder, base = posixpath.split(part)
    path = posixpath.join(folder, "_rels", f"{base}.rels")
    links = _Links(part)
    if path in container:
        feed(container.pieces(path), links)
    return [link for link in links.found if link.path in container]


def _target(container: Container, part: str, kind: str, *, optional: bool = False) -> str:
    """Return the path of the part that another links to by kind; "" when there is none and it is optional."""
    for link in _links(container, part):
        if link.kind == kind:
            return link.path
    if optional:
        return ""
    raise Unreadable(f"not {container.kind}")


# --- text


class _SlideOrder:
    """Collects the link ids of the slides, in the order of the show."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "sldId":
            self.ids.append(attributes.get("r:id", ""))

    def end(self, tag: str) -> None:
        pass

    def data(self, text: str) -> None:
        pass


class _Paragraphs:
    """Collects the text of paragraphs; blank lines stand between them, single line breaks inside tables."""

    def __init__(self, *, root: str, kind: str) -> None:
        self.left_out = False
        self._root: str | None = root
        self._kind = kind
        self._parts: list[str] = []
        self._in_text = self._in_run = self._run_hidden = False
        self._tables = self._repeated = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._root is not None:
            if tag != self._root:
                raise Unreadable(f"not {self._kind}")
            self._root = None
        if tag == "t":
            self._in_text = True
        elif tag == "r":
            self._in_run, self._run_hidden = True, False
        elif tag == "vanish":
            self._run_hidden = self._in_run and attributes.get("val", "1") not in _OFF
        elif tag == "tbl":
            self._tables += 1
        elif tag in _REPEATED:
            self._repeated += 1
        elif tag == "br" or (tag in _BREAKS and self._in_run):
            self._add(_BREAKS[tag])

    def data(self, text: str) -> None:
        if self._in_text:
            self._add(text)

    def end(self, tag: str) -> None:
        if tag == "t":
            self._in_text = False
        elif tag == "r":
            self._in_run = self._run_hidden = False
        elif tag == "tbl":
            self._tables -= 1
            self._parts.append("\n")
        elif tag in _REPEATED:
            self._repeated -= 1
        elif tag == "p":
            self._parts.append("\n" if self._tables else "\n\n")

    def _add(self, text: str) -> None:
        if self._run_hidden or self._repeated:
            self.left_out |= self._run_hidden
        else:
            self._parts.append(text)

    def text(self) -> str:
        return "\n".join(_without_blank_runs("".join(self._parts).split("\n"))).strip()


def _without_blank_runs(lines: list[str]) -> Iterator[str]:
    """Yield the lines, of several blank ones only the first."""
    blank = True
    for line in lines:
        if line.strip() or not blank:
            yield line.rstrip()
        blank = not line.strip()
