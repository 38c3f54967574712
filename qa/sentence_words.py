"""The words of a sentence, and what stands between them; the same for text that lost its punctuation."""

from __future__ import annotations

import re
from dataclasses import dataclass

from index.documents import Span
from qa.speech_words import (
    ADVERBS,
    AUXILIARIES,
    CONJUNCTIONS,
    CUES,
    DAYS_AND_MONTHS,
    DETERMINERS,
    NAMELESS,
    NEGATIONS,
    PREPOSITIONS,
    PRONOUNS,
    STARTERS,
)

WORD = re.compile(r"[^\W_]+")
QUOTE_MARKS = '"“”„«»'
_NOTES = re.compile(r"\[[\d,;\s–-]*\]|\((?:[A-Z]{2,}|\d{4})\)")
_PAUSE = re.compile(rf"[,;:()\[\]{QUOTE_MARKS}—–\n]|--|``|''|[.!?]\s")
_ABBREVIATED = frozenset("al mr mrs ms dr st sen rep gov gen col lt sgt jr prof".split())
FUNCTION_WORDS = (
    DETERMINERS
    | PREPOSITIONS
    | CONJUNCTIONS
    | AUXILIARIES
    | NAMELESS
    | ADVERBS
    | PRONOUNS
    | DAYS_AND_MONTHS
    | NEGATIONS
)
_ALSO_FIRST_NAMES = frozenset({"don", "will"})  # Don Fowler, Will Smith
_BEFORE_VERBS = CUES.keys() | AUXILIARIES | ADVERBS


@dataclass(frozen=True, slots=True)
class Run:
    """Words ``start`` up to but not including ``end`` of a sentence."""

    start: int
    end: int

    def overlaps(self, other: Run) -> bool:
        return self.start < other.end and other.start < self.end


class Sentence:
    """The words of one stretch of text, and what stands before each of them."""

    def __init__(self, text: str, span: Span) -> None:
        part = _NOTES.sub(lambda note: " " * len(note[0]), span.of(text))
        matches = list(WORD.finditer(part))
        self.words = [match.group() for match in matches]
        self.lower = [word.lower() for word in self.words]
        self.spans = [Span(span.start + match.start(), span.start + match.end()) for match in matches]
        ends = [0, *(match.end() for match in matches)]
        self.gaps = [part[end : match.start()] for end, match in zip(ends, matches, strict=False)]
        self.tail = part[ends[-1] :]
        self.pauses = [place > 0 and self._is_pause(place) for place in range(len(matches))]

    def __len__(self) -> int:
        return len(self.words)

    def _is_pause(self, place: int) -> bool:
        gap = self.gaps[place]
        if gap in (" ", "'", "’", "-"):
            return False
        before = self.lower[place - 1]
        return _PAUSE.search(gap.lstrip(".") if len(before) == 1 or before in _ABBREVIATED else gap) is not None

    def at(self, place: int) -> str:
        """Return a word in lower case, or "" outside the sentence."""
        return self.lower[place] if 0 <= place < len(self.lower) else ""

    def paused(self, place: int) -> bool:
        """Whether a mark, or an end of the sentence, stands before a word."""
        return not 0 < place < len(self.words) or self.pauses[place]

    def gap(self, place: int) -> str:
        return self.gaps[place] if place < len(self.gaps) else self.tail

    def quote_before(self, place: int) -> bool:
        gap = self.gap(place)
        return any(mark in gap for mark in QUOTE_MARKS) or "''" in gap or "``" in gap

    def is_name(self, place: int) -> bool:
        """Whether a word is written as a name is: with a capital, and not for standing first alone."""
        if not 0 <= place < len(self.words):
            return False
        word = self.words[place]
        if not word[0].isupper():
            return False
        if word.isupper() and (len(word) > 1 or self.gap(place + 1).startswith(".")):
            return True
        lower = self.lower[place]
        starts = place == 0 or self.pauses[place]
        adverb = lower.endswith("ly") and self.at(place + 1) not in _BEFORE_VERBS
        first_name = lower in _ALSO_FIRST_NAMES and place + 1 < len(self.words) and self.words[place + 1][0].isupper()
        return (lower not in FUNCTION_WORDS or first_name) and not (starts and (lower in STARTERS or adverb))

    def run_of(self, span: Span) -> Run:
        """Return the words a span of the text touches."""
        touched = [place for place, word in enumerate(self.spans) if word.overlaps(span)]
        return Run(touched[0], touched[-1] + 1) if touched else Run(0, 0)

    def span_of(self, run: Run) -> Span:
        """Return where words stand in the text; there must be one."""
        return Span(self.spans[run.start].start, self.spans[run.end - 1].end)
