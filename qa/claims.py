"""Answering spans -> claims: readings that say the same are one claim with several quotes.

Two claims differ only where both cannot be true: a false "sources differ" is worse than a missed one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from index.documents import Document, Span
from qa.answers import PARTICLES
from qa.reader import Reading
from qa.results import Citation, Claim, Quote, Verdict
from qa.speakers import find_speaker
from qa.values import amount_of, date_of, is_name, is_negative, key_words, stands_for, stated

MAX_CLAIMS = 3
MAX_QUOTES = 4
WEAKEST_SHARE = 0.5
NAME_SHARE = 0.2  # of a description's probability; from there on the name that follows it is taken
SAME_STATEMENT = 0.6  # of the words of two segments, both together, stand in both

_ASKS_FOR_A_NAME = re.compile(r"\s*[Ww]ho(?:m|ever)?\b(?!['’]s [A-Z]| (?:is|was|are|were) [A-Z])")
_ASKS_WHICH = re.compile(r"\s*(?:what|which)((?: \w+){1,3})", re.IGNORECASE)  # "which terrorist organization"
# what rules or fights is one of these, and what a text calls by one name a question may call by another
_BODIES = frozenset(
    "alliance army coalition faction force group militia movement organisation organization party".split()
)
_DEFINITE = re.compile(r"the\b", re.IGNORECASE)
_THE_BEFORE = re.compile(r"\bthe\W*\Z", re.IGNORECASE)
# "US [designated terrorist organization] which rules"
_REST_OF_KIND = re.compile(rf"(?:[ -][a-z]\w*){{0,2}} (?:{'|'.join(sorted(_BODIES))})")
_RELATIVE_CLAUSE = re.compile(r"\W+(?:which|who|that)\b")
_KIND_OF_WHAT_IS_NAMED = re.compile(r".*\b[^\W\d_A-Z][^\W\d_]{3,}(?= [A-Z]\w* (?:\w+ )*[A-Z])")
_ENDS_IN_BODY = re.compile(rf" (?:{'|'.join(sorted(_BODIES))})\Z")
_NAME_AFTER = re.compile(rf" [A-Z]\w*(?: (?:(?:of|of the|{'|'.join(sorted(PARTICLES))}) )?[A-Z]\w*)*")
_WHOSE = re.compile(rf"(?:['’ ]s)? (?:{'|'.join(sorted(_BODIES))})(?= [A-Z])")  # "Karst [militia] Free Men"
_ASKS_WHEN = re.compile(r"\b(?:when|(?:what|which) (?:year|month|date|day))\b", re.IGNORECASE)
# one person or place at a time holds these
_ROLES = (
    "president|prime minister|premier|chancellor|king|queen|emperor|empress|pope|sultan|caliph|leader|head|chief"
    "|ceo|chair|chairman|chairwoman|director|mayor|governor|captain|commander|coach|coordinator|ambassador|speaker"
    "|winner|champion|author|inventor|discoverer|mother|father|wife|husband|successor|predecessor|capital"
)
_SUPERLATIVES = (
    "first|last|most|largest|biggest|greatest|highest|tallest|longest|oldest|youngest|smallest|lowest|deepest|fastest"
    "|richest|earliest|latest|best|worst|strongest"
)
_ASKS_FOR_THE_ONE = re.compile(
    r"(?:who|what|which(?: \w+){1,2}) (?:is|was|became|serves as|served as) (?:now |currently )?"
    rf"(?:the |\w+(?:['’]s?| s) )(?:\w+ ){{0,2}}?(?:{_ROLES}|{_SUPERLATIVES})\b",
    re.IGNORECASE,
)


def names_first(readings: Sequence[Reading], question: str) -> list[Reading]:
    """Return readings, best first, with names in the place of their descriptions where the question asks who.

    In "the organization which rules the town, Hayat Tahrir al Sham" a reader prefers the words nearest to those of the
    question. Of one thing described by a clause, a name that follows in the same segment takes the probability when
    its own is not far below; where the reading goes on to the name itself, that one does. The kind that leads a name
    goes: "the faction Free Men of Karst" says no more of what kind it is than the description does. A name that says
    whose faction it is ("Karst faction Free Men") is not meant.
    "Which organization rules the town?" has said what "the organization" says, so it asks the same, and so does
    "Which group". "Who is Mark Lowcock?" wants the description.
    """
    which = _ASKS_WHICH.match(question)
    kinds = which[1].casefold().split() if which else []
    if not (kinds or _ASKS_FOR_A_NAME.match(question)):
        return list(readings)
    asked = frozenset(key_words(question))
    names = [
        one
        for one in map(_with_name, readings)
        if _names(one.text) and not _says_whose(one) and not asked.issuperset(key_words(one.text))
    ]
    found = []
    for reading in readings:
        description = _description(reading)
        told = description and (not kinds or _is_of_a_kind(description, kinds))
        following = [name for name in names if _follows(name, reading)] if told else []
        meant = [reading] if told and not following and _names(reading.text) else following
        if meant:
            best = max(meant, key=lambda name: name.score)
            said = [*kinds, description.casefold().split()[-1]]
            found.append(replace(best, answer=_name_alone(best, said), score=reading.score))
        else:
            found.append(reading)
    return sorted(found, key=lambda reading: -reading.score)


def _is_of_a_kind(text: str, kinds: Sequence[str]) -> bool:
    """Tell whether words name what one of these kinds is: "the organization", asked for as organization or as group."""
    called = text.casefold().split()[-1]
    return called in kinds or (called in _BODIES and not _BODIES.isdisjoint(kinds))


def _names(text: str) -> bool:
    """Tell whether an answer is a name, or ends in one of two words or more: "the faction Free Men of Karst"."""
    kind = _KIND_OF_WHAT_IS_NAMED.match(text)
    return is_name(text) or (kind is not None and is_name(text[kind.end() :]))


def _name_alone(name: Reading, kinds: Sequence[str]) -> Span:
    """Return the place of a name without what leads it, where that names what one of these kinds is."""
    kind = _KIND_OF_WHAT_IS_NAMED.match(name.text)
    if kind and _is_of_a_kind(kind[0], kinds):
        return Span(name.answer.start + kind.end() + 1, name.answer.end)
    return name.answer


def _with_name(reading: Reading) -> Reading:
    """Return a reading with the name that follows it, where it ends in what kind that is: al Qaeda faction [NAME]."""
    name = _NAME_AFTER.match(reading.readable.passage.text, reading.within.end)
    if not (name and _ENDS_IN_BODY.search(reading.text)):
        return reading
    return replace(reading, answer=Span(reading.answer.start, reading.answer.end + len(name[0])))


def _says_whose(name: Reading) -> bool:
    """Tell whether a name says whose the body is that is named after it: al Qaeda in "al Qaeda faction NAME"."""
    return _WHOSE.match(name.readable.passage.text, name.within.end) is not None


def _description(reading: Reading) -> str:
    """Return words without a name that a clause in or after the answer says more of, "" when there are none.

    "the organization" in "the organization which rules the town", also where the answer lacks what kind it is, since
    the question may have said that: "US designated".
    """
    text, start, end = reading.readable.passage.text, reading.within.start, reading.within.end
    is_definite = _DEFINITE.match(text, start) or _THE_BEFORE.search(text, max(0, start - 8), start)
    clause = _RELATIVE_CLAUSE.search(text, start)
    if not (is_definite and clause):
        return ""
    rest = text[end : clause.start()]
    lacks_kind = _REST_OF_KIND.fullmatch(rest) and (len(rest.split()) > 1 or not is_name(reading.text))
    described = text[start : clause.start()]
    return "" if is_name(described) or (rest and not lacks_kind) else described


def _follows(name: Reading, reading: Reading) -> bool:
    """Tell whether a name whose score is not far below comes after a description in its segment."""
    if name.readable != reading.readable or not name.score >= NAME_SHARE * reading.score:
        return False
    shared = (part.overlaps(name.answer) and part.overlaps(reading.answer) for part in reading.readable.segments)
    return reading.answer.end <= name.answer.start and any(shared)


def quote_of(reading: Reading, document: Document) -> Quote:
    """Return a reading as a quote: the segments that hold the answer, whole, and who speaks it."""
    whole = reading.readable.around(reading.answer)
    shown = Span(min(whole.start, reading.answer.start), max(whole.end, reading.answer.end))
    speaker = find_speaker(document.text, reading.answer, reading.readable.segments)
    return Quote(Citation.from_document(document, shown), reading.answer, reading.score, speaker)


def group_claims(quotes: Sequence[Quote], question: str) -> tuple[Claim, ...]:
    """Return claims, strongest first. A quote joins the first claim whose strongest quote says the same.

    A segment speaks once, with its strongest answer, and a quote much weaker than the strongest is left out. The order
    in which quotes are given does not matter.
    """
    groups: list[list[Quote]] = []
    for quote in sorted(quotes, key=_strongest_first):
        if groups and quote.score < WEAKEST_SHARE * groups[0][0].score:
            break
        if any(_same_place(quote, other) for group in groups for other in group):
            continue
        for group in groups:
            if say_the_same(quote, group[0], question):
                group.append(quote)
                break
        else:
            groups.append([quote])
    return tuple(Claim(group[0].answer_text, tuple(group[:MAX_QUOTES])) for group in groups[:MAX_CLAIMS])


def verdict_of(claims: Sequence[Claim], question: str) -> Verdict:
    """Return how the documents stand to the question: they differ when two claims exclude each other."""
    if not claims:
        return Verdict.NOT_FOUND
    pairs = combinations((claim.quotes[0] for claim in claims), 2)
    return Verdict.DIFFERS if any(exclude(one, other, question) for one, other in pairs) else Verdict.ANSWERED


def say_the_same(quote: Quote, other: Quote, question: str) -> bool:
    """Tell whether two answers to a question are one: the same number, date or name, in whatever words."""
    text, second = quote.answer_text, other.answer_text
    if _deny(quote, other):
        return False
    asks_when = bool(_ASKS_WHEN.search(question))
    date, date2 = date_of(text, asks_when=asks_when), date_of(second, asks_when=asks_when)
    if date and date2:
        return date.same_as(date2)
    amount, amount2 = amount_of(text), amount_of(second)
    if not (date or date2) and (amount or amount2):
        return amount is not None and amount2 is not None and amount.same_as(amount2)
    words, words2 = frozenset(key_words(text)), frozenset(key_words(second))
    if words and words2 and is_negative(text) == is_negative(second) and (words <= words2 or words2 <= words):
        return True
    return stands_for(text, second) or stands_for(second, text)


def exclude(quote: Quote, other: Quote, question: str) -> bool:
    """Tell whether at most one of two answers can be right."""
    if say_the_same(quote, other, question):
        return False
    text, second = quote.answer_text, other.answer_text
    asks_when = bool(_ASKS_WHEN.search(question))
    date, date2 = date_of(text, asks_when=asks_when), date_of(second, asks_when=asks_when)
    if date and date2:
        return date.excludes(date2)
    amount, amount2 = amount_of(text), amount_of(second)
    if amount and amount2 and not (date or date2):
        return amount.excludes(amount2)
    if _ASKS_FOR_THE_ONE.match(question) and is_name(text) and is_name(second):
        return not frozenset(key_words(text)) & frozenset(key_words(second))
    return _deny(quote, other)


def _deny(quote: Quote, other: Quote) -> bool:
    """Tell whether one segment says what the other says, and says "not"."""
    if is_negative(quote.text) == is_negative(other.text):
        return False
    words, words2 = stated(quote.text), stated(other.text)
    return len(words & words2) >= SAME_STATEMENT * len(words | words2)


def _strongest_first(quote: Quote) -> tuple[float, str, str, Span]:
    return -quote.score, quote.citation.path, quote.citation.doc_id, quote.answer


def _same_place(quote: Quote, other: Quote) -> bool:
    return quote.citation.doc_id == other.citation.doc_id and quote.citation.span.overlaps(other.citation.span)
