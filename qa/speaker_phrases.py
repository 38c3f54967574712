"""Which words beside a verb of speech name who speaks? Names and noun phrases, read by rule."""

from __future__ import annotations

from itertools import pairwise

from qa.sentence_words import (
    FUNCTION_WORDS,
    Run,
    Sentence,
)
from qa.speech_words import (
    ADVERBS,
    AUXILIARIES,
    CLAUSE_PREPOSITIONS,
    CONJUNCTIONS,
    CUES,
    DETERMINERS,
    HONORIFICS,
    MODIFIERS,
    NAMELESS,
    PARTICLES,
    PREPOSITIONS,
    PRONOUNS,
    PUBLISHED,
    REPORTING,
    SAYING,
    SPEAKERS,
    SPEECHLESS,
    TIES,
    TIMES,
    TITLES,
)

LEADING = PREPOSITIONS - CLAUSE_PREPOSITIONS
_DESCRIBING = LEADING | MODIFIERS | PUBLISHED | {"which", "who", "whose", "based", "called", "named", "and", "s"}
_MAX_APPOSITION = 24
_BEFORE_NOUN = DETERMINERS - {"that"}  # "a petition that succeeded"
_KNOWN = SPEAKERS | PRONOUNS | {"al", "colleagues"}


def phrase_before(s: Sentence, last: int) -> Run | None:
    """Return the phrase that ends with a word and may name a speaker: a name, a noun with its article, a pronoun."""
    last = _unpublished(s, last)
    if last < 0:
        return None
    if s.at(last) == "al" and s.at(last - 1) == "et":
        return _joined(s, Run(_surname_start(s, last - 2), last + 1))
    if s.at(last) in PRONOUNS and not s.words[last].isupper():
        return Run(last, last + 1)
    if s.at(last) == "colleagues" and s.at(last - 1) == "and":
        return Run(_name_start(s, last - 2), last + 1)
    if s.is_name(last):
        start = _name_start(s, last)
        if start == last and s.words[last].isupper():  # state TV
            start = _noun_start(s, last)
        start -= s.at(start - 1) == "the" and not s.paused(start)
    elif s.at(last) in FUNCTION_WORDS or (s.at(last) in CUES and s.at(last) not in SPEAKERS) or s.at(last).isdigit():
        return None
    else:
        start = _noun_start(s, last)
    return _tied(s, Run(start, last + 1))


def phrase_from(s: Sentence, start: int) -> Run | None:
    """Return the name or noun phrase that begins at a word; of a title and a name, the name."""
    place = start
    while s.at(place) in DETERMINERS and not s.is_name(place) and not (place > start and s.paused(place)):
        place += 1
    head, names = place, None
    while place < len(s) and (place == head or not s.paused(place)):
        if s.is_name(place):
            names = name_from(s, place)
            place = names.end
        elif s.lower[place] in MODIFIERS:
            if names is not None and s.lower[place] in TITLES and s.at(place + 1) in TIES:
                break  # "Jason Marczak director of"
            names = None
            place += 1
        else:
            break
    if names is not None:
        return names if names.start > head else Run(start, names.end)
    if (
        place == head
        and s.at(head)
        and s.at(head) not in FUNCTION_WORDS
        and head > start
        and s.at(head + 1) in SPEAKERS
    ):
        place = head + 2
    return Run(start, place) if place > head else None


def name_from(s: Sentence, start: int) -> Run:
    end = start + 1
    while not s.paused(end):
        if s.is_name(end) or s.at(end) in ("s", "al") or (s.at(end) == "et" and s.at(end + 1) == "al"):
            end += 1
            continue
        right = end
        while s.at(right) in PARTICLES | {"of", "for", "the", "and"} and right - end < 3 and not s.paused(right + 1):
            right += 1
        if right == end or not s.is_name(right) or s.lower[end:right] == ["the"]:
            break
        end = right + 1
    return Run(start, end)


