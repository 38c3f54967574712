"""Which words of one sentence does it say somebody speaks, and who? Reads names and verbs by rule, without a tagger.

Works on words and what stands between them, so that text without punctuation is read by the same rules; where there
are marks, they decide more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from index.documents import Span
from qa.speech_words import (
    ADVERBS,
    AUXILIARIES,
    BE,
    AFTER_PARTICIPLE,
    ALSO_NOUNS,
    BY_FORMS,
    CALLING,
    CITING,
    CLAUSE_PREPOSITIONS,
    CONJUNCTIONS,
    CUES,
    DAYS_AND_MONTHS,
    DETERMINERS,
    DOCUMENTS,
    FIRST_PERSON,
    HYPOTHESES,
    MODIFIERS,
    NAMELESS,
    NEGATIONS,
    NOT_ACCORDING,
    NOT_AFTER_CALL,
    PARTICLES,
    PREPOSITIONS,
    PRONOUNS,
    PUBLISHED,
    PUTTING,
    REPORTING,
    SAYING,
    SPEAKERS,
    SPEECHLESS,
    STARTERS,
    TIES,
    TIMES,
    WITH_QUOTATION,
    WITH_TO,
)

WORD = re.compile(r"[^\W_]+")
QUOTE_MARKS = '"“”„«»'
_NOTES = re.compile(r"\[[\d,;\s–-]*\]|\((?:[A-Z]{2,}|\d{4})\)")
_PAUSE = re.compile(rf"[,;:()\[\]{QUOTE_MARKS}—–\n]|--|``|''|[.!?]\s")
_ABBREVIATED = frozenset("al mr mrs ms dr st sen rep gov gen col lt sgt jr prof".split())
_FUNCTION = (
    DETERMINERS | PREPOSITIONS | CONJUNCTIONS | AUXILIARIES | NAMELESS | ADVERBS | PRONOUNS | DAYS_AND_MONTHS | NEGATIONS
)
_SIBLING = frozenset("and but while whereas as what although though however".split())
_NO_CONTENT = (PREPOSITIONS | CONJUNCTIONS | AUXILIARIES) - {"that", "what", "how", "why", "where", "when", "in", "on"}
_BEFORE_VERBS = CUES.keys() | AUXILIARIES | ADVERBS
_LEADING = PREPOSITIONS - CLAUSE_PREPOSITIONS
_MAX_APPOSITION = 24
_MAX_ADJUNCT = 12


@dataclass(frozen=True, slots=True)
class Run:
    """Words ``start`` up to but not including ``end`` of a sentence."""

    start: int
    end: int

    def overlaps(self, other: Run) -> bool:
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Attribution:
    """Somebody speaks some words of a sentence.

    Attributes:
        speaker: the words that name who speaks, or a pronoun.
        contents: the words spoken, one or two runs.
        via: who hands the words on, when the sentence says so.
    """

    speaker: Run
    contents: tuple[Run, ...]
    via: Run | None = None

    def covers(self, answer: Run) -> bool:
        return any(content.overlaps(answer) for content in self.contents)

    @property
    def place(self) -> int:
        return max(content.start for content in self.contents)


class Sentence:
    """The words of one stretch of text, and what stands before each of them."""

    def __init__(self, text: str, span: Span) -> None:
        part = _NOTES.sub(lambda note: " " * len(note[0]), span.of(text))
        matches = list(WORD.finditer(part))
        self.words = [match.group() for match in matches]
        self.lower = [word.lower() for word in self.words]
        self.spans = [Span(span.start + match.start(), span.start + match.end()) for match in matches]
        ends = [0, *(match.end() for match in matches)]
        self.gaps = [part[end : match.start()] for end, match in zip(ends, matches, strict=False)]
        self.tail = part[ends[-1] :]
        self.pauses = [place > 0 and self._is_pause(place) for place in range(len(matches))]

    def __len__(self) -> int:
        return len(self.words)

    def _is_pause(self, place: int) -> bool:
        gap = self.gaps[place]
        if gap in (" ", "'", "’", "-"):
            return False
        before = self.lower[place - 1]
        return _PAUSE.search(gap.lstrip(".") if len(before) == 1 or before in _ABBREVIATED else gap) is not None

    def at(self, place: int) -> str:
        """Return a word in lower case, or "" outside the sentence."""
        return self.lower[place] if 0 <= place < len(self.lower) else ""

    def paused(self, place: int) -> bool:
        """Whether a mark, or an end of the sentence, stands before a word."""
        return not 0 < place < len(self.words) or self.pauses[place]

    def gap(self, place: int) -> str:
        return self.gaps[place] if place < len(self.gaps) else self.tail

    def quote_before(self, place: int) -> bool:
        gap = self.gap(place)
        return any(mark in gap for mark in QUOTE_MARKS) or "''" in gap or "``" in gap

    def is_name(self, place: int) -> bool:
        """Whether a word is written as a name is: with a capital, and not for standing first alone."""
        if not 0 <= place < len(self.words):
            return False
        word = self.words[place]
        if not word[0].isupper():
            return False
        if len(word) > 1 and word.isupper():
            return True
        lower = self.lower[place]
        starts = place == 0 or self.pauses[place]
        adverb = lower.endswith("ly") and not self.at(place + 1) in _BEFORE_VERBS
        return lower not in _FUNCTION and not (starts and (lower in STARTERS or adverb))

    def run_of(self, span: Span) -> Run:
        """Return the words a span of the text touches."""
        touched = [place for place, word in enumerate(self.spans) if word.overlaps(span)]
        return Run(touched[0], touched[-1] + 1) if touched else Run(0, 0)


def attributions(sentence: Sentence) -> list[Attribution]:
    """Return who speaks which words of a sentence, in order. The words of one may stand inside those of another."""
    found = sorted(_all(sentence), key=lambda attribution: attribution.place)
    return [_without_siblings(attribution, found, sentence) for attribution in found]


def _all(s: Sentence) -> Iterator[Attribution]:
    yield from _labelled(s)
    yield from _introduced(s)
    for place, word in enumerate(s.lower):
        one = None
        if word in CITING:
            one = _cited(s, place)
        if one is None and word in CUES:
            one = _verb(s, place)
        if one is None and word in BY_FORMS and s.at(place + 1) == "by":
            one = _by(s, place)
        if one is None and word == "to" and s.at(place - 1) == "according":
            one = _according(s, place - 1, place + 1)
        if one is None and word in ("in", "by") and s.at(place - 1) in ("reported", "stated") and s.at(place - 2) == "as":
            one = _according(s, place - 2, place + 1)
        if one is None and word == "of" and s.at(place - 1) == "words" and s.at(place - 2) == "the":
            one = _according(s, place - 3, place + 1)
        if one is not None:
            yield one


def _without_siblings(one: Attribution, found: list[Attribution], s: Sentence) -> Attribution:
    """End the words of one where another begins beside it, not inside: "X said this and Y said that"."""
    for other in found:
        cut = other.speaker.start
        if s.at(cut - 1) in DETERMINERS:
            cut -= 1
        beside = s.at(cut - 1) in _SIBLING or ";" in s.gap(cut)
        if other is not one and beside and cut > one.speaker.end:
            contents = [Run(c.start, min(c.end, cut - 1)) if c.start < cut else c for c in one.contents]
            one = replace(one, contents=tuple(c for c in contents if c.start < c.end) or one.contents[:1])
    return one


# ---------------------------------------------------------------- patterns


def _labelled(s: Sentence) -> Iterator[Attribution]:
    """Read "Smith: I think so", a turn of an interview: a name, a colon, and words in the first person."""
    end = 0
    while end < min(3, len(s)) and s.is_name(end) and (end == 0 or not s.pauses[end]):
        end += 1
    if 0 < end < len(s) and s.gap(end).startswith(": ") and FIRST_PERSON & set(s.lower[end:]):
        yield Attribution(Run(0, end), (Run(end, len(s)),))


def _introduced(s: Sentence) -> Iterator[Attribution]:
    """Read 'X welcomed the decision: "...': whoever did it speaks the quotation."""
    for place in range(1, len(s)):
        if ":" in s.gap(place) and s.quote_before(place):
            start = 0
            if s.at(0) in _LEADING:
                start = next((p for p in range(1, place) if s.pauses[p]), 0)
            subject = _phrase_from(s, start)
            if subject is not None and s.is_name(subject.start) and not s.at(subject.end) == "s":
                yield Attribution(subject, (Run(place, len(s)),))
            return


def _verb(s: Sentence, verb: int) -> Attribution | None:
    """Read "NP says", "says NP", "NP called X Y" and "..., saying" around a verb of speech."""
    if not _speaks(s, verb):
        return None
    base = CUES[s.lower[verb]]
    at, passive, denied = _before_verb(s, verb)
    if passive or (denied and base not in ("believe", "think", "expect")):
        return None
    if s.lower[verb].endswith("ing") and s.at(verb - 1) not in BE and s.at(at + 1) not in BE:
        return _participle(s, verb)
    inverted = False
    if s.paused(at + 1):
        subject = _inverted(s, verb)
        inverted = subject is not None
        subject = subject or _across_pause(s, at)
    elif s.at(at) in NAMELESS and not s.words[at].isupper():
        subject = _phrase_before(s, at - 1) if s.at(at) == "who" and not s.paused(at) else None
    else:
        subject = _phrase_before(s, at) or _long_subject(s, at)
        if subject is None and not s.is_name(at):
            subject = _inverted(s, verb)
            inverted = subject is not None
    if subject is None or s.at(subject.start - 1) in HYPOTHESES or not _may_speak(s, subject, s.lower[verb]):
        return None
    subject, via = _handed_on(s, subject)
    contents = (Run(0, verb),) if inverted else _contents(s, subject, verb)
    contents = tuple(content for content in contents if content.start < content.end)
    return Attribution(subject, contents, via) if contents else None


def _speaks(s: Sentence, verb: int) -> bool:
    """Whether a form of a verb of speech is used as one here, as far as the words after it tell."""
    form, after = s.lower[verb], s.at(verb + 1)
    base = CUES[form]
    if s.words[verb][0].isupper() and verb > 0:
        return False
    if form in PUTTING:
        return "at" in s.lower[verb : verb + 16]
    if base == "point":
        return after == "out"
    if after == "to" and base not in WITH_TO and form.endswith(("ed", "said", "told", "thought")):
        return form == "said" and s.at(verb + 2) not in AUXILIARIES
    if base in WITH_QUOTATION and not (after == "that" or s.paused(verb) or s.quote_before(verb + 1) or verb + 1 == len(s)):
        return s.at(verb + 1) in ("in", "on", "at") and s.paused(verb - 1)
    if form in CALLING and base != "describe":
        return _has_object(s, verb)
    if form == base and base in ALSO_NOUNS:
        return after == "that" or (s.at(verb - 1) in AUXILIARIES and s.at(verb - 1) not in BE)
    if form.endswith("s") and base in ALSO_NOUNS:
        return not s.paused(verb + 1) and after not in _NO_CONTENT and after not in CUES
    if form.endswith("ed") and base in REPORTING and s.at(verb + 2) in BE:
        return s.is_name(verb + 1) or after.endswith("s") or after in _FUNCTION or after.isdigit()
    return after not in AFTER_PARTICIPLE or not form.endswith(("ed", "wn", "en"))


def _has_object(s: Sentence, verb: int) -> bool:
    """Whether "called" and its like have what they are said of: not "called off", not "a city called Idlib"."""
    after = s.at(verb + 1)
    if not after or after in NOT_AFTER_CALL or (s.paused(verb + 1) and not s.quote_before(verb + 1)):
        return False
    if s.lower[verb] in ("calls", "labels", "brands") and not (after in DETERMINERS or s.is_name(verb + 1)):
        return after in ("for", "on", "him", "her", "them", "it")
    return not (s.is_name(verb + 1) and s.paused(_name_from(s, verb + 1).end))


def _before_verb(s: Sentence, verb: int) -> tuple[int, bool, bool]:
    """Return the last word of what precedes a verb and its helpers, whether it is passive, whether it is denied."""
    at, denied, helpers = verb - 1, False, []
    while at >= 0 and not s.paused(at + 1):
        word = s.lower[at]
        if s.words[at][0].isupper() and s.is_name(at):
            break
        if word == "to" and s.at(at - 1) != "on" and s.at(at - 1) not in BE:
            return at, False, True
        denied |= word in NEGATIONS
        if word in AUXILIARIES or word in NEGATIONS:
            helpers.append(word)
        elif not (word in ADVERBS or (word.endswith("ly") and len(word) > 4)):
            break
        at -= 1
    if s.at(at).isdigit() and s.at(at - 1) == "al":
        at -= 1
    passive = bool(helpers) and helpers[0] in BE and not s.lower[verb].endswith("ing")
    return at, passive, denied


def _across_pause(s: Sentence, at: int) -> Run | None:
    """Return the subject of a verb that a comma divides from it: "X, the mayor of Y, said"."""
    start = at
    while not s.paused(start):
        start -= 1
    if start > 0 and at - start >= 1 and all(s.is_name(place) for place in range(start, at + 1)):
        return Run(start, at + 1)
    return _long_subject(s, at)


def _long_subject(s: Sentence, at: int) -> Run | None:
    """Return the name or speaker a clause begins with, when what follows up to ``at`` only says more about it."""
    start = 0
    for place in range(at, 0, -1):
        if s.quote_before(place) or (s.at(place - 1) in ("that", "while", "but") and not s.paused(place)):
            start = place
            break
    while s.at(start) in ADVERBS | {"and", "but", "however", "then"}:
        start += 1
    subject = _phrase_from(s, start)
    if subject is None or subject.start != start or at - subject.end > _MAX_APPOSITION or subject.end > at:
        return None
    return subject if _only_describes(s, subject.end, at + 1) else None


def _only_describes(s: Sentence, start: int, end: int) -> bool:
    """Whether words after a name only say who it is: "the mayor of Y", "who lives in Z", "based in W"."""
    apposed = s.paused(start) or s.at(start) in DETERMINERS
    for place in range(start, end):
        word = s.lower[place]
        if word in ("which", "who", "whose"):
            return True
        if word in AUXILIARIES or word in CONJUNCTIONS - {"and", "as"} or (word in CUES and word not in SPEAKERS):
            return False
        if word.endswith("ed") and not apposed and word not in PUBLISHED | {"based", "called", "named"}:
            return False
    return True


def _inverted(s: Sentence, verb: int) -> Run | None:
    """Return the speaker after the verb: "..., said X, the mayor"."""
    if s.lower[verb] not in SAYING or SAYING[s.lower[verb]] == "tell" or s.lower[verb].endswith("ing") or verb == 0:
        return None
    subject = _phrase_from(s, verb + 1)
    if subject is None or s.paused(verb + 1) and verb + 1 < len(s):
        return None
    follows = s.at(subject.end)
    settled = s.paused(subject.end) or follows in PREPOSITIONS or follows in TIMES or follows in ("who", "which", "the", "a")
    return subject if settled else None


def _participle(s: Sentence, verb: int) -> Attribution | None:
    """Read "X did this, saying that": the sentence's subject speaks."""
    if s.at(verb - 1) in PREPOSITIONS | DETERMINERS | CONJUNCTIONS or s.lower[verb] == "according":
        return None
    if not (s.paused(verb) or s.at(verb - 1) in DOCUMENTS) and s.lower[verb] not in ("saying", "claiming", "arguing", "adding", "warning", "insisting"):
        return None
    start = 0
    while s.at(start) in ADVERBS | {"and", "but", "however"}:
        start += 1
    subject = _phrase_from(s, start)
    if subject is None or subject.end >= verb or not _may_speak(s, subject, s.lower[verb]):
        return None
    return Attribution(subject, (Run(_content_start(s, verb), len(s)),)) if verb + 1 < len(s) else None


