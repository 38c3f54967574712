"""XML as a stream of events, without any tree in memory. A file with a document type definition is refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from xml.etree.ElementTree import ParseError

from index.loading.loaded import Unreadable


class Target(Protocol):
    """What is told of each element, by its name without name space, and of the text between."""

    def start(self, tag: str, attributes: dict[str, str]) -> None: ...

    def end(self, tag: str) -> None: ...

    def data(self, text: str) -> None: ...


def feed(pieces: Iterable[bytes], target: Target) -> None:
    """Parse a document and tell the target.

    Raises:
        Unreadable: the document has a DTD, where entities are declared that expand or name files; or it is no XML.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import DefusedXMLParser

    parser = DefusedXMLParser(target=_Plain(target), forbid_dtd=True)
    try:
        for piece in pieces:
            parser.feed(piece)
        parser.close()
    except DefusedXmlException:
        raise Unreadable("contains a DTD") from None
    except (ParseError, ValueError, LookupError):
        raise Unreadable("damaged: its XML cannot be read") from None


class _Plain:
    """Passes events on, the names without their name spaces."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.data = target.data

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._target.start(_local(tag), {_attribute(key): value for key, value in attributes.items()})

    def end(self, tag: str) -> None:
        self._target.end(_local(tag))

    def close(self) -> None:
        pass


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _attribute(name: str) -> str:
    """Return an attribute's local name; that of a link to another part, beside an ``id`` of its own, is ``r:id``."""
    space, _, local = name.rpartition("}")
    return f"r:{local}" if space.endswith("/relationships") else local


class Fields:
    """Collects the text of the elements that stand for one fact each: ``title``, ``creator``, ``date``."""

    def __init__(self) -> None:
        self.values: dict[str, list[str]] = {}
        self._inside: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._inside.append("")

    def data(self, text: str) -> None:
        if self._inside:
            self._inside[-1] += text

    def end(self, tag: str) -> None:
        if text := self._inside.pop().strip():
            self.values.setdefault(tag, []).append(text)

    def first(self, *tags: str) -> str | None:
        """Return the first value of the first of these that has one."""
        return next((self.values[tag][0] for tag in tags if tag in self.values), None)
