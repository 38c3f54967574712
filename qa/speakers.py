"""Who does the text say is speaking the words of an answer?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from index.documents import Span
from qa.attributions import Attribution, attributions, opens_speech
from qa.results import Speaker
from qa.sentence_words import QUOTE_MARKS, WORD, Run, Sentence
from qa.speech_words import DETERMINERS, PRONOUNS, SAYING, TITLES

_UNFINISHED = frozenset(("that", "as", "the"))
_AFTER_QUOTATION = re.compile(rf"[,{QUOTE_MARKS}] *\w+$")
_CUT_NAME = 3  # words
_NEXT_WORDS = 7
_JOINED = 2  # segments put back on either side where a sentence was cut
_QUOTATION = 3_000  # characters looked back for the mark that opens a quotation


def find_speaker(text: str, answer: Span, segments: Sequence[Span]) -> Speaker | None:
    """Return who the text says speaks the answering words, or None when it names no one.

    Args:
        text: the document's canonical text.
        answer: the answering words.
        segments: sentence-like spans in order, in document offsets: those that hold the answer, and some before them.

    Returns:
        The innermost speaker whose words hold the answer; an answer that is a speaker's name has that speaker.
    """
    touching = [place for place, segment in enumerate(segments) if segment.overlaps(answer)]
    if not touching:
        return None
    first, last = _whole_sentence(text, segments, touching[0], touching[-1])
    sentence = Sentence(text, Span(segments[first].start, segments[last].end))
    chosen = _innermost(sentence, attributions(sentence), sentence.run_of(answer))
    if chosen is None:
        return _quotation_speaker(text, answer, segments)
    if _is_pronoun(sentence, chosen.speaker):
        return _last_speaker(text, segments, first - 1) if first else None
    return _speaker(text, sentence, chosen)


def speech_of(name: str, text: str, answer: Span, within: Span) -> Span | None:
    """Return the words of a stretch of text that it says a name speaks, and that hold an answer; None without such.

    "as fast becoming ..." around "fast", of "Lowcock", in "what Mark Lowcock has described as fast becoming ...".
    """
    sentence = Sentence(text, within)
    run = sentence.run_of(answer)
    called = WORD.findall(name.lower())
    spoken = [
        content
        for one in attributions(sentence)
        for content in one.contents
        if content.start <= run.start and run.end <= content.end
        for speaker in (one.speaker, one.via)
        if speaker and _share_a_name(called, sentence.lower[speaker.start : speaker.end])
    ]
    shortest = min(spoken, key=lambda content: content.end - content.start, default=None)
    return sentence.span_of(shortest) if shortest else None


def _share_a_name(one: Sequence[str], other: Sequence[str]) -> bool:
    """Tell whether the words of one name are those of the other, or some of them: Caggins, Col Myles Caggins."""
    first, second = (frozenset(words) - DETERMINERS for words in (one, other))
    return bool(first and second) and (first <= second or second <= first)


def _whole_sentence(text: str, segments: Sequence[Span], first: int, last: int) -> tuple[int, int]:
    """Return the segments that make the sentence, where it was cut before a small letter or after a title."""
    lowest, highest = max(0, first - _JOINED), min(len(segments) - 1, last + _JOINED)
    while first > lowest and _runs_on(text, segments[first - 1], segments[first]):
        first -= 1
    while last < highest and _runs_on(text, segments[last], segments[last + 1]):
        last += 1
    return first, last


def _runs_on(text: str, segment: Span, following: Span) -> bool:
    """Whether the sentence goes on: after a colon, "said" or a title, before a small letter or "X said"."""
    end = segment.of(text).rstrip(f"{QUOTE_MARKS}`' ")
    last_word = end.rsplit(maxsplit=1)[-1] if end else ""
    next_words = [word.strip(",.") for word in following.of(text).lower().split(maxsplit=_NEXT_WORDS)[:_NEXT_WORDS]]
    first_letter = next((c for c in following.of(text) if c.isalnum()), "")
    if first_letter.islower() or end.endswith((":", ", al.", " al.")) or last_word in _UNFINISHED:
        return True
    if segment.of(text)[-1] in QUOTE_MARKS and first_letter == following.of(text)[0]:
        return not SAYING.keys().isdisjoint(next_words[1:])
    if last_word in SAYING and _AFTER_QUOTATION.search(end):
        return True
    if (last_word in TITLES or _is_cut_name(end)) and next_words[0] not in DETERMINERS:
        return True
    return not end.endswith((".", "!", "?")) and opens_speech(Sentence(text, segment))


def _is_cut_name(end: str) -> bool:
    """Whether a segment is the start of a name and no more: "Human Rights | Watch said"."""
    words = end.split()
    return len(words) <= _CUT_NAME and end[-1:].isalnum() and all(word[0].isupper() for word in words)


def _innermost(sentence: Sentence, found: list[Attribution], answer: Run) -> Attribution | None:
    """Return the attribution that says most closely who speaks the answer."""
    covering = [one for one in found if one.covers(answer)]
    containing = [one for one in found if answer.start < one.speaker.end <= answer.end]
    naming = [one for one in found if _is_name_of(sentence, one.speaker, answer)]
    named = [one for one in covering if not _is_pronoun(sentence, one.speaker) and one not in containing]
    nearest = next((group for group in (naming, named, containing, covering) if group), [])
    chosen = min(reversed(nearest), key=lambda one: _distance(one.speaker, answer), default=None)
    if chosen is None or chosen.via is not None:
        return chosen
    outer = [one for one in named if one is not chosen and _hands_on(sentence, one, chosen)]
    return replace(chosen, via=outer[-1].speaker) if outer else chosen


def _distance(speaker: Run, answer: Run) -> int:
    """Return how many words stand between a speaker and an answer."""
    return max(speaker.start - answer.end, answer.start - speaker.end, 0)


def _is_name_of(sentence: Sentence, speaker: Run, answer: Run) -> bool:
    """Whether an answer is a speaker's name, or part of it; what the speaker belongs to is not the name."""
    words = sentence.lower[speaker.start : speaker.end]
    titles = [place for place, word in enumerate(words[:-1]) if word in TITLES]
    start = speaker.start + (titles[-1] + 1 if titles else 0)
    end = speaker.start + next(
        (place for place, word in enumerate(words) if place and word in ("of", "for", "in")), len(words)
    )
    inside = speaker.start <= answer.start and answer.end <= speaker.end
    return (
        inside and answer.start < end and answer.end > start and (answer.end >= end or sentence.is_name(answer.end - 1))
    )


