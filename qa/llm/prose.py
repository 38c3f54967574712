"""What a language model wrote -> sentences, each with the numbers of the passages that it names. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from index.segmenting import rule_ends_sentence
from qa.llm.prompt import unhidden

NUMBERS_READ = 12  # of one sentence; more name everything, and so nothing

_MARK = re.compile(r"\s*\[\s*(\d{1,4}(?:\s*[,;–-]\s*\d{1,4})*)\s*\]")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")
_GAP = re.compile(r"([.!?…][\"'”’)\]]*)(\s+)(?=(\S+))")
_THOUGHT = re.compile(r"^\s*<think>.*?(?:</think>|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Written:
    """A sentence as the model wrote it.

    Attributes:
        text: without the numbers; empty when a line holds nothing else, which picks passages without a word.
        numbers: as written, in order, each once.
    """

    text: str
    numbers: tuple[int, ...]


def sentences(text: str, *, finished: bool) -> list[Written]:
    """Return the sentences of what was written so far; the last one only when nothing more will come.

    What a model thinks aloud before it answers, between <think> marks, is not part of its answer.
    """
    lines = _THOUGHT.sub("", text).split("\n")
    found = [written for line in lines[:-1] for written in _of_line(line)]
    last = list(_of_line(lines[-1]))
    return found + (last if finished else last[:-1])


def _of_line(line: str) -> Iterator[Written]:
    """Split a line at sentence ends; a mark right after an end belongs to the sentence before it."""
    line = _BULLET.sub("", line)
    marks = list(_MARK.finditer(line))
    plain, places, end = "", [], 0
    for mark in marks:
        plain += line[end : mark.start()]
        places.append((len(plain), mark[1]))
        end = mark.end()
    plain += line[end:]
    starts = [0, *_later_starts(plain, {place for place, _ in places})]
    for start, stop in zip(starts, [*starts[1:], len(plain) + 1], strict=True):
        named = [numbers for place, numbers in places if start < place <= stop - 1 or place == start == 0]
        text = unhidden(plain[start:stop])
        if text.strip(".!?…,;: ") or named:
            yield Written(text if text.strip(".!?…,;: ") else "", _numbers(named))


def _later_starts(plain: str, marked: set[int]) -> Iterator[int]:
    """Yield where sentences after the first begin: by the rules of punctuation, and behind an end that has a number."""
    for gap in _GAP.finditer(plain):
        before = re.search(r"[^\s\"'“‘(\[]*$", plain[: gap.start()])
        is_marked = not marked.isdisjoint((gap.start(), gap.end(1)))
        if is_marked or rule_ends_sentence(before[0] if before else "", gap[1] + gap[2], gap[3].strip("\"'“‘(") or "A"):
            yield gap.end()


def _numbers(named: list[str]) -> tuple[int, ...]:
    found: dict[int, None] = {}
    for mark in named:
        for part in re.split(r"\s*[,;]\s*", mark):
            first, _, last = (piece.strip() for piece in re.sub("–", "-", part).partition("-"))
            found |= dict.fromkeys(range(int(first), int(last or first) + 1)[:NUMBERS_READ])
    return tuple(found)[:NUMBERS_READ]
