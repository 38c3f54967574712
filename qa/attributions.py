"""Which words of one sentence does it say somebody speaks, and who? The patterns of English reported speech."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from qa.sentence_words import (
    Run,
    Sentence,
)
from qa.speaker_phrases import (
    LEADING,
    is_known,
    long_subject,
    may_speak,
    name_from,
    opening_phrase,
    phrase_before,
    phrase_from,
    qualified_subject,
    subject_across_pause,
    titles_start,
)
from qa.speech_verbs import (
    before_verb,
    speaks,
)
from qa.speech_words import (
    ADVERBS,
    AUXILIARIES,
    BE,
    BY_FORMS,
    CALLING,
    CITING,
    CONJUNCTIONS,
    CUES,
    DETERMINERS,
    DOCUMENTS,
    FINAL,
    FIRST_PERSON,
    HYPOTHESES,
    NAMELESS,
    NEGATIONS,
    NOT_ACCORDING,
    PREPOSITIONS,
    REPORTING,
    SAYING,
    SPEAKERS,
    STARTERS,
    TIMES,
    TITLES,
    WITH_TO,
)

_SIBLING = frozenset("and but while whereas as what although though however".split())
_MAX_ADJUNCT = 12
_AFTER_SPEAKER = PREPOSITIONS | TIMES | TITLES | {"who", "which", "the", "a", "an", "as", "while"}  # said X in Rome


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


def attributions(sentence: Sentence) -> list[Attribution]:
    """Return who speaks which words of a sentence, in order. The words of one may stand inside those of another."""
    found = sorted(_all(sentence), key=lambda attribution: attribution.place)
    return [_without_siblings(attribution, found, sentence) for attribution in found]


def opens_speech(s: Sentence) -> bool:
    """Whether the sentence goes on in the next segment: after "X told reporters", after "said" without a subject."""
    for verb in range(max(1, len(s) - 3), len(s)):
        if s.lower[verb] in SAYING and (verb + 1 == len(s) or SAYING[s.lower[verb]] == "tell"):
            subject = phrase_before(s, verb - 1)
            subject = long_subject(s, verb - 1) if subject is None or subject.start else subject
            return s.lower[verb] in ("said", "says") if subject is None else subject.start == 0
    return False


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
        if (
            one is None
            and word in ("in", "by")
            and s.at(place - 1) in ("reported", "stated")
            and s.at(place - 2) == "as"
        ):
            one = _according(s, place - 2, place + 1)
        if one is None and word == "of" and s.at(place - 1) == "words" and s.at(place - 2) == "the":
            one = _according(s, place - 3, place + 1)
        if one is not None:
            yield one


def _without_siblings(one: Attribution, found: list[Attribution], s: Sentence) -> Attribution:
    """End the words of one where another begins beside it, not inside: "X said this and Y said that"."""
    for other in found:
        cut = titles_start(s, other.speaker.start)
        cut -= s.at(cut - 1) in DETERMINERS
        beside = s.at(cut - 1) in _SIBLING or ";" in s.gap(cut)
        if other is not one and beside and cut > one.speaker.end:
            contents = [Run(c.start, min(c.end, cut - 1)) if c.start < cut else c for c in one.contents]
            one = replace(one, contents=tuple(c for c in contents if c.start < c.end) or one.contents[:1])
    return one


def _labelled(s: Sentence) -> Iterator[Attribution]:
    """Read "Smith: I think so", a turn of an interview: a name, a colon, and words in the first person."""
    end = 0
    while end < min(3, len(s)) and s.is_name(end) and (end == 0 or not s.pauses[end]):
        end += 1
    named = 0 < end < len(s) and s.at(0) not in STARTERS
    if named and s.gap(end).startswith(": ") and FIRST_PERSON & set(s.lower[end:]):
        yield Attribution(Run(0, end), (Run(end, len(s)),))


def _introduced(s: Sentence) -> Iterator[Attribution]:
    """Read 'X welcomed the decision: "...': whoever did it speaks the quotation."""
    for place in range(1, len(s)):
        if ":" in s.gap(place) and s.quote_before(place):
            start = 0
            if s.at(0) in LEADING:
                start = next((p for p in range(1, place) if s.pauses[p]), 0)
            subject = phrase_from(s, start)
            if subject is not None and s.is_name(subject.start) and s.at(subject.end) != "s":
                yield Attribution(subject, (Run(place, len(s)),))
            return


def _verb(s: Sentence, verb: int) -> Attribution | None:
    """Read "NP says", "says NP", "NP called X Y" and "..., saying" around a verb of speech."""
    if not speaks(s, verb):
        return None
    form = s.lower[verb]
    at, passive, denied = before_verb(s, verb)
    raised = CUES[form] in ("believe", "think", "expect") and s.at(verb - 1) in ("not", "t")  # believes that not
    if passive or (denied and not raised):
        return None
    if form.endswith("ing") and s.at(verb - 1) not in BE and s.at(at + 1) not in BE:
        return _participle(s, verb)
    subject = _subject_before(s, at, form)
    known = subject is not None and is_known(s, subject)
    follows = None if known and not s.paused(at + 1) else subject_after(s, verb)
    subject = follows or (subject if known or not _may_follow(s, verb) else None)
    if subject is None or s.at(subject.start - 1) in HYPOTHESES or not may_speak(s, subject, form):
        return None
    subject, via = _handed_on(s, subject)
    contents = (Run(0, verb),) if follows else _contents(s, subject, verb)
    contents = tuple(content for content in contents if content.start < content.end)
    return Attribution(subject, contents, via) if contents else None


def _subject_before(s: Sentence, at: int, form: str) -> Run | None:
    """Return who speaks by a verb whose helpers begin after the word ``at``, when named before it."""
    if s.paused(at + 1):
        return None if CUES[form] in ("call", "label", "dub", "brand") else subject_across_pause(s, at)
    if s.at(at) == "who":
        return phrase_before(s, at - 1) if s.at(at - 1) in SPEAKERS else None
    if s.at(at) in DETERMINERS or (s.at(at) in NAMELESS and not s.words[at].isupper()):
        return None
    if s.at(at) in ("and", "but", "then"):
        return opening_phrase(s) if form not in CALLING else None
    return qualified_subject(s, at) or phrase_before(s, at) or long_subject(s, at)


def subject_after(s: Sentence, verb: int) -> Run | None:
    """Return the speaker after the verb: "..., said X, the mayor"."""
    if not _comes_first(s, verb):
        return None
    subject = phrase_from(s, verb + 1)
    if subject is None or (s.paused(verb + 1) and verb + 1 < len(s)):
        return None
    return subject if s.paused(subject.end) or s.at(subject.end) in _AFTER_SPEAKER else None


def _comes_first(s: Sentence, verb: int) -> bool:
    """Tell whether a form of a verb may stand before its subject: "said X"."""
    form = s.lower[verb]
    return verb > 0 and form in SAYING and SAYING[form] != "tell" and not form.endswith("ing")


def _may_follow(s: Sentence, verb: int) -> bool:
    """Tell whether who speaks may stand after a verb, so that the noun before it may end what is spoken.

    "They left no trace said Ida Marlow", "it was his choice said a police officer": without marks, such words are taken
    for part of what is said only before an auxiliary, as in "the fans said Ida Marlow would play".
    """
    if not _comes_first(s, verb) or s.paused(verb + 1):
        return False
    end = verb + 1
    if s.at(end) in ("a", "an", "the"):  # not `phrase_from`: the noun may have words before it that no table knows
        end = next((p + 1 for p in range(end + 1, end + 6) if s.at(p) in TITLES), end)
    elif s.is_name(end) and s.at(end) not in TIMES:
        end = name_from(s, end).end
    return end > verb + 1 and s.at(end) not in AUXILIARIES


def _participle(s: Sentence, verb: int) -> Attribution | None:
    """Read "X did this, saying that": the sentence's subject speaks."""
    if s.at(verb - 1) in PREPOSITIONS | DETERMINERS | CONJUNCTIONS or s.lower[verb] == "according":
        return None
    if s.lower[verb] in REPORTING and s.lower[verb] != "chanting":
        return None
    if not (s.paused(verb) or s.at(verb - 1) in DOCUMENTS) and s.lower[verb] not in (
        "saying",
        "claiming",
        "arguing",
        "adding",
        "warning",
        "insisting",
    ):
        return None
    start = 0
    while s.at(start) in ADVERBS | {"and", "but", "however"}:
        start += 1
    subject = phrase_from(s, start)
    if subject is None or subject.end >= verb or not may_speak(s, subject, s.lower[verb]):
        return None
    return Attribution(subject, (Run(_content_start(s, verb), len(s)),)) if verb + 1 < len(s) else None


