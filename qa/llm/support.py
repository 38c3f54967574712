"""Does a sentence say only what the spans it cites say? Pure; how near they are in meaning is passed in.

Facts are compared one by one: every number, date and name of the sentence, and all that it puts in quotation marks,
must stand in the spans. The rest is one score. What this finds and misses: docs/decisions/0016-language-model.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from index.lexical import terms
from qa.answers import FUNCTION_WORDS, MONTHS
from qa.retrieval import STOPWORDS
from qa.values import is_negative, numbers_in

THRESHOLD = 0.6  # of `score`; chosen on one half of WiCE by benchmarks/support.py

_MONTHS = frozenset(month.capitalize() for month in MONTHS)
_SMALL_WORDS = STOPWORDS | FUNCTION_WORDS
_WORD = re.compile(r"[^\W\d_]+")
_POSSESSIVE = re.compile(r"['’]s?\b")
_QUOTED = re.compile(r"[\"“”„«]([^\"“”„«»]+)[\"“”»]")
_ACTS = re.compile(r"\w:/|\bwww\.|\]\(|</?[a-z!]|```", re.IGNORECASE)
_BEGINNING = re.compile(r"(?:^|[.!?:]\s)\W*$")
_LONE_CAPITALS = re.compile(r"\b[A-Z](?:\.[A-Z]\b)+\.?")
_SHORT_MONTH, _SHARED_STEM, _ENDING = 3, 4, 3  # letters: Oct of October; Iran of Iranian


def problem(sentence: str, spans: Sequence[str], *, cosine: float, threshold: float = THRESHOLD) -> str:
    """Return what is wrong with a sentence in a few words, or "" when its spans support it.

    Args:
        sentence: without the numbers of its spans.
        spans: the cited words.
        cosine: of the sentence and the spans, -1..1.
        threshold: of `score`.
    """
    if not spans:
        return "names no passage"
    for check in (markup, missing_quote, missing_number, missing_name, denial):
        found = check(sentence, spans)
        if found:
            return found
    return "" if score(sentence, spans, cosine=cosine) >= threshold else "says more than the passages it names"


def score(sentence: str, spans: Sequence[str], *, cosine: float) -> float:
    """Return how well spans support a sentence, 0..1, higher is better: the mean of shared words and meaning."""
    return (shared_words(sentence, spans) + max(0.0, cosine)) / 2


def shared_words(sentence: str, spans: Sequence[str]) -> float:
    """Return the share of the sentence's content words that stand in the spans, as stems; 1 when it has none."""
    held = {term for span in spans for term in terms(span)}
    wanted = [term for word in _WORD.findall(sentence) if word.casefold() not in _SMALL_WORDS for term in terms(word)]
    return sum(term in held for term in wanted) / len(wanted) if wanted else 1.0


def markup(sentence: str, _: Sequence[str]) -> str:
    """Say that a sentence holds a link or markup; prose needs none."""
    return "holds a link or markup" if _ACTS.search(sentence) else ""


def missing_quote(sentence: str, spans: Sequence[str]) -> str:
    """Say that words in quotation marks are not those of a span, character for character but for white space."""
    held = [" ".join(span.split()) for span in spans]
    for quoted in _QUOTED.findall(sentence):
        words = " ".join(quoted.split()).rstrip(".,;!?")
        if not any(words in span for span in held):
            return "quotes words that are not in the passages it names"
    return ""


def missing_number(sentence: str, spans: Sequence[str]) -> str:
    """Say which number of the sentence no span writes, in digits or words."""
    held = [number for span in spans for number in numbers_in(span)]
    for number in numbers_in(sentence):
        if not any(math.isclose(number, other) for other in held):
            return f"has a number that is not there: {int(number) if number.is_integer() else number}"
    return ""


def missing_name(sentence: str, spans: Sequence[str]) -> str:
    """Say which name or month of the sentence no span writes."""
    held = {word.casefold() for span in spans for word in _WORD.findall(_plain(span))}
    for name in names(sentence):
        if not any(_same(name.casefold(), other) for other in held):
            return f"has a name that is not there: {name}"
    return ""


def names(sentence: str) -> list[str]:
    """Return the words of a sentence that are names or months: capitals, but for a small word at its beginning.

    A lone capitalised word at the beginning may be any word; it is a name where another follows it, or where it is
    written in capitals.
    """
    plain = _plain(sentence)
    found = list(_WORD.finditer(plain))
    kept = []
    for at, match in enumerate(found):
        word = match[0]
        if len(word) > 1 and (word.isupper() or word in _MONTHS):
            kept.append(word)
        elif word[0].isupper() and word.casefold() not in _SMALL_WORDS:
            followed = at + 1 < len(found) and found[at + 1][0][0].isupper()
            if followed or not _BEGINNING.search(plain[: match.start()]):
                kept.append(word)
    return kept


def denial(sentence: str, spans: Sequence[str]) -> str:
    """Say that the sentence denies something where no span does."""
    return "denies what the passages say" if is_negative(sentence) and not any(map(is_negative, spans)) else ""


def _plain(text: str) -> str:
    """Return a text without possessives, and with U.S. as one word."""
    joined = _LONE_CAPITALS.sub(lambda found: re.sub(r"[^A-Z]", "", found[0]), text)
    return _POSSESSIVE.sub("", joined)


def _same(name: str, other: str) -> bool:
    """Tell whether two words are one name: equal, a month and its short form, or one the stem of the other."""
    short, long = sorted((name, other), key=len)
    if name == other or (long in MONTHS and len(short) >= _SHORT_MONTH and long.startswith(short)):
        return True
    return len(short) >= _SHARED_STEM and long.startswith(short) and len(long) - len(short) <= _ENDING
