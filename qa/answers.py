"""Marked words -> a whole thing: the full name, the number with its unit, no word left hanging. Pure.

A reader marks words by score, and its marks begin or end a word early or late. Each rule here moves them inside the
segments they touch, by short tables. How often each rule helped and harmed: docs/decisions/0011-claims.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from index.documents import Span
from index.segmenting import lack_marks, words_and_gaps
from qa.roles import SHORT_TITLES, asked_name, asked_speaker
from qa.spans import whole_words
from qa.speakers import speech_of
from qa.speech_words import RANKS

NUMBER_WORDS = frozenset(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety".split()
)
SCALES = frozenset("hundred hundreds thousand thousands million millions billion billions trillion trillions".split())
# before a number: how exact it is
QUALIFIERS = frozenset(
    "about|almost|some|approximately|around|nearly|roughly|over|an estimated|up to|at least|at most|more than|less than"
    "|fewer than|no more than|no fewer than|no less than|as many as|as much as|as few as|close to|just over|just under"
    "|well over|in excess of".split("|")
)
UNITS = frozenset(
    "percent years year months month weeks week days day hours hour minutes minute seconds second kilometres"
    " kilometers km miles mile metres meters feet foot inches acres hectares tons tonnes kilograms kg pounds dollars"
    " euros pence degrees kelvins horsepower watts megawatts bc bce ad ce am pm".split()
)
# an amount in a unit of one of these may be said again in one of the other
METRIC = frozenset(
    "kilometres kilometers km metres meters m centimetres centimeters cm millimetres millimeters mm hectares ha km2 m2"
    " kilograms kg grams tonnes litres liters".split()
)
IMPERIAL = frozenset("miles mi mile feet ft foot inches yards acres pounds lb lbs ounces oz tons gallons".split())
POWERS = frozenset("square sq cubic".split())
MONTHS = frozenset("january february march april may june july august september october november december".split())
TITLES = SHORT_TITLES | RANKS
# these bind the capitals around them to one name
PARTICLES = frozenset("al el bin ibn de da del della di du la le van von der den ul ur".split())
# a capital at the beginning of a sentence makes no name of these
FUNCTION_WORDS = frozenset(
    "a after all also although among an and any as at because before between both but by during each few for from he"
    " her his how if in it its many most no not of on one or our she since so some such that the their then there these"
    " they this those through to under until we what when where which while who why with you your".split()
)
RELATIVES = frozenset("which who whom whose".split())
# no answer begins, or ends, with these
HANGING_FIRST = RELATIVES | frozenset("and or but nor of s re ll ve that".split())
HANGING_LAST = RELATIVES | frozenset(
    "a an the of in on at to by with for from as into than and or but nor that is are was were be been has have had its"
    " their his her".split()
)
# a deed ends where one of these begins another part of the sentence
PART_BEGINS = frozenset(
    "but while although though because since after before when if unless until which who whose as so where whereas amid"
    " despite".split()
)
ASKS_FOR_A_DEED = re.compile(
    r"\bwhat (?:is|are|was|were|did|does|do|has|have|had|will|would|can|could|may|must|should)\b.*\bdo(?:ing)?\W*$",
    re.IGNORECASE,
)
ASKS_ROUGHLY = re.compile(
    r"\b(?:about|around|roughly|approximate(?:ly)?|estimated?|nearly|almost|over|up to)\b", re.IGNORECASE
)
AROUND = 300  # characters to either side by which a text shows whether it has punctuation
FEW = 5  # words, or fewer, are a part of what somebody says
MOST_SPOKEN = 40  # words: where more seem to be spoken, the end of what is was not found
MOST_NAMES = 2  # capitals taken on one side of a name
SAME_UNIT = 4  # letters by which a unit is known again in the question: kilometres, kilometers

_WORD = re.compile(r"[^\W_]+(?:[.,'’-][^\W_]+)*")
_NUMERAL = re.compile(r"\d[\d.,]*(?:st|nd|rd|th|s)?|\d+[-–]\d+")
_YEAR = re.compile(r"[12]\d{3}")
_CURRENCY = re.compile(r"(?:\b(?:US|C|A|NZ))?[$€£¥₹]$")
_SHARE = re.compile(r" ?[%‰]| ?°(?:[CF]\b)?")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a stretch of text and their places."""

    text: str
    places: tuple[Span, ...]
    within: Span

    @classmethod
    def of(cls, text: str, within: Span) -> Words:
        places = tuple(Span(*match.span()) for match in _WORD.finditer(text, within.start, within.end))
        return cls(text, places, within)

    def __getitem__(self, number: int) -> str:
        """Return a word; "" before the first and after the last."""
        return self.places[number].of(self.text) if 0 <= number < len(self.places) else ""

    def low(self, number: int) -> str:
        return self[number].casefold()

    @property
    def have_marks(self) -> bool:
        """Whether the text around them has punctuation, so that what stands side by side belongs together."""
        _, gaps = words_and_gaps(self.text[max(0, self.within.start - AROUND) : self.within.end + AROUND])
        return 2 * sum(lack_marks(gaps)) < len(gaps)

    @property
    def are_a_heading(self) -> bool:
        """Whether most words begin with a capital."""
        return 2 * sum(place.of(self.text)[0].isupper() for place in self.places) > len(self.places)

    def touch(self, number: int) -> bool:
        """Tell whether nothing but white space or a hyphen stands between a word and the next."""
        if not 0 <= number < len(self.places) - 1:
            return False
        return self.text[self.places[number].end : self.places[number + 1].start].strip() in ("", "-")