def _unpublished(s: Sentence, last: int) -> int:
    """Step back over "released on Wednesday", "in 2010" between a name and its verb."""
    for place in range(last, max(last - 6, 0), -1):
        if s.paused(place):
            break
        if s.lower[place] in PUBLISHED:
            return place - 1
    timed = last
    while timed > 0 and s.at(timed) in TIMES and not s.paused(timed):
        timed -= 1
    return timed - 1 if timed < last and s.at(timed) == "on" else timed


def _name_start(s: Sentence, last: int) -> int:
    """Return the first word of the name that ends with ``last``, particles and "of the" between capitals included."""
    start = last
    while not s.paused(start) and s.at(start) not in HONORIFICS:
        if s.is_name(start - 1) or (s.at(start - 1) == "s" and s.is_name(start - 2)):
            start -= 1
            continue
        left = start - 1
        while (
            left > 0
            and s.at(left) in PARTICLES | {"of", "for", "the", "and"}
            and not s.paused(left)
            and start - left < 4
        ):
            left -= 1
        if left == start - 1 or not s.is_name(left) or s.paused(left + 1) or s.lower[left + 1 : start] == ["the"]:
            break
        if s.at(left + 1) == "and" and s.at(left - 1) in PREPOSITIONS - {"of", "for"}:
            break
        start = left
    return start


def _surname_start(s: Sentence, last: int) -> int:
    """Return the first word of the one surname before "et al", particles and hyphens included."""
    while last > 0 and (s.at(last - 1) in PARTICLES or s.gap(last) == "-"):
        last -= 1
    double = s.is_name(last - 1) and not s.words[last - 1].isupper() and not s.paused(last)
    return last - double


def _noun_start(s: Sentence, last: int) -> int:
    """Return the first word of a noun phrase: its article if it has one, else the known words before the noun."""
    start = last
    while not s.paused(start) and last - start < 7:
        left = start - 1
        word = s.lower[left]
        if word in _BEFORE_NOUN:
            return left - (s.at(left - 1) in ("almost", "nearly", "all") and not s.paused(left))
        if (word in FUNCTION_WORDS and not s.is_name(left)) or (word in CUES and word not in SPEAKERS):
            break
        start = left
    start = last
    while not s.paused(start) and (s.is_name(start - 1) or s.at(start - 1) in MODIFIERS):
        start -= 1
    owned = s.at(last) in SPEAKERS and s.at(start - 1) == "s" and s.is_name(start - 2)
    return _name_start(s, start - 2) if owned else start


def _tied(s: Sentence, phrase: Run) -> Run | None:
    """Add what a phrase belongs to: "a spokesman for | the ministry". None when a preposition leads nowhere."""
    left = phrase.start - 1
    if s.paused(phrase.start):
        return phrase
    if s.at(left) in DETERMINERS and not s.paused(left):
        left -= 1
    if s.at(left) not in LEADING or s.is_name(left):
        return _joined(s, phrase)
    if s.at(left) == "by" and s.at(left - 1) in ("quoted", "cited", "interviewed"):
        return phrase
    if s.at(left) not in TIES or s.paused(left):
        return None
    head = left - 1
    if s.is_name(head) and s.at(left) != "with":
        return _tied(s, Run(_name_start(s, head), phrase.end))
    return _tied(s, Run(_noun_start(s, head), phrase.end)) if s.at(head) in SPEAKERS else None


def _joined(s: Sentence, phrase: Run) -> Run:
    """Add "X and" before a name."""
    left = phrase.start - 1
    if s.at(left) == "and" and not s.paused(phrase.start) and s.at(left - 1) == "al":
        return Run(_surname_start(s, left - 3), phrase.end)
    return phrase


def titles_start(s: Sentence, left: int) -> int:
    """Return where the phrase that names a speaker begins, with the lower-case titles before the name."""
    while left > 0 and not s.pauses[left] and (s.at(left - 1) in MODIFIERS or s.is_name(left - 1)):
        left -= 1
    return left


def opening_phrase(s: Sentence) -> Run | None:
    """Return the name or speaker a sentence begins with."""
    subject = phrase_from(s, 0)
    return subject if subject is not None and is_known(s, subject) else None


def is_known(s: Sentence, phrase: Run) -> bool:
    """Whether a phrase is a name, a pronoun or has a word for a speaker; not any noun with its article."""
    return s.is_name(phrase.end - 1) or _head(s, phrase) in _KNOWN


