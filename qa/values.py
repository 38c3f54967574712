"""What the words of an answer come to: amounts, dates, names. Pure.

"700 000", "700,000" and "seven hundred thousand" are one amount; "the WSJ" and "Wall Street Journal" are one name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from qa.answers import FUNCTION_WORDS, MONTHS, TITLES

APPROXIMATE = 0.1  # "nearly 370" reaches so far to either side, as a share of the number
FIRST_YEAR, LAST_YEAR = 1000, 2100

_ROUGHLY = frozenset("about almost approximately around nearly roughly estimated close some".split())
_AT_MOST = ("up to", "at most", "less than", "fewer than", "no more than", "just under", "as many as", "as much as")
_AT_LEAST = ("at least", "more than", "over", "no less than", "no fewer than", "just over", "well over", "in excess of")
_SMALL = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
        " seventeen eighteen nineteen".split()
    )
} | {word: 10 * tens for tens, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_UNITS = {
    "%": "percent", "percent": "percent", "$": "$", "dollars": "$", "dollar": "$", "€": "€", "euros": "€", "£": "£",
    "km": "km", "kilometres": "km", "kilometers": "km", "miles": "mile", "metres": "m", "meters": "m", "feet": "ft",
    "years": "year", "year": "year", "months": "month", "weeks": "week", "days": "day", "hours": "hour",
    "minutes": "minute", "tons": "ton", "tonnes": "tonne", "kg": "kg", "pounds": "pound",
}  # fmt: skip
_COUNTED_APART = frozenset(("percent", "$", "€", "£"))  # never compared with a number that has no unit
_MONTH_NUMBER = {
    month: number
    for number, month in enumerate(
        "january february march april may june july august september october november december".split(), 1
    )
}
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|[%$€£]")
_GROUPED = re.compile(r"\b\d{1,3}(?:[ ,\u00a0\u202f]\d{3})+\b(?![.,]?\d)")
_WORD = re.compile(r"[^\W_]+")
_LONE_CAPITALS = re.compile(r"\b[A-Z](?:[. ]{1,2}[A-Z]\b)+\.?")
_POSSESSIVE = re.compile(r"(?<=\w)['’]s?\b|(?<=\w)['’](?=\W|$)|(?<=\w) s\b")
_NEGATIONS = frozenset("not no never none nobody nothing neither nor without cannot".split())
_AUXILIARIES = frozenset("did do does done has have had was were is are be been will would can could".split())


# --- amounts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Amount:
    """A number with the range it allows.

    Attributes:
        value: as written.
        low, high: what the words allow: "up to 5" 0..5, "over 5" 5..infinity, "nearly 370" within a tenth, "1.7
            million" what rounds to it.
        unit: one spelling for each; "" for none.
    """

    value: float
    low: float
    high: float
    unit: str = ""

    def same_as(self, other: Amount) -> bool:
        """Tell whether both write the same number, of units that can be compared."""
        return self.comparable(other) and math.isclose(self.value, other.value)

    def comparable(self, other: Amount) -> bool:
        """Tell whether both count the same kind of thing, as far as their units say."""
        units = {self.unit, other.unit}
        return len(units) == 1 or ("" in units and not units & _COUNTED_APART)

    def excludes(self, other: Amount) -> bool:
        """Tell whether no number fits both."""
        return self.comparable(other) and (self.high < other.low or other.high < self.low)


def amount_of(text: str) -> Amount | None:
    """Return the amount that an answer begins with, after articles and what says how exact it is, or None."""
    plain = _GROUPED.sub(lambda found: re.sub(r"\D", "", found[0]), text)
    tokens = [token.casefold() for token in _TOKEN.findall(plain)]
    start = next((at for at, token in enumerate(tokens) if _starts_number(token)), None)
    if start is None or not all(_may_lead(token) for token in tokens[:start]):
        return None
    value, end, step = _parse(tokens, start)
    units = (_UNITS.get(token, "") for token in (*tokens[end : end + 1], *tokens[max(0, start - 1) : start]))
    low, high = _allowed(" ".join(tokens[:start]), value, step)
    return Amount(value, low, high, next(filter(None, units), ""))


def numbers_in(text: str) -> tuple[float, ...]:
    """Return every number a text writes, in digits or in words, in order; a lone "one" is mostly none."""
    plain = _GROUPED.sub(lambda found: re.sub(r"\D", "", found[0]), text)
    tokens = [token.casefold() for token in _TOKEN.findall(plain)]
    found, at = [], 0
    while at < len(tokens):
        if not _starts_number(tokens[at]):
            at += 1
            continue
        value, end, _ = _parse(tokens, at)
        if tokens[at:end] != ["one"]:
            found.append(value)
        at = end
    return tuple(found)


def _starts_number(token: str) -> bool:
    return token[0].isdecimal() or token in _SMALL


def _may_lead(token: str) -> bool:
    leads = {word for phrase in (*_AT_MOST, *_AT_LEAST) for word in phrase.split()}
    return token in _ROUGHLY | leads | {"a", "an", "the", "to", "only", "total", "of", "us", "$", "€", "£"}


def _parse(tokens: Sequence[str], start: int) -> tuple[float, int, float]:
    """Return a number, the token after it, and the size of one in its last written digit."""
    total, part, step, at = 0.0, 0.0, 1.0, start
    while at < len(tokens):
        token = tokens[at].removesuffix("s") if tokens[at].removesuffix("s") in _SCALES else tokens[at]
        if token in _SMALL:
            part, step = part + _SMALL[token], 1.0
        elif token[0].isdecimal() and at == start:
            part, step = _digits(token)
        elif token == "hundred" or token == "dozen":
            part, step = part * _SCALES[token], step * _SCALES[token]
        elif token in _SCALES:
            total, part, step = total + part * _SCALES[token], 0.0, step * _SCALES[token]
        elif not (token == "and" and at + 1 < len(tokens) and tokens[at + 1] in _SMALL and tokens[at - 1] in _SCALES):
            break
        at += 1
    return total + part, at, step


def _digits(token: str) -> tuple[float, float]:
    plain = token.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", token) else token.replace(",", ".")
    plain = plain if plain.count(".") < 2 else plain.replace(".", "")
    decimals = len(plain.partition(".")[2])
    return float(plain), 10.0**-decimals


def _allowed(lead: str, value: float, step: float) -> tuple[float, float]:
    if any(f"{phrase} " in f"{lead} " for phrase in _AT_MOST):
        return 0.0, value
    if any(f"{phrase} " in f"{lead} " for phrase in _AT_LEAST):
        return value, math.inf
    if _ROUGHLY & set(lead.split()):
        return value * (1 - APPROXIMATE), value * (1 + APPROXIMATE)
    rounding = step / 2 if step != 1 else 0.0
    return value - rounding, value + rounding


# --- dates ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Date:
    """A date as far as it is given; None is not said."""

    year: int | None = None
    month: int | None = None
    day: int | None = None

    def excludes(self, other: Date) -> bool:
        """Tell whether a part that both give differs."""
        return any(a != b for a, b in self._shared(other))

    def same_as(self, other: Date) -> bool:
        """Tell whether they share a part and no part differs: December 1, December 2019."""
        return bool(self._shared(other)) and not self.excludes(other)

    def _shared(self, other: Date) -> list[tuple[int, int]]:
        pairs = ((self.year, other.year), (self.month, other.month), (self.day, other.day))
        return [(a, b) for a, b in pairs if a is not None and b is not None]


def date_of(text: str, *, asks_when: bool) -> Date | None:
    """Return the date of an answer, or None. A number alone is a year only where the question asks when."""
    words = [word.casefold() for word in _WORD.findall(text)]
    months = [_MONTH_NUMBER[word] for word in words if word in _MONTH_NUMBER]
    years = [int(word) for word in words if re.fullmatch(r"[0-9]{4}", word) and FIRST_YEAR <= int(word) <= LAST_YEAR]
    days = [int(word) for word in map(_without_ordinal, words) if re.fullmatch(r"[0-9]{1,2}", word)]
    if len(years) > 1 or len(months) > 1 or len(days) > 1 or not (months or (years and asks_when)):
        return None
    return Date(*(values[0] if values else None for values in (years, months, days if months else [])))


def _without_ordinal(word: str) -> str:
    return re.sub(r"(?<=\d)(?:st|nd|rd|th)$", "", word)


# --- names and other words ------------------------------------------------------------------------------------------


def key_words(text: str) -> tuple[str, ...]:
    """Return the words that tell answers apart: case folded, without articles, titles and possessives."""
    joined = _LONE_CAPITALS.sub(lambda found: re.sub(r"[^A-Z]", "", found[0]), text)
    words = [word.casefold() for word in _WORD.findall(_POSSESSIVE.sub("", joined))]
    kept = tuple(word for word in words if word not in ("a", "an", "the") and word not in TITLES)
    return kept or tuple(words)


def is_name(text: str) -> bool:
    """Tell whether an answer is a name: all of its words but the small ones begin with a capital."""
    words = [word for word in _WORD.findall(_POSSESSIVE.sub("", text)) if word.casefold() not in FUNCTION_WORDS]
    capitals = [word for word in words if word[0].isupper() and word.casefold() not in MONTHS]
    return bool(capitals) and len(capitals) == sum(len(word) > 3 or word[0].isupper() for word in words)


def stands_for(short: str, long: str) -> bool:
    """Tell whether one name is made of the initials of the other: WSJ, Wall Street Journal."""
    letters = "".join(_WORD.findall(_LONE_CAPITALS.sub(lambda found: re.sub(r"[^A-Z]", "", found[0]), _bare(short))))
    if not 2 <= len(letters) <= 6 or not (letters.isalpha() and letters.isupper()):
        return False
    words = _WORD.findall(_bare(long))
    every = "".join(word[0] for word in words)
    capitals = "".join(word[0] for word in words if word[0].isupper())
    return len(words) > 1 and letters.casefold() in (every.casefold(), capitals.casefold())


def _bare(name: str) -> str:
    return re.sub(r"^(?:the|an?)\s+", "", _POSSESSIVE.sub("", name), flags=re.IGNORECASE)


# --- saying no ------------------------------------------------------------------------------------------------------


def is_negative(text: str) -> bool:
    """Tell whether a text denies what it says: an odd number of negations."""
    words = re.sub(r"n['’ ]t\b", " not", text.casefold())
    return sum(word in _NEGATIONS for word in _WORD.findall(words)) % 2 == 1


def stated(text: str) -> frozenset[str]:
    """Return the words of a statement by which it is known again when another denies it, cut to stems."""
    words = re.sub(r"n['’ ]t\b", " ", text.casefold())
    kept = (word for word in _WORD.findall(words) if word not in _NEGATIONS | _AUXILIARIES)
    return frozenset(re.sub(r"(?:ing|ed|es|s|e)$", "", word) for word in kept if word not in ("a", "an", "the"))