def _cited(s: Sentence, verb: int) -> Attribution | None:
    """Read "X cited Y as saying", "Y was quoted by X as saying", "citing Y"."""
    at, passive, denied = _before_verb(s, verb)
    if denied or s.lower[verb] == "quote":
        return None
    if passive:
        return _quoted(s, verb, at)
    source = _phrase_from(s, verb + 1)
    if source is None or not _may_speak(s, source, "cite"):
        return _cited_reason(s, verb, at)
    citing = _long_subject(s, at) if s.paused(at + 1) else _phrase_before(s, at)
    said = next((p for p in range(source.end, min(source.end + 4, len(s))) if s.lower[p] in ("saying", "say", "that")), None)
    if said is not None:
        start = said + 1 + (s.at(said + 1) == "that")
        return Attribution(source, (Run(start, len(s)),), citing) if start < len(s) else None
    return _cited_reason(s, verb, at)


def _cited_reason(s: Sentence, verb: int, at: int) -> Attribution | None:
    if "as" not in s.lower[verb + 2 :] or s.lower[verb].endswith("ing"):
        return None
    subject = _phrase_before(s, at)
    named = subject is not None and _may_speak(s, subject, "cite")
    return Attribution(subject, (Run(verb + 1, len(s)),)) if subject is not None and named else None


