"""What part candidate words play: who only tells what is asked, what a name is, what repeats the question. Pure.

The first two are evidence for the calibration (`qa.span_reader.Evidence`) and do not decide alone; what only repeats
the question is no answer (`qa.spans.best_spans`). `asked_name` and `asked_speaker` tell whom a question is about.
"""

from __future__ import annotations

import re

from qa.speech_words import (
    AUXILIARIES,
    CALLING,
    CUES,
    DETERMINERS,
    PREPOSITIONS,
    PRONOUNS,
    RANKS,
    REPORTING,
    SAYING,
    TITLES,
)

# shortened titles: alone they do not tell who somebody is
SHORT_TITLES = frozenset("sen gov gen col maj lt capt cmdr sgt adm brig rev st mr mrs ms dr prof".split())

_WHO_IS = re.compile(r"\s*who(?:'s|’s| is| are| was| were) (?:the |an? )?([^\W\d_].*?)\W*", re.IGNORECASE)
_POST_WORDS, _POST = 3, 40  # words right before a name, and the characters that hold them
_WHO_HOLDS = re.compile(r"\s*who(?:'s|’s| is| are| was| were) (?:(the|an?)\b|(?=(?-i:[a-z])))", re.IGNORECASE)
_WHAT_THAT_SAYS = re.compile(r"\b[^\W_]+(?:s|ed) that\b")
_WHAT_IS_SAID = re.compile(
    r"\s*what (?:did|does|do|has|have|had) (?:the )?([^\W\d_].*?)"
    rf" (?:{'|'.join(sorted(SAYING.keys() | REPORTING.keys()))})(?: (?:about|of|on) .*)?\W*",
    re.IGNORECASE | re.DOTALL,
)
_BEFORE_DESCRIPTION = re.compile(r"(?:,|\()? ?(?:(?:is|are|was|were) )?(?:(?:the|an?) )?$", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_FIRST_NAMES = re.compile(r"( [A-Z][^\W_]*)(?: [A-Z][^\W_]*)?")
_MOST_FIRST_NAMES = 2
_SAY_WHO = RANKS | TITLES  # and begin with a capital before a name
_TITLES_AHEAD = re.compile(rf"(?: (?:{'|'.join(sorted(SHORT_TITLES))})\b\.?)*", re.IGNORECASE)
_CHOICE = re.compile(
    rf"\s*(?:{'|'.join(sorted(AUXILIARIES | {'shall'}))})\b|.*\b(?:or|between|versus|vs|which of)\b",
    re.IGNORECASE | re.DOTALL,
)
_TELLS = re.compile(r"(?: [^\W_]+){0,2}? ([^\W_]+) that\b")
_HAS_TOLD = re.compile(r"\b([^\W_]+) that\Z")
_CALLS = re.compile(r" ([^\W_]+)(?: (?:it|him|her|them|this|that)|(?: [A-Z][^\W_]*){1,3}) (?:an?|the|as)\b")


def is_teller(text: str, start: int, end: int, question: str) -> bool:
    """Tell whether words are who tells what follows, where the question does not ask for it.

    "the WSJ | says that", "the WSJ says | that", "a spokesman | called Rome a village". It asks for it where it has a
    verb of saying or a clause that is said (which law holds that ...?), or asks who holds the post that stands beside
    them: who is the minister? "minister Ida Marlow | said that".
    """
    tells = _TELLS.match(text, end) or _HAS_TOLD.search(text, 0, end + len(" that"))
    calls = _CALLS.match(text, end)
    told = (tells and tells[1].casefold() in CUES) or (calls and calls[1].casefold() in CALLING)
    return bool(told) and not _asks_who_tells(question) and not _holds_post(text, start, question)


def _asks_who_tells(question: str) -> bool:
    words = {word.casefold() for word in _WORD.findall(question)}
    return bool(_WHAT_THAT_SAYS.search(question)) or "according" in words or not words.isdisjoint(CUES)


def _holds_post(text: str, start: int, question: str) -> bool:
    """Tell whether a question asks who is a this or that, and a word that says so stands right before a place."""
    asked = _WHO_HOLDS.match(question)
    if not asked:
        return False
    post = set(_WORD.findall(question[asked.end() :].casefold())) - DETERMINERS - PREPOSITIONS
    return not post.isdisjoint(_WORD.findall(text[max(0, start - _POST) : start].casefold())[-_POST_WORDS:])


def echoed_words(question: str) -> frozenset[str]:
    """Return the words, in lower case, that answer nothing since the question says them: "long" of how long it was.

    None where the question gives what to choose from: is it long? is it long or short?
    """
    return frozenset() if _CHOICE.match(question) else frozenset(_WORD.findall(question.casefold()))


def asked_name(question: str) -> str:
    """Return the name of which a question asks who it is: who is Ida Marlow? "" when it asks something else.

    Where a question has no capital at all, any words may be one: who is ida marlow?
    """
    asked = _WHO_IS.fullmatch(question)
    return asked[1] if asked and (asked[1][0].isupper() or question.islower()) else ""


def asked_speaker(question: str) -> str:
    """Return whose words a question asks for: what did Ida Marlow say about it? "" when it asks something else."""
    asked = _WHAT_IS_SAID.fullmatch(question)
    return asked[1] if asked and asked[1].casefold() not in PRONOUNS else ""


def is_rest_of_name(text: str, start: int, end: int, question: str) -> bool:
    """Tell whether words are no more of a person than a name: who is Marlow? "Ida", before it, or "Ida Marlow".

    What leads a name may be a title, which says more: "Minister Marlow".
    """
    name, post = asked_name(question).casefold(), _WHO_HOLDS.match(question)
    if not name or " " in name or (post and post[1]):
        return False
    words = _WORD.findall(text[start:end])
    if len(words) > 1 and words[-1].casefold() == name:
        words.pop()
    elif text[end : end + 1 + len(name)].casefold() != f" {name}":
        return False
    first_names = (word[0].isupper() and not word.isupper() and word.casefold() not in _SAY_WHO for word in words)
    return len(words) <= _MOST_FIRST_NAMES and all(first_names)


def is_description(text: str, start: int, end: int, question: str) -> bool:
    """Tell whether words stand right beside the name that the question asks about: who is Ida Marlow? the engineer.

    Between them may stand shortened titles, which are no description themselves (the engineer Dr Ida Marlow), and
    first names where the question has one name alone.
    """
    name = asked_name(question).casefold()
    if not name or SHORT_TITLES.issuperset(_WORD.findall(text[start:end].casefold())):
        return False
    between = _TITLES_AHEAD.match(text, end)  # the question may name the titles too
    places = {end, between.end() if between else end}
    if " " not in name and (first := _FIRST_NAMES.match(text, max(places))):
        places |= {first.end(1), first.end()}
    called = [text[at + 1 : at + 1 + len(name)] for at in places if text[at : at + 1] == " "]
    before = _BEFORE_DESCRIPTION.search(text, max(0, start - 12), start)
    if before:
        called.append(text[max(0, before.start() - len(name)) : before.start()])
    return any(words.casefold() == name and (words[0].isupper() or not question.islower()) for words in called)
