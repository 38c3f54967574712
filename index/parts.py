"""Files as they were read -> parts that are cut, embedded and stored together."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from index.documents import Document
from index.planning import Bounds
from index.reading import ReadFile
from index.store import Place

FIRST_PART_CHARACTERS = 8_000  # about 10 chunks
PART_CHARACTERS = 400_000
_PART_S = 1.0
_SHARE_OF_TIME = 0.25


@dataclass(slots=True)
class Part:
    """What is cut and embedded together.

    Attributes:
        placed: documents and where they stand.
        finished: files whose last document is in this part or was in one before it.
        begun: the file whose next documents come in the next part.
        size: bytes of files it stands for.
        bounds: by document id, where texts may be cut, as far as it was found already.
    """

    placed: list[tuple[Document, Place]] = field(default_factory=list)
    finished: list[ReadFile] = field(default_factory=list)
    begun: ReadFile | None = None
    size: float = 0
    bounds: dict[str, Bounds] = field(default_factory=dict)

    def texts(self) -> dict[str, str]:
        """Return its texts by document id."""
        return {place.doc_id: document.text for document, place in self.placed}


def in_parts(files: Iterable[ReadFile]) -> Iterator[Part]:
    """Yield the documents of files in parts.

    The first parts are small, so that something is ready early. The next one is at most twice as long, and as long as
    takes about a second, later a quarter of the time so far, at the pace at which the one before was worked on.
    """
    begun = time.monotonic()
    part, limit, held = Part(), FIRST_PART_CHARACTERS, 0
    for file in files:
        bytes_per_character = file.entry.size / max(1, sum(len(document.text) for document in file.documents or ()))
        for number, (document, place) in enumerate(zip(file.documents or (), file.places(), strict=True)):
            if held >= limit:
                part.begun = file if number else None
                asked = time.monotonic()
                yield part
                took, so_far = time.monotonic() - asked, time.monotonic() - begun
                foreseen = held / took * max(_PART_S, _SHARE_OF_TIME * so_far)
                limit = int(max(FIRST_PART_CHARACTERS, min(2 * limit, PART_CHARACTERS, foreseen)))
                part, held = Part(), 0
            part.placed.append((document, place))
            if place.doc_id in file.bounds:
                part.bounds[place.doc_id] = file.bounds[place.doc_id]
            part.size += len(document.text) * bytes_per_character
            held += len(document.text)
        part.finished.append(file)
        part.size += 0 if file.documents else file.entry.size
    if part.placed or part.finished:
        yield part
