"""Scores of tokens -> the best spans of a text: whole words, whole sentences, whole pairs of brackets. Pure."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from qa.roles import SHORT_TITLES, asked_name, echoed_words, is_rest_of_name

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Decoding:
    """How spans are picked.

    Attributes:
        ends: so many of the best starts and ends are paired.
        longest: tokens of the longest span.
        kept: so many spans that do not overlap stay.
        broken: what a span loses that runs over the end of a sentence, one that holds half a pair of brackets, one
            that holds items of a list without the last, and one that holds a word twice: most are two answers, the
            marks between them being lost. One that begins or ends within a name loses it as well.
        short: words up to which a span loses nothing by its length.
        word: what each further word costs.
    """

    ends: int = 20
    longest: int = 30
    kept: int = 3
    broken: float = 1.0
    short: int = 10
    word: float = 0.1


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """Whole words of a text, their code-point range, and a score; higher is better."""

    start: int
    end: int
    score: float


def best_spans(
    logits: npt.NDArray[np.float32],
    offsets: Sequence[tuple[int, int]],
    text: str,
    decoding: Decoding,
    *,
    question: str = "",
    breaks: Sequence[int] = (),
    lists: Sequence[Sequence[int]] = (),
) -> list[ScoredSpan]:
    """Return the spans of the highest start plus end logit, best first; equal scores keep text order.

    None is without a word that says something: "the", "after it" or "Col" alone are no answers, nor is what only
    repeats the question (`qa.roles.echoed_words`, `qa.roles.is_rest_of_name`).

    Args:
        logits: (n, 2) float32, start and end logit of each token of the text.
        offsets: code-point range in the text for each of these tokens; that of a mark which the text lacks is a space.
        breaks: where a sentence ends and the next begins, ascending; whole spans are preferred (``Decoding.broken``).
        lists: where the items of each list part, see `qa.restoring.Restored`.
    """
    starts = (-logits[:, 0]).argsort(kind="stable")[: decoding.ends].tolist()
    ends = (-logits[:, 1]).argsort(kind="stable")[: decoding.ends].tolist()
    written = _Words.of(text, {at for at, end in offsets if text[at:end].isspace()})
    scored = []
    for s in starts:
        for e in ends:
            if s <= e < s + decoding.longest:
                start, end = offsets[s][0], offsets[e][1]
                broken = _breaks_something(text, start, end, breaks, lists)
                broken += written.repeat(start, end) + written.halve_names(start, end)
                cost = decoding.broken * broken + decoding.word * max(0, written.count(start, end) - decoding.short)
                scored.append((cost - float(logits[s, 0] + logits[e, 1]), s, e))
    words = (
        ScoredSpan(*whole_words(text, offsets[s][0], offsets[e][1]), score=-score) for score, s, e in sorted(scored)
    )
    echoed, asks_who = echoed_words(question), bool(asked_name(question))
    telling = (
        span
        for span in words
        if _says_something(text[span.start : span.end], echoed)
        and not (asks_who and is_rest_of_name(text, span.start, span.end, question))
    )
    return keep_apart(telling, most=decoding.kept)


def _says_something(text: str, echoed: Container[str]) -> bool:
    """Tell whether a text is more than function words, shortened titles, and words of the question in lower case.

    US and The Who are, the and Col are not.
    """
    words = _WORD.findall(text)
    capital = any(word.isupper() for word in words) or any(word[0].isupper() for word in words[1:])
    return not words or capital or any(word.casefold() not in SAY_NOTHING and word not in echoed for word in words)


@dataclass(frozen=True, slots=True)
class _Words:
    """Where the words of a text begin and end, and what a span must not do to them.

    Attributes:
        starts, ends: places in the text, ascending.
        second: where the first word ends that is the second of its kind, from each word on.
        within: whether a name goes on from the word before, for each word and after the last.
    """

    starts: list[int]
    ends: list[int]
    second: list[int]
    within: list[bool]

    @classmethod
    def of(cls, text: str, marked: Container[int]) -> _Words:
        """``marked``: the places of spaces that are read as marks."""
        found = list(_WORD.finditer(text))
        ends: dict[str, int] = {}
        second = [len(text) + 1] * (len(found) + 1)
        for number in range(len(found) - 1, -1, -1):
            word = found[number][0].casefold()
            second[number] = second[number + 1]
            if len(word) >= TELLING:
                second[number] = min(second[number], ends.get(word, len(text) + 1))
                ends[word] = found[number].end()
        names = [_is_of_a_name(match[0]) for match in found]
        within = [
            names[i] and names[i + 1] and text[a.end() : b.start()] == " " and a.end() not in marked
            for i, (a, b) in enumerate(pairwise(found))
        ]
        starts, last = [match.start() for match in found], [match.end() for match in found]
        return cls(starts, last, second, [False, *within, False])

    def count(self, start: int, end: int) -> int:
        """Return how many words begin in a range."""
        return bisect_left(self.starts, end) - bisect_left(self.starts, start)

    def repeat(self, start: int, end: int) -> bool:
        """Tell whether a word of ``TELLING`` letters or more stands twice in a range."""
        return self.second[bisect_left(self.starts, start)] <= end

    def halve_names(self, start: int, end: int) -> int:
        """Return at how many ends of a range, widened to whole words, a name goes on: 0 to 2."""
        return self.within[bisect_right(self.ends, start)] + self.within[bisect_left(self.starts, end)]


def _is_of_a_name(word: str) -> bool:
    """Tell whether a word has a capital, and is neither a function word nor initials: NATO Marines are Marines."""
    return word[0].isupper() and not (len(word) > 1 and word.isupper()) and word.casefold() not in SAY_NOTHING


def _breaks_something(text: str, start: int, end: int, breaks: Sequence[int], lists: Sequence[Sequence[int]]) -> int:
    """Return how many of three faults a span has: a break, half a pair of brackets, half a list."""
    halved = _is_halved(text[start:end])
    if halved:  # the lone bracket may stand at its end only
        halved = _is_halved(text[slice(*whole_words(text, start, end))])
    crosses = bisect_right(breaks, start) < bisect_right(breaks, end - 1)
    return halved + crosses + any(_lacks_the_last(start, end, joints) for joints in lists)


def _lacks_the_last(start: int, end: int, joints: Sequence[int]) -> bool:
    """Tell whether a span holds two items of a list or more, and ends before the last."""
    return end <= joints[-1] and any(start < comma < end - 1 for comma in joints[:-1])


def _is_halved(inside: str) -> bool:
    return any(inside.count(opening) != inside.count(closing) for opening, closing in _BRACKETS.items())


def keep_apart(spans: Iterable[ScoredSpan], *, most: int) -> list[ScoredSpan]:
    """Return the first spans, at most so many, that are not empty and overlap none returned before them."""
    found: list[ScoredSpan] = []
    for span in spans:
        if span.start < span.end and not any(span.start < s.end and s.start < span.end for s in found):
            found.append(span)
            if len(found) == most:
                break
    return found


TELLING = 4  # letters; shorter words stand twice in many answers

SAY_NOTHING = SHORT_TITLES | frozenset(
    "a an the this that these those it its he him his she her hers they them their theirs we us our ours you your"
    " yours me my there who whom whose which what when where why how is are was were be been am has have had do does"
    " did would could shall should of in on at to by with for from as into than after before since until while during"
    " throughout and or but nor so if because".split()
)
_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_EDGES = " \t\n.,;:!?\"'`“”‘’„«»…–—-*_|/\\"
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_DOTTED = re.compile(r"\w\.\w+$")


def whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the range widened to whole words and numbers, then freed of white space and punctuation at its ends.

    ``start == end`` when nothing but those is left. Scripts written without spaces are not widened.
    """
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    while 0 < start < end and _joined(text, start):
        start -= 1
    while start < end < len(text) and _joined(text, end):
        end += 1
    return _without_edges(text, start, end)


def _joined(text: str, at: int) -> bool:
    """Tell whether the characters before and at a position belong to one word or number."""
    before, after = text[at - 1], text[at]
    if _UNSPACED.match(before) or _UNSPACED.match(after):
        return unicodedata.category(after).startswith("M")
    if _in_word(before) and _in_word(after):
        return True
    if after in ".," and before.isdigit():
        return at + 1 < len(text) and text[at + 1].isdigit()
    return before in ".," and after.isdigit() and at > 1 and text[at - 2].isdigit()


def _in_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char).startswith("M")


def _without_edges(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the range without white space, punctuation and lone brackets at its ends; ``U.S.`` keeps its stop."""
    while start < end and _is_edge(text, start, start, end):
        start += 1
    while end > start and _is_edge(text, end - 1, start, end):
        if text[end - 1] == "." and _DOTTED.search(text[start : end - 1]):
            break
        end -= 1
    return start, end


def _is_edge(text: str, at: int, start: int, end: int) -> bool:
    char, inside = text[at], text[start:end]
    if char in _EDGES or char.isspace():
        return True
    return any(char in pair and inside.count(pair[0]) != inside.count(pair[1]) for pair in _BRACKETS.items())