def _cited(s: Sentence, verb: int) -> Attribution | None:
    """Read "X cited Y as saying", "Y was quoted by X as saying", "citing Y"."""
    at, passive, denied = before_verb(s, verb)
    if denied or s.lower[verb] == "quote":
        return None
    if passive:
        return _quoted(s, verb, at)
    source = phrase_from(s, verb + 1)
    if source is None or not may_speak(s, source, "cite"):
        return _cited_reason(s, verb, at)
    citing = long_subject(s, at) if s.paused(at + 1) else phrase_before(s, at)
    said = next(
        (p for p in range(source.end, min(source.end + 4, len(s))) if s.lower[p] in ("saying", "say", "that")), None
    )
    if said is not None:
        start = said + 1 + (s.at(said + 1) == "that")
        return Attribution(source, (Run(start, len(s)),), citing) if start < len(s) else None
    return _cited_reason(s, verb, at)


def _cited_reason(s: Sentence, verb: int, at: int) -> Attribution | None:
    if "as" not in s.lower[verb + 2 :] or s.lower[verb].endswith("ing"):
        return None
    subject = phrase_before(s, at)
    named = subject is not None and may_speak(s, subject, "cite")
    return Attribution(subject, (Run(verb + 1, len(s)),)) if subject is not None and named else None