def _quoted(s: Sentence, verb: int, at: int) -> Attribution | None:
    if s.at(verb + 1) == "by":
        return None if "saying" not in s.lower[verb:] else _quoted_by(s, verb, at)
    subject = _phrase_before(s, at)
    if subject is None or s.at(verb + 1) != "as" or s.at(verb + 2) not in ("saying", "being", "having"):
        return None
    return Attribution(subject, (Run(verb + 3, len(s)),))


def _quoted_by(s: Sentence, verb: int, at: int) -> Attribution | None:
    subject, via = _phrase_before(s, at), _phrase_from(s, verb + 2)
    start = s.lower.index("saying", verb) + 1
    return Attribution(subject, (Run(start, len(s)),), via) if subject and start < len(s) else None


def _by(s: Sentence, verb: int) -> Attribution | None:
    """Read "described by X as", "was reported by X"."""
    speaker = _phrase_from(s, verb + 2)
    if speaker is None or not _may_speak(s, speaker, "report"):
        return None
    said_as = next((p for p in range(speaker.end, min(speaker.end + 3, len(s))) if s.lower[p] == "as"), None)
    told = s.lower[verb] in ("cited", "reported", "claimed", "announced", "confirmed", "estimated")
    passive = s.at(verb - 1) in BE or s.at(verb - 2) in BE
    contents = [Run(said_as + 1, len(s))] if said_as is not None and said_as + 1 < len(s) else []
    if told and passive:
        contents.insert(0, Run(0, verb))
    return Attribution(speaker, tuple(contents)) if contents else None


