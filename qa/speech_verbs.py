"""Is a word that can be a verb of speech one here, or a noun, a participle, a denial?"""

from __future__ import annotations

from qa.sentence_words import (
    FUNCTION_WORDS,
    Sentence,
)
from qa.speaker_phrases import (
    name_from,
)
from qa.speech_words import (
    ADVERBS,
    AFTER_CALL,
    AFTER_PARTICIPLE,
    AFTER_STATES,
    ALSO_NOUNS,
    AUXILIARIES,
    BE,
    CALLING,
    CONJUNCTIONS,
    CUES,
    DETERMINERS,
    DOCUMENTS,
    LIKE_THAT,
    NEGATIONS,
    POSSIBLE,
    PREPOSITIONS,
    PRONOUNS,
    PUTTING,
    REPORTING,
    WITH_QUOTATION,
    WITH_THAT,
    WITH_TO,
)

_NO_CONTENT = (PREPOSITIONS | CONJUNCTIONS | AUXILIARIES) - {"that", "what", "how", "why", "where", "when", "in", "on"}
_FAR = 16


def speaks(s: Sentence, verb: int) -> bool:
    """Whether a form of a verb of speech is used as one here, as far as the words beside it tell."""
    form, after = s.lower[verb], s.at(verb + 1)
    base = CUES[form]
    if s.words[verb][0].isupper():
        return False
    if form in PUTTING:
        return "at" in s.lower[verb : verb + _FAR]
    if base == "point":
        return after == "out"
    if form in CALLING and base != "describe":
        return _has_object(s, verb)
    if after == "to" and base not in WITH_TO and form.endswith(("ed", "said", "told", "thought")):
        return form == "said" and s.at(verb + 2) not in AUXILIARIES
    if form in ("tell", "tells") and after in ("us", "you"):
        return False
    return _has_content(s, verb) and not _is_noun(s, verb) and not _is_participle(s, verb)


def _has_content(s: Sentence, verb: int) -> bool:
    """Whether what is said can follow, for verbs that mean something else without it."""
    base, after = CUES[s.lower[verb]], s.at(verb + 1)
    if base in WITH_QUOTATION:
        return after == "that" or s.paused(verb + 1)
    if base == "claim" and (after in ("responsibility", "credit", "victory") or s.is_name(verb + 1)):
        return True
    if (base in WITH_TO and after == "to") or (base == "write" and after in ("of", "in", "on", "to")):
        return True
    return base not in WITH_THAT or after in LIKE_THAT or s.paused(verb + 1) or _is_written(s, verb)


def _is_noun(s: Sentence, verb: int) -> bool:
    """Whether a form is a noun here: "a state that", "claims by"."""
    form, before, after = s.lower[verb], s.at(verb - 1), s.at(verb + 1)
    base = CUES[form]
    if base not in ALSO_NOUNS:
        return False
    if form == base:
        helped = before in AUXILIARIES and before not in BE
        helped |= after == "to" and s.at(verb + 2) in ("have", "be")
        return not helped and not (after == "that" and (before.endswith("s") or before in PRONOUNS))
    if not form.endswith("s") or (after == "to" and s.at(verb + 2) in ("have", "be")):
        return False
    if form == "states":
        return not (after in AFTER_STATES or s.is_name(verb + 1) or s.quote_before(verb + 1))
    return s.paused(verb + 1) or after in _NO_CONTENT or after in CUES or after.endswith("ing")


def _is_participle(s: Sentence, verb: int) -> bool:
    """Whether a form only describes a noun: "the mechanisms stated here", "the WHO recommended method was used"."""
    form, after = s.lower[verb], s.at(verb + 1)
    if form.endswith("ed") and form in REPORTING and s.at(verb + 2) in BE:
        return not (s.is_name(verb + 1) or after.endswith("s") or after in FUNCTION_WORDS or after.isdigit())
    return after in AFTER_PARTICIPLE and form.endswith(("ed", "wn", "en"))


def _is_written(s: Sentence, verb: int) -> bool:
    """Whether a document, or the authors of one, stand before a verb: "the study found", "Ng et al. showed"."""
    return s.at(verb - 1) in DOCUMENTS | {"al", "authors", "colleagues", "researchers", "scientists"}


def _has_object(s: Sentence, verb: int) -> bool:
    """Whether "called" and its like have what they are said of: not "called off", not "a city called Idlib"."""
    after, base = s.at(verb + 1), CALLING[s.lower[verb]]
    if base in ("characterise", "characterize", "depict", "portray", "dismiss", "denounce", "hail"):
        return "as" in s.lower[verb + 2 : verb + _FAR]
    if s.paused(verb + 1):
        return False
    if s.is_name(verb + 1):
        return not s.paused(name_from(s, verb + 1).end)
    return after in AFTER_CALL or after in DETERMINERS


def before_verb(s: Sentence, verb: int) -> tuple[int, bool, bool]:
    """Return the last word of what precedes a verb and its helpers, whether it is passive, whether it is denied."""
    at, denied, helpers = verb - 1, False, []
    while at >= 0 and not s.paused(at + 1):
        word = s.lower[at]
        if s.words[at][0].isupper() and s.is_name(at):
            break
        if word == "to" and s.at(at - 1) == "on" and s.at(at - 2) in ("went", "goes", "go"):
            at -= 3  # "went on to say"
            continue
        if word == "to" and s.at(at - 1) not in BE:
            return at, False, True
        denied |= word in NEGATIONS | POSSIBLE
        if word in AUXILIARIES or word in NEGATIONS:
            helpers.append(word)
        elif not (word in ADVERBS or (word.endswith("ly") and len(word) > 4)):
            break
        at -= 1
    if s.at(at).isdigit() and s.at(at - 1) == "al":
        at -= 1
    passive = bool(helpers) and helpers[0] in BE and not s.lower[verb].endswith("ing")
    return at, passive, denied
