"""What part candidate words play beside the question's own words: who did it, who only tells it, what a name is. Pure.

A network that reads marks of the text alone takes the nearest noun; these are the three places where the words around
a candidate say more. Each is evidence for the calibration (`qa.span_reader.Evidence`), and none decides alone.
"""

from __future__ import annotations

import re

from index.lexical import terms
from qa.speech_words import CUES

_DONE_BY = re.compile(r"([^\W_]+) by (?:(?:the|an?) )?$", re.IGNORECASE)
_WHO_IS = re.compile(r"\s*who(?:'s|’s| is| are| was| were) (?:the |an? )?([^\W\d_].*?)\W*", re.IGNORECASE)
_BEFORE_DESCRIPTION = re.compile(r"(?:,|\()? ?(?:(?:is|are|was|were) )?(?:(?:the|an?) )?$", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_TELLS = re.compile(r"(?: [^\W_]+){0,2}? ([^\W_]+) that\b")


def is_agent(text: str, start: int, question: str) -> bool:
    """Tell whether words are who or what did what the question asks about: "secured by | walls", what secures?"""
    deed = _DONE_BY.search(text, max(0, start - 60), start)
    return deed is not None and not set(terms(deed[1])).isdisjoint(terms(question))


def is_teller(text: str, end: int, question: str) -> bool:
    """Tell whether words are who tells what follows, where the question does not ask for it: "the WSJ | says that"."""
    tells = _TELLS.match(text, end)
    return tells is not None and tells[1].casefold() in CUES and not _asks_who_tells(question)


def _asks_who_tells(question: str) -> bool:
    words = {word.casefold() for word in _WORD.findall(question)}
    return "according" in words or not words.isdisjoint(CUES)


def is_description(text: str, start: int, end: int, question: str) -> bool:
    """Tell whether words stand right beside the name that the question asks about: who is Ida Marlow? the engineer."""
    asked = _WHO_IS.fullmatch(question)
    if asked is None or not asked[1][0].isupper():
        return False
    name = asked[1].casefold()
    if text[end : end + len(name) + 1].casefold() == f" {name}":
        return True
    before = _BEFORE_DESCRIPTION.search(text, max(0, start - 12), start)
    return before is not None and text[: before.start()].casefold().endswith(name)