def _according(s: Sentence, start: int, name: int) -> Attribution | None:
    """Read "according to X", "as reported by X", "in the words of X"."""
    speaker = _phrase_from(s, name)
    if speaker is None or s.at(start) == "according" and s.at(start - 1) in NEGATIONS:
        return None
    head = set(s.lower[name : speaker.end + 1])
    if head & NOT_ACCORDING or not _may_speak(s, speaker, "show"):
        return None
    leading = all(s.at(place) in ADVERBS | CONJUNCTIONS for place in range(start))
    contents = [] if leading else [Run(0, start)]
    if leading or (s.paused(start) and s.pauses[start] and s.paused(speaker.end)):
        contents.append(Run(speaker.end, len(s)))
    contents = [content for content in contents if content.start < content.end]
    return Attribution(speaker, tuple(contents)) if contents else None


# ---------------------------------------------------------------- what is said


def _contents(s: Sentence, subject: Run, verb: int) -> tuple[Run, ...]:
    """Return the words spoken around "subject verb"."""
    start = _content_start(s, verb)
    left = subject.start - (s.at(subject.start - 1) in DETERMINERS)
    before = Run(0, left)
    last = verb + 1 >= len(s) or (start >= len(s))
    quoted_before = s.quote_before(_clause_start(s, left)) and left > 0
    if quoted_before:
        reopened = next((p for p in range(verb + 1, len(s)) if s.quote_before(p)), len(s))
        return before, Run(reopened, len(s))
    marked = s.pauses[left] if 0 < left < len(s) else False
    if (marked or _clause_start(s, left) > 0) and (last or (s.pauses[verb + 1] and "," in s.gap(verb + 1))):
        return before, Run(start, len(s))
    if last:
        return () if ":" in s.tail else (before,)
    return (Run(start, len(s)),)