Rule = Callable[[Words, int, int, str], tuple[int, int]]
"""Words, the numbers of the first and last marked one, the question -> the first and the last word of the whole."""


def nothing_hanging(words: Words, first: int, last: int, question: str) -> tuple[int, int]:
    """Drop joining words, a clause of one word, the title of a name that follows: and Vienna, a group which rules."""
    while first < last and _hangs(words, first, last):
        last -= 1
    while first < last and words.low(first) in HANGING_FIRST:
        first += 1
    return first, last


def _hangs(words: Words, first: int, last: int) -> bool:
    """Tell whether the last word joins, is all that there is of a clause, or is a title of what follows."""
    of_a_clause = last - 1 > first and words[last - 1] in RELATIVES
    return of_a_clause or words[last] in HANGING_LAST or _is_title_of_next(words, last)


def _is_title_of_next(words: Words, number: int) -> bool:
    """Tell whether a word is a shortened title before a name, and no part of one itself, as in Main St."""
    if words.low(number) not in SHORT_TITLES or not words[number - 1].islower() or not is_name(words[number + 1]):
        return False
    return words.text[words.places[number].end : words.places[number + 1].start].strip() in ("", ".")


def whole_number(words: Words, first: int, last: int, question: str) -> tuple[int, int]:
    """Take all digits and scales of a number: 700 000, three million."""
    while _counts_on(words, last):
        last += 1
    while _counts_on(words, first - 1):
        first -= 1
    return first, last


def _counts_on(words: Words, number: int) -> bool:
    """Tell whether a number goes on in the next word."""
    here, following = words[number], words[number + 1]
    if not (words.touch(number) and is_numeral(here) and is_numeral(following)):
        return False
    if following[0].isdigit():
        return following.isdigit() and len(following) == 3 and here.isdigit() and len(here) <= 3
    return following.casefold() in SCALES or not here[0].isdigit()


def is_numeral(word: str) -> bool:
    """Tell whether a word is a number or part of one: 1,200, 3rd, forty-two, million."""
    if _NUMERAL.fullmatch(word):
        return True
    parts = word.casefold().split("-")
    return set(parts) <= NUMBER_WORDS | SCALES


def with_unit(words: Words, first: int, last: int, question: str) -> tuple[int, int]:
    """Take the unit after a number, unless the question names it: 5 percent."""
    unit = words.low(last + 1)
    if is_numeral(words[last]) and words.touch(last) and unit in UNITS and unit[:SAME_UNIT] not in question.casefold():
        return first, last + 1
    return first, last


def in_one_unit(words: Words, first: int, last: int, question: str) -> tuple[int, int]:
    """Drop an amount said again in another unit, the brackets around it being lost: 260 kilometres 160 mi.

    The one that stays is the first, unless the question asks for the other unit.
    """
    units = [at for at in range(first, last + 1) if words.low(at) in METRIC | IMPERIAL]
    if len(units) != 2 or units[1] != last:
        return first, last
    unit, system = units[0], METRIC if words.low(last) in METRIC else IMPERIAL
    again = range(unit + 1, last)
    said_again = again and all(is_numeral(words[at]) or words.low(at) in POWERS for at in again)
    if words.low(unit) in system or not said_again or not all(map(words.touch, range(unit, last))):
        return first, last
    return (unit + 1, last) if _asked_words(question) & system else (first, unit)