def _hands_on(sentence: Sentence, outer: Attribution, inner: Attribution) -> bool:
    """Whether one reports the other's speech: "X said Y said", "according to X, Y said"."""
    start = inner.speaker.start - (sentence.at(inner.speaker.start - 1) in DETERMINERS)
    return any(content.start == start for content in outer.contents)


def _is_pronoun(sentence: Sentence, run: Run) -> bool:
    return run.end - run.start == 1 and sentence.at(run.start) in PRONOUNS and not sentence.words[run.start].isupper()


def _speaker(text: str, sentence: Sentence, one: Attribution) -> Speaker:
    via = _named(text, sentence, one.via) if one.via else None
    return replace(_named(text, sentence, one.speaker), via=via)


def _named(text: str, sentence: Sentence, run: Run) -> Speaker:
    span = sentence.span_of(run)
    return Speaker(span.of(text), span)


def _quotation_speaker(text: str, answer: Span, segments: Sequence[Span]) -> Speaker | None:
    """Return who speaks a quotation that began in another sentence, or that the sentence before introduces."""
    opened = _opening_mark(text, answer.start)
    if opened is None:
        return None
    holding = [place for place, segment in enumerate(segments) if segment.start <= opened < segment.end]
    place = holding[0] if holding else next((p for p, s in enumerate(segments) if s.start > opened), 0)
    introduced = any(map(str.isalnum, text[segments[place].start : opened]))
    for at in (place,) if introduced else (place, place - 1):
        if at >= 0 and segments[at].start < answer.start:
            found = _last_speaker(text, segments, at)
            if found is not None and found.span.start < opened:
                return found
    return None


def _opening_mark(text: str, place: int) -> int | None:
    """Return where the quotation that holds a place begins, or None when it stands in none."""
    start = max(text.rfind("\n", 0, place) + 1, place - _QUOTATION)
    part = text[start:place]
    curly = part.rfind("“")
    if curly > part.rfind("”"):
        return start + curly
    straight = part.rfind('"')
    closes = straight > 0 and not part[straight - 1].isspace() and part[straight + 1 : straight + 2].isspace()
    return start + straight if part.count('"') % 2 and not closes else None


def _last_speaker(text: str, segments: Sequence[Span], place: int) -> Speaker | None:
    """Return who speaks last in the sentence of a segment, if it is someone named."""
    first, last = _whole_sentence(text, segments, place, place)
    sentence = Sentence(text, Span(segments[first].start, segments[last].end))
    found = attributions(sentence)
    return _speaker(text, sentence, found[-1]) if found and not _is_pronoun(sentence, found[-1].speaker) else None