def _clause_start(s: Sentence, left: int) -> int:
    """Return where the phrase that names a speaker begins, with the lower-case titles before the name."""
    while left > 0 and not s.pauses[left] and (s.at(left - 1) in MODIFIERS or s.is_name(left - 1)):
        left -= 1
    return left


def _content_start(s: Sentence, verb: int) -> int:
    """Return the first word of what is said after a verb: past "that", the person told, and where or when."""
    start = verb + 1
    far = min(start + _MAX_ADJUNCT, len(s))
    base = CUES.get(s.lower[verb], "")
    opened = next((p for p in range(start, far) if s.lower[p] == "that" or s.quote_before(p) or ":" in s.gap(p)), None)
    if base == "tell":
        return _past_addressee(s, start) if opened is None else opened + (s.lower[opened] == "that")
    aside = s.at(start) in ("in", "on", "at", "to", "through", "via", "during") or s.at(start) in TIMES
    if aside and base not in CALLING and not (base in WITH_TO and s.at(start) == "to"):
        if opened is not None:
            return opened + (s.lower[opened] == "that")
        if len(s) - start <= _MAX_ADJUNCT:
            return len(s)
    return start + (s.at(start) in ("that", "out"))


def _past_addressee(s: Sentence, start: int) -> int:
    """Return the word after the one told: "told Reuters the war", "told the BBC there is"."""
    if s.at(start) in DETERMINERS:
        start += 1
    if not s.is_name(start):
        return start + 1
    while s.is_name(start):
        start += 1
    return start


