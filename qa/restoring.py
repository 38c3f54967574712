"""Text that has lost its punctuation -> the same text with the marks it most likely had, for the reader alone.

The reader comes from an encoder that has read punctuated text, and finds answers better in it. What is restored is
never shown and never quoted: `Restored.places` leads every character back to the text as it is. The network is that of
`qa/mark_network.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, lru_cache, partial
from pathlib import Path

from index.segmenting import check_sha256, lack_marks, words_and_gaps
from qa.mark_network import MarkNetwork

WEIGHTS = Path(__file__).parent / "weights" / "marks.safetensors"
WEIGHTS_SHA256 = "00576b07b7d2d3757b9d3cabeee458ab0b83714e24222f6c2506000f21f7d9ab"


class Mark(IntEnum):
    """What may have stood between two words where only a space is left."""

    NONE = 0
    SENTENCE = 1
    CLOSING = 2
    OPENING = 3
    PAUSE = 4
    JOINED = 5


TEXTS_KNOWN = 1_000  # passages are read again and again, and finding their marks takes as long as reading them
LOWERED = {Mark.SENTENCE: 0.6}  # a logit loses so much: a false end of a sentence parts what belongs together

_WRITTEN = {Mark.SENTENCE: ". ", Mark.CLOSING: ") ", Mark.OPENING: " (", Mark.PAUSE: ", "}
_CLITIC = re.compile(r" (?:s|t|d|m|ll|re|ve)\b")
_THOUSANDS = re.compile(r"(?<=\d) \d{3}(?!\d)")
_DIGITS = re.compile(r"(?<=\d) \d")
_ITEM = r"(?!(?:and|or) )[^\W\d_][\w'’-]*(?: (?!(?:and|or) )[^\W_][\w'’-]*){0,3}"
_LIST = re.compile(rf"\b{_ITEM}(?: ?, {_ITEM})+( ?,? (?:and|or) )[^\W_]")


@dataclass(frozen=True, slots=True)
class Restored:
    """A text with marks, and where each of its characters comes from.

    Attributes:
        places: for each character of ``text``, its offset in the text as it was; a mark has that of the space it fills.
    """

    text: str
    places: tuple[int, ...]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return the range of the text as it was that a range of this one stands for; an empty one stays empty."""
        if start < end:
            return self.places[start], self.places[end - 1] + 1
        place = self.places[start] if start < len(self.places) else self.places[-1] + 1 if self.places else 0
        return place, place

    @property
    def lists(self) -> list[list[int]]:
        """Where, in the text as it was, the items of each list part: its commas and, last, what stands before "and".

        Items begin with a letter, since a date is no list, and are at most four words long: "walls, trenches, and
        guards" has the places of both commas.
        """
        found = ((match.start(), match.start(1)) for match in _LIST.finditer(self.text))
        return [
            [self.places[at] for at in range(start, last + 1) if self.text[at] == "," or at == last]
            for start, last in found
        ]


class Restorer:
    """Knows how to get the network, which is loaded when the first text lacks marks, and what its logits lose."""

    def __init__(self, net: Callable[[], MarkNetwork], lowered: Mapping[Mark, float] = LOWERED) -> None:
        """``lowered``: what the logit of each kind of mark loses before the likeliest is taken."""
        self._net, self._lowered = net, lowered
        self._known = lru_cache(TEXTS_KNOWN)(self._find)

    def lowering(self, lowered: Mapping[Mark, float]) -> Restorer:
        """Return one with the same network that lowers other logits."""
        return Restorer(self._net, lowered)

    def marks(self, text: str) -> dict[int, Mark]:
        """Return the likeliest mark of each gap that had one, by the gap's offset; only where the text lacks marks."""
        return dict(self._known(text))

    def _find(self, text: str) -> tuple[tuple[int, Mark], ...]:
        words, gaps = words_and_gaps(text)
        bare = lack_marks(gaps)
        if not any(bare):
            return ()
        logits = self._net().logits([word.of(text) for word in words])
        for mark, loss in self._lowered.items():
            logits[:, mark] -= loss
        likeliest = logits.argmax(axis=1).tolist()
        return tuple(
            (word.end, Mark(kind))
            for word, gap, lacking, kind in zip(words, gaps, bare, likeliest, strict=False)
            if kind and lacking and gap == " "
        )

    def restore(self, text: str) -> Restored:
        """Return the text with the marks it most likely had; text that has its marks comes back as it is."""
        return with_marks(text, self.marks(text))


def with_marks(text: str, marks: Mapping[int, Mark]) -> Restored:
    """Return the text with marks written into the spaces at the given offsets."""
    parts: list[str] = []
    places: list[int] = []
    done = 0
    for at in sorted(marks):
        written = _joint(text, at) if marks[at] is Mark.JOINED else _WRITTEN.get(marks[at], " ")
        parts += [text[done:at], written]
        places += [*range(done, at), *[at] * len(written)]
        done = at + 1
    parts.append(text[done:])
    places += range(done, len(text))
    return Restored("".join(parts), tuple(places))


def _joint(text: str, at: int) -> str:
    if _CLITIC.match(text, at):
        return "'"
    if _THOUSANDS.match(text, at):
        return ","
    return "." if _DIGITS.match(text, at) else "-"


@cache
def load_restorer(weights: Path = WEIGHTS) -> Restorer:
    """Return the restorer that ships with the package, its weights checked.

    Raises:
        ModelError: the weights are missing or damaged.
    """
    check_sha256(weights, WEIGHTS_SHA256, "reinstall pincite")
    return Restorer(cache(partial(_load_net, weights)))


def _load_net(weights: Path) -> MarkNetwork:
    from safetensors.numpy import load_file

    return MarkNetwork(load_file(weights))