def with_qualifier(words: Words, first: int, last: int, question: str) -> tuple[int, int]:
    """Take what says how exact a number is, unless the question does: nearly 370, up to three million."""
    if is_numeral(words[first]) and not ASKS_ROUGHLY.search(question):
        for length in (3, 2, 1):
            before = range(first - length, first)
            if all(words.touch(at) for at in before) and " ".join(words.low(at) for at in before) in QUALIFIERS:
                return first - length, last
    return first, last


def whole_date(words: Words, first: int, last: int, question: str) -> tuple[int, int]:
    """Take the month with its day or year, the day before a month, both years of a range: December 1, 4 May 1754."""
    if words.low(last) in MONTHS and _is_day(words[last + 1]) and words.touch(last):
        last += 1
    if _is_day(words[first]) and words.low(first - 1) in MONTHS and words.touch(first - 1):
        first -= 1
    if _YEAR.fullmatch(words[first]) and words.low(first - 1) in MONTHS and words.touch(first - 1):
        first -= 1
    if words.low(first) in MONTHS and _is_day(words[first - 1]) and words.touch(first - 1):
        first -= 1
    last += _are_a_range(words, last)
    first -= _are_a_range(words, first - 1)
    return first, last


def _are_a_range(words: Words, number: int) -> bool:
    """Tell whether a year and the next word are first and last year, the dash between them being lost: 1775 1795."""
    years = words[number], words[number + 1]
    return words.touch(number) and all(map(_YEAR.fullmatch, years)) and years[0] < years[1]


def _is_day(word: str) -> bool:
    return len(word) <= 2 and word.isascii() and word.isdigit() and 1 <= int(word) <= 31


def with_title(words: Words, first: int, last: int, question: str) -> tuple[int, int]:
    """Take the titles before a name, and a first name between, unless the question names them: Col Myles Caggins."""
    asked = _asked_words(question)
    at = first
    while at > first - 3 and is_name(words[at]) and words.touch(at - 1) and is_name(words[at - 1]):
        at -= 1
        if words.low(at) in TITLES and words.low(at) not in asked:
            first = at
    return first, last


def whole_name(words: Words, first: int, last: int, question: str) -> tuple[int, int]:
    """Take the capitals beside a name that the question does not name, and what a particle binds to it.

    Red Army, Hayat Tahrir al Sham. Without punctuation, and in a heading, capitals side by side may be two names.
    """
    if is_name(words[first]) and is_name(words[last]) and words.have_marks and not words.are_a_heading:
        if not (is_numeral(words[last]) or _owns(words[last])):
            last += _names_on(words, last + 1, question, step=1)
        first -= _names_on(words, first - 1, question, step=-1)
    while is_name(words[last]) and _bound(words, last + 1):
        last += 2
    while is_name(words[first]) and _bound(words, first - 1):
        first -= 2
    return first, last


def _names_on(words: Words, number: int, question: str, *, step: int) -> int:
    """Return how many words from one on, in one direction, are capitals that touch and are not asked about.

    0 where they are more than ``MOST_NAMES``: so many are no one name.
    """
    asked, count = _asked_words(question), 0
    while number > 0 and words.touch(number if step < 0 else number - 1) and is_name(words[number]):
        if words.low(number) in asked or (step < 0 and _owns(words[number])):
            break
        count, number = count + 1, number + step
    return count if count <= MOST_NAMES else 0


def _asked_words(question: str) -> set[str]:
    """Return the words of a question; one that owns something also without its ending: Marlow of Marlow's name."""
    words = _WORD.findall(question.casefold())
    return {*words, *(word[:-2] for word in words if _owns(word))}


def _owns(word: str) -> bool:
    return word.endswith(("'s", "’s"))


def _bound(words: Words, number: int) -> bool:
    """Tell whether a word is a particle between two capitals."""
    between = words.low(number) in PARTICLES and words.touch(number - 1) and words.touch(number)
    return between and is_name(words[number - 1]) and is_name(words[number + 1])