# ---------------------------------------------------------------- who speaks


def _phrase_before(s: Sentence, last: int) -> Run | None:
    """Return the phrase that ends with a word and may name a speaker: a name, a noun with its article, a pronoun."""
    last = _unpublished(s, last)
    if last < 0:
        return None
    if s.at(last) == "al" and s.at(last - 1) == "et":
        return _joined(s, Run(_name_start(s, last - 2), last + 1))
    if s.at(last) in PRONOUNS and not s.words[last].isupper():
        return Run(last, last + 1)
    if s.at(last) == "colleagues" and s.at(last - 1) == "and":
        return Run(_name_start(s, last - 2), last + 1)
    if s.is_name(last):
        start = _name_start(s, last)
    elif s.at(last) in _FUNCTION or s.at(last) in CUES and s.at(last) not in SPEAKERS or s.at(last).isdigit():
        return None
    else:
        start = _noun_start(s, last)
    return _tied(s, Run(start, last + 1))


def _unpublished(s: Sentence, last: int) -> int:
    """Step back over "released on Wednesday", "in 2010" between a name and its verb."""
    for place in range(last, max(last - 6, 0), -1):
        if s.paused(place):
            break
        if s.lower[place] in PUBLISHED:
            return place - 1
    while last > 0 and s.at(last) in TIMES and not s.paused(last):
        last -= 1
    return last - 1 if s.at(last) == "on" else last


def _name_start(s: Sentence, last: int) -> int:
    """Return the first word of the name that ends with ``last``, particles and "of the" between capitals included."""
    start = last
    while not s.paused(start):
        if s.is_name(start - 1) or (s.at(start - 1) == "s" and s.is_name(start - 2)):
            start -= 1
            continue
        left = start - 1
        while left > 0 and s.at(left) in PARTICLES | {"of", "for", "the", "and"} and not s.paused(left) and start - left < 4:
            left -= 1
        if left == start - 1 or not s.is_name(left) or s.paused(left + 1):
            break
        if s.at(left + 1) == "and" and s.at(left - 1) in PREPOSITIONS - {"of", "for"}:
            break
        start = left
    return start