def _head(s: Sentence, phrase: Run) -> str:
    """Return the noun of a phrase: the word for a speaker before "of" and the like, else the last one."""
    words = s.lower[phrase.start : phrase.end]
    ties = (w for w, following in pairwise(words) if w in SPEAKERS and following in TIES)
    return next(ties, words[-1])


def long_subject(s: Sentence, at: int) -> Run | None:
    """Return the name or speaker a clause begins with, when what follows up to ``at`` only says more about it."""
    start = 0
    for place in range(at, 0, -1):
        if s.quote_before(place) or (s.at(place - 1) in ("that", "while", "but") and not s.paused(place)):
            start = place
            break
    while s.at(start) in ADVERBS | {"and", "but", "however", "then"}:
        start += 1
    subject = phrase_from(s, start)
    if subject is None or subject.start != start or at - subject.end > _MAX_APPOSITION or subject.end > at:
        return None
    return subject if _only_describes(s, subject.end, at + 1) else None


def qualified_subject(s: Sentence, at: int) -> Run | None:
    """Return who opens a sentence when all before the verb tells more of them: "X who came today", "X the mayor"."""
    subject = opening_phrase(s)
    if subject is None or subject.end > at:
        return None
    if s.at(subject.end) in ("who", "which"):
        return subject if at > subject.end + 1 else None
    then = subject.end + (s.at(subject.end) in ("then", "now", "formerly"))
    article = s.at(then) if s.is_name(subject.end - 1) else ""
    told = article in ("a", "an") or (article == "the" and (s.at(at) in SPEAKERS or "who" in s.lower[then:at]))
    return subject if told and _only_describes(s, subject.end, at + 1) else None


def _only_describes(s: Sentence, start: int, end: int) -> bool:
    """Whether words after a name only say who it is: "the mayor of Y", "who lives in Z", "based in W"."""
    start += s.at(start) in ("then", "now", "formerly")
    apposed = s.paused(start) or s.paused(start + 1) or s.at(start) in DETERMINERS
    if start < end and not (apposed or s.at(start) in _DESCRIBING or s.at(start).isdigit()):
        return False
    for place in range(start, end):
        word = s.lower[place]
        if word in ("which", "who", "whose"):
            return True
        if word in AUXILIARIES or word in CONJUNCTIONS - {"and", "as"} or (word in CUES and word not in SPEAKERS):
            return False
        if word.endswith("ed") and not apposed and word not in PUBLISHED | {"based", "called", "named"}:
            return False
    return True


def subject_across_pause(s: Sentence, at: int) -> Run | None:
    """Return the subject of a verb that a comma divides from it: "X, the mayor of Y, said"."""
    start = at
    while not s.paused(start):
        start -= 1
    enclosed = ")" in s.gap(at + 1)  # "sequels (Old Friends, Relative Strangers), said"
    if start > 0 and at - start >= 1 and not enclosed and all(s.is_name(place) for place in range(start, at + 1)):
        return Run(start, at + 1)
    return long_subject(s, at)


def may_speak(s: Sentence, phrase: Run, form: str) -> bool:
    """Whether a phrase can be who speaks, for a verb that anyone's speech or only a speaker's word can stand with."""
    words = s.lower[phrase.start : phrase.end]
    head = _head(s, phrase)
    names = [place for place in range(phrase.start, phrase.end) if s.is_name(place)]
    if words[0] in PRONOUNS and len(words) == 1:
        return True
    if head in SPEECHLESS or (len(words) == 1 and words[0] in NAMELESS and not names):
        return False
    if head in SPEAKERS or "al" in words or "colleagues" in words:
        return True
    if form in SAYING:
        return bool(names) or words[0] in DETERMINERS or words[-1].endswith("s")
    first_only = names == [0] and not (len(s.words[0]) > 1 and s.words[0].isupper())
    tail_is_name = s.is_name(phrase.end - 1)
    return bool(names) and tail_is_name and not (first_only and words[-1].endswith("s") and form in REPORTING)