def is_name(word: str) -> bool:
    """Tell whether a word may be part of a name, by its first letter."""
    if not word[:1].isupper() or word == "I":
        return False
    return not (word[1:] == word[1:].lower() and word.casefold() in FUNCTION_WORDS | MONTHS)


def with_owner(words: Words, first: int, last: int, question: str) -> tuple[int, int]:
    """Take the name that a person's name belongs to: Turkey s Erdogan."""
    if not (question.casefold().startswith("who") and is_name(words[first]) and words.touch(first - 1)):
        return first, last
    if words[first - 1] == "s" and words.touch(first - 2) and is_name(words[first - 2]):
        return first - 2, last
    if _owns(words[first - 1]) and is_name(words[first - 1]):
        return first - 1, last
    return first, last


def whole_description(words: Words, first: int, last: int, question: str) -> tuple[int, int]:
    """Take what a name is called by, where the question asks who it is: United Nations relief coordinator.

    Not the first names that follow, where the question has the last one alone: spokesman [Col Ida] Marlow.
    """
    name = asked_name(question).casefold()
    if name and words[first][:1].islower():
        first -= _names_on(words, first - 1, question, step=-1)
    if name and words.low(last + 1) == name and any(words[number][:1].islower() for number in range(first, last)):
        while last > first and (is_name(words[last]) or words.low(last) in SHORT_TITLES):
            last -= 1
    return first, last


def whole_deed(words: Words, first: int, last: int, question: str) -> tuple[int, int]:
    """Take what a deed is done to, where the question asks what somebody does: liberate every inch of the country."""
    if last - first < 2 and ASKS_FOR_A_DEED.search(question):
        while words.touch(last) and words.low(last + 1) not in PART_BEGINS and not _begins_sentence(words[last + 1]):
            last += 1
    return first, last


def whole_speech(words: Words, first: int, last: int, question: str) -> tuple[int, int]:
    """Take all that somebody says, where the question asks for that: as fast becoming the biggest horror story."""
    name = asked_speaker(question)
    if name and last - first < FEW:
        marked = Span(words.places[first].start, words.places[last].end)
        spoken = speech_of(name, words.text, marked, words.within)
        inside = [number for number, place in enumerate(words.places) if spoken and place.overlaps(spoken)]
        if 0 < len(inside) <= MOST_SPOKEN:
            return inside[0], inside[-1]
    return first, last


def _begins_sentence(word: str) -> bool:
    return word[:1].isupper() and word.casefold() in FUNCTION_WORDS


RULES: tuple[Rule, ...] = (
    nothing_hanging,
    whole_number,
    with_unit,
    in_one_unit,
    with_qualifier,
    whole_date,
    with_title,
    whole_name,
    with_owner,
    whole_description,
    whole_deed,
    whole_speech,
)


def whole_answer(
    text: str, answer: Span, segments: Sequence[Span], *, question: str, rules: Sequence[Rule] = RULES
) -> Span:
    """Return the place of the whole thing that marked words are part of, never empty where they are not.

    Args:
        text: the document's text.
        answer: the marked words.
        segments: of the document, in order; the whole reaches out of none of those that the marked words touch.
        question: what it names itself is not taken in.
    """
    touched = [segment for segment in segments if segment.overlaps(answer)]
    if not (answer and touched):
        return answer
    words = Words.of(text, Span(min(touched[0].start, answer.start), max(touched[-1].end, answer.end)))
    marked = [number for number, place in enumerate(words.places) if place.overlaps(answer)]
    if not marked:
        return answer
    first, last = marked[0], marked[-1]
    for rule in rules:
        first, last = rule(words, first, last, question)
    start = answer.start if first == marked[0] else words.places[first].start
    end = answer.end if last == marked[-1] else words.places[last].end
    whole = _with_signs(text, Span(start, end))
    return whole if whole == answer else Span(*whole_words(text, whole.start, whole.end)) or answer


def _with_signs(text: str, answer: Span) -> Span:
    """Take the currency sign before a number, and the per cent or degree sign after one."""
    start, end = answer.start, answer.end
    if text[start:end][:1].isdigit() and (sign := _CURRENCY.search(text, max(0, start - 5), start)):
        start = sign.start()
    if text[start:end][-1:].isdigit() and (sign := _SHARE.match(text, end)):
        end = sign.end()
    return Span(start, end)
