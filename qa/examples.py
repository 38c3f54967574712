"""Questions to begin with, made from what a corpus says. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

# deeds that a text ascribes to somebody: "X <deed> Y" becomes "Who <deed> Y?"
_DEEDS = (
    "accused announced appointed backed banned bought built commanded controls created criticised defeated"
    " described discovered explained founded governs heads invaded invented killed launched leads led owns petitioning"
    " predicted proposed published reported ruled rules runs signed sold supports told urged vowed warned won wrote"
).split()
_NAME = r"[A-Z][\w’'-]+(?: [A-Z][\w’'-]+){0,3}"
_DEED = re.compile(rf"\b({'|'.join(_DEEDS)}) ((?:the |a |an )?{_NAME})")
_LONG_NAME = re.compile(r"\b[A-Z][a-zà-ÿ]+(?: (?:al|of|the|de|von|bin) [A-Z]\w+| [A-Z][a-zà-ÿ]+)+")


def candidate_questions(segments: Iterable[str]) -> list[str]:
    """Return questions that the segments may answer, likeliest first: who did what, then what is said of whom."""
    deeds: Counter[str] = Counter()
    names: Counter[str] = Counter()
    for text in segments:
        deeds.update(f"Who {'is ' if deed.endswith('ing') else ''}{deed} {name}?" for deed, name in _DEED.findall(text))
        names.update(_LONG_NAME.findall(text, 1))  # a segment's first word is a capital, name or not
    asked = [question for question, _ in deeds.most_common()]
    return asked + [f"What is said about {name}?" for name, _ in names.most_common()]