def _quoted(s: Sentence, verb: int, at: int) -> Attribution | None:
    if s.at(verb + 1) == "by":
        return None if "saying" not in s.lower[verb:] else _quoted_by(s, verb, at)
    subject = phrase_before(s, at)
    if subject is None or s.at(verb + 1) != "as" or s.at(verb + 2) not in ("saying", "being", "having"):
        return None
    return Attribution(subject, (Run(verb + 3, len(s)),))


def _quoted_by(s: Sentence, verb: int, at: int) -> Attribution | None:
    subject, via = phrase_before(s, at), phrase_from(s, verb + 2)
    start = s.lower.index("saying", verb) + 1
    return Attribution(subject, (Run(start, len(s)),), via) if subject and start < len(s) else None


def _by(s: Sentence, verb: int) -> Attribution | None:
    """Read "described by X as", "was reported by X"."""
    speaker = phrase_from(s, verb + 2)
    if speaker is None or not may_speak(s, speaker, "report"):
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
    speaker = phrase_from(s, name)
    if speaker is None or (s.at(start) == "according" and s.at(start - 1) in NEGATIONS):
        return None
    head = set(s.lower[name : speaker.end + 1])
    if head & NOT_ACCORDING or not may_speak(s, speaker, "show"):
        return None
    leading = all(s.at(place) in ADVERBS | CONJUNCTIONS for place in range(start))
    relative = s.at(start - 1) in ("which", "who")
    contents = [] if leading or relative else [Run(0, start)]
    if not leading and "," not in s.gap(start) and "al" in head:
        return None  # "synthesised according to Smith et al." says how
    if leading or relative or (s.paused(start) and s.pauses[start] and s.paused(speaker.end)):
        contents.append(Run(speaker.end, len(s)))
    contents = [content for content in contents if content.start < content.end]
    return Attribution(speaker, tuple(contents)) if contents else None


def _handed_on(s: Sentence, subject: Run) -> tuple[Run, Run | None]:
    """Read "a witness quoted by X" as the witness, by way of X."""
    left = subject.start - 1 - (s.at(subject.start - 1) in DETERMINERS)
    if s.at(left) == "by" and s.at(left - 1) in ("quoted", "cited", "interviewed") and left > 1:
        first = phrase_before(s, left - 2)
        if first is not None:
            return first, subject
    return subject, None


def _contents(s: Sentence, subject: Run, verb: int) -> tuple[Run, ...]:
    """Return the words spoken around "subject verb"."""
    start = _content_start(s, verb)
    left = subject.start - (s.at(subject.start - 1) in DETERMINERS)
    before = Run(0, left)
    last = start >= len(s)
    if last and ":" in s.gap(verb + 1):
        return ()
    quoted_before = s.quote_before(titles_start(s, left)) and left > 0
    if quoted_before:
        reopened = next((p for p in range(verb + 1, len(s)) if s.quote_before(p)), len(s))
        return before, Run(reopened, len(s))
    marked = 0 < left < len(s) and s.pauses[left] and ";" not in s.gap(left)
    parenthesis = last or ("," in s.gap(verb + 1) and not s.quote_before(verb + 1))
    if (marked or titles_start(s, left) > 0) and parenthesis:
        return before, Run(start, len(s))
    end = next((place for place in range(start, len(s)) if ";" in s.gap(place)), len(s))
    if last:
        return (before,) if s.lower[verb] in FINAL else ()
    return (Run(start, end),)


def _content_start(s: Sentence, verb: int) -> int:
    """Return the first word of what is said after a verb: past "that", the person told, and where or when."""
    start = verb + 1
    far = min(start + _MAX_ADJUNCT, len(s))
    base = CUES.get(s.lower[verb], "")
    opened = next((p for p in range(start, far) if s.lower[p] == "that" or s.quote_before(p) or ":" in s.gap(p)), None)
    if s.at(start) == "citing":
        return len(s)
    if base == "tell":
        return _past_addressee(s, start) if opened is None else opened + (s.lower[opened] == "that")
    aside = s.at(start) in ("in", "on", "at", "to", "through", "via", "during") or s.at(start) in TIMES
    if aside and base not in CALLING and not (base in WITH_TO and s.at(start) == "to"):
        if opened is not None:
            return opened + (s.lower[opened] == "that")
        if len(s) - start <= _MAX_ADJUNCT:
            return len(s)
    while s.at(start) in TIMES or (s.at(start) == "on" and s.at(start + 1) in TIMES):
        start += 1
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