def _noun_start(s: Sentence, last: int) -> int:
    """Return the first word of a noun phrase: its article if it has one, else the known words before the noun."""
    start = last
    while not s.paused(start) and last - start < 7:
        left = start - 1
        word = s.lower[left]
        if word in DETERMINERS:
            return left - (s.at(left - 1) in ("almost", "nearly", "all") and not s.paused(left))
        if word in _FUNCTION and not s.is_name(left) or (word in CUES and word not in SPEAKERS):
            break
        start = left
    start = last
    while not s.paused(start) and (s.is_name(start - 1) or s.at(start - 1) in MODIFIERS):
        start -= 1
    return start


def _tied(s: Sentence, phrase: Run) -> Run | None:
    """Add what a phrase belongs to: "a spokesman for | the ministry". None when a preposition leads nowhere."""
    left = phrase.start - 1
    if s.paused(phrase.start):
        return phrase
    if s.at(left) in DETERMINERS and not s.paused(left):
        left -= 1
    if s.at(left) not in _LEADING or s.is_name(left):
        return _joined(s, phrase)
    if s.at(left) == "by" and s.at(left - 1) in ("quoted", "cited", "interviewed"):
        return phrase
    if s.at(left) in TIES and left > 0 and not s.paused(left):
        head = left - 1
        if s.at(head) in SPEAKERS and not s.is_name(head):
            return Run(_noun_start(s, head), phrase.end)
        if s.is_name(head) and s.at(left) in ("of", "from", "at", "for", "in"):
            return Run(_name_start(s, head), phrase.end)
    return None


def _joined(s: Sentence, phrase: Run) -> Run:
    """Add "X and" before a name."""
    left = phrase.start - 1
    if s.at(left) == "and" and not s.paused(phrase.start) and s.at(left - 1) == "al":
        return Run(_name_start(s, left - 3), phrase.end)
    return phrase


def _phrase_from(s: Sentence, start: int) -> Run | None:
    """Return the name or noun phrase that begins at a word; of a title and a name, the name."""
    place = start
    while s.at(place) in DETERMINERS and not s.is_name(place) and not (place > start and s.paused(place)):
        place += 1
    head, names = place, None
    while place < len(s) and (place == head or not s.paused(place)):
        if s.is_name(place):
            names = _name_from(s, place)
            place = names.end
        elif s.lower[place] in MODIFIERS:
            names = None
            place += 1
        else:
            break
    if names is not None:
        return names if names.start > head else Run(start, names.end)
    if place == head and s.at(head) and s.at(head) not in _FUNCTION and head > start and s.at(head + 1) in SPEAKERS:
        place = head + 2
    return Run(start, place) if place > head else None


def _name_from(s: Sentence, start: int) -> Run:
    end = start + 1
    while not s.paused(end):
        if s.is_name(end) or s.at(end) in ("s", "al") or (s.at(end) == "et" and s.at(end + 1) == "al"):
            end += 1
            continue
        right = end
        while s.at(right) in PARTICLES | {"of", "for", "the", "and"} and right - end < 3 and not s.paused(right + 1):
            right += 1
        if right == end or not s.is_name(right):
            break
        end = right + 1
    return Run(start, end)


def _handed_on(s: Sentence, subject: Run) -> tuple[Run, Run | None]:
    """Read "a witness quoted by X" as the witness, by way of X."""
    left = subject.start - 1 - (s.at(subject.start - 1) in DETERMINERS)
    if s.at(left) == "by" and s.at(left - 1) in ("quoted", "cited", "interviewed") and left > 1:
        first = _phrase_before(s, left - 2)
        if first is not None:
            return first, subject
    return subject, None


def _may_speak(s: Sentence, phrase: Run, form: str) -> bool:
    """Whether a phrase can be who speaks, for a verb that anyone's speech or only a speaker's word can stand with."""
    words = s.lower[phrase.start : phrase.end]
    head = next((w for w, nxt in zip(words, [*words[1:], ""], strict=True) if w in SPEAKERS and nxt in TIES | {""}), words[-1])
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
