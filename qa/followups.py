"""A question that leans on the one before it -> the question in full. Pure, without a language model.

Three kinds are completed: a pronoun that nothing before it in the question explains ("when did they attack?"), a
question about something else ("what about Aleppo?", "and in 2019?"), and a bare question word ("why?"). Everything
else is searched as it was typed: a wrong completion costs more than a missing one, and each can be dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qa.questions import MAX_QUESTION_CHARACTERS, plain_question
from qa.results import Answer
from qa.retrieval import STOPWORDS

_CAPITAL = r"(?:[a-z]{1,3}[-’'])?[A-Z][\w’'-]*"  # Asaad, al-Asaad, d’Estaing
_NAME = re.compile(rf"\b{_CAPITAL}(?: (?:(?:al|of|the|de|von|bin|and) )?{_CAPITAL})*|\b\d{{4}}\b")
_QUESTION_WORDS = frozenset("who whom whose what which when where why how".split())
_NOT_NAMES = (
    _QUESTION_WORDS
    | STOPWORDS
    | {
        "tell",
        "and",
        "name",
        "list",
        "give",
        "describe",
        "explain",
        "show",
        "since",
        "before",
        "after",
        "during",
        "until",
        "near",
        "within",
        "among",
        "between",
        "through",
        "per",
    }
)

_PEOPLE = frozenset("he she him her his hers they them their theirs".split())
_THINGS = frozenset("it its this that these those".split())
_PLACES = frozenset({"there"})
_PRONOUNS = _PEOPLE | _THINGS | _PLACES
_SHORT = 4  # words; a question of fewer seldom says what it is about
_POSSESSIVE = frozenset("his her its their".split())
# "it" that stands for nothing: "is it true that", "it is said", "how long does it take"
_EXPLETIVE = re.compile(r"\b(?:is|was) it (?:\w+ )?(?:that|to|true|possible)\b|\b(?:does|did) it take\b", re.I)
_THERE_IS = re.compile(r"\b(?:is|are|was|were|be|been) there\b|\bthere (?:is|are|was|were|be|been)\b", re.I)
# "the man that led", "in that year": a pronoun in form, not in use
_JOINING_THAT = re.compile(r"\b(?:that|this|these|those)\b(?=\s+\w)", re.I)

_INSTEAD = re.compile(
    r"^\s*(?:and|but|so|or|ok|okay)?[,\s]*(?:(?:what|how) about|and|or)\s+(?P<rest>.+?)\s*\??\s*$", re.I | re.S
)
_PREPOSITION = re.compile(
    r"^(?:in|on|at|by|for|from|to|with|during|before|after|since|until|under|near|through|across|over|into|against"
    r"|between|behind|around|along|within)\b",
    re.I,
)
_BARE = re.compile(
    r"^\s*(?:and |but |so )?(?P<words>"
    r"(?:(?:by|to|for|from|with|against|of|since|until) )?"
    r"(?:who|whom|what|when|where|why|how)(?: (?:many|much|long|often|old|far|so|not|else|exactly|come))*"
    r"|(?:in |on |at |by |to |from )?(?:which|what) (?:year|month|day|date|country|city|town|place|person))\s*\??\s*$",
    re.I,
)
_COUNTED = re.compile(
    r"^\s*(?:and |but )?how (?:many|much) (?:(?:were|was|are|is|have|had|has|did) )?[\w-]+\s*\??\s*$", re.I
)
_PLACED = re.compile(r"\b([a-z][\w-]+) (?:in|at|near|on|between|against) (?:the )?(?=[A-Z])")
_DEED = re.compile(r"^\s*(?:when|why|how) (?:did|does|do|has|have|had|will)\b", re.I)
_WHAT_DID = re.compile(r"^\s*(?:what|which \w+) (?:did|does|do|has|have|had|will)\b", re.I)
_DEED_OF = re.compile(rf"\b(?:did|does|do|has|have|had|will) (?:the )?({_CAPITAL}(?: {_CAPITAL})*)")
_AUXILIARY = re.compile(r"\b(?:did|does|do|has|have|had|will|would|can|could|should) $", re.I)
_PHRASE = re.compile(
    r"(?P<named>(?:the|a|an) [\w-]+(?: [\w-]+)*?)(?= (?:in|on|at|by|for|from|to|with|of|about)\b|$)", re.I
)
_ASKS_WHERE = re.compile(r"\s*(?:in )?(?:where|which (?:city|town|village|country|province|place))\b", re.I)
_WHO_IS = re.compile(rf"\s*[Ww]ho (?:is|was) (?P<name>{_CAPITAL}(?: (?:(?:[a-z]+ ){{0,2}}){_CAPITAL})*)\s*\??\s*$")
_OPENING = re.compile(
    r"^\s*(?:who|whom|whose|what|which|when|where|why|how(?: (?:many|much|long|often))?)"
    r"(?: (?:is|are|was|were|did|does|do|has|have|had))?\b\s*",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was answered before.

    Attributes:
        question: as it was searched, so that a third question can lean on the second's completion.
        answers: the answering words of its claims, best first.
    """

    question: str
    answers: Sequence[str] = ()

    @classmethod
    def of(cls, answer: Answer) -> Asked:
        return cls(plain_question(answer.question), tuple(claim.text for claim in answer.claims))


def complete(question: str, before: Asked) -> str | None:
    """Return the question in full, or None when it stands by itself, or in full would be too long to be searched."""
    text = plain_question(" ".join(question.split()))
    full = _ask_again(text, before) or _ask_of_another(text, before) or _without_pronoun(text, before)
    return full if full and len(full) <= MAX_QUESTION_CHARACTERS else None


def may_lean(question: str) -> bool:
    """Tell whether a question may need the one before it: it is short, goes on from it, or holds a pronoun."""
    text = plain_question(" ".join(question.split()))
    words = re.findall(r"[\w’']+", text.lower())
    return len(words) < _SHORT or bool(_INSTEAD.match(text)) or not _PRONOUNS.isdisjoint(words)


def _ask_again(text: str, before: Asked) -> str | None:
    """Complete a bare question word with what the question before asked about."""
    bare = _BARE.match(text)
    about = _about(before)
    if bare is None:
        return f"{text.rstrip('? ')} {_event(before) or about}?" if _COUNTED.match(text) else None
    answer = _named_answer(before)
    return f"{bare['words']} {f'{answer} ' if answer and _asks_for_a_name(before) else ''}{about}?"


def _about(before: Asked) -> str:
    """Return the question before without its question word: what it was about."""
    return _OPENING.sub("", before.question).strip(" ?")


def _event(before: Asked) -> str | None:
    """Return "the earthquake in Turkey" when the question before was about that, or "in Saraqib", its answer."""
    answer = _named_answer(before)
    if answer and _ASKS_WHERE.match(before.question):
        return f"in {answer}"
    return _happening(before)


def _happening(before: Asked) -> str | None:
    placed = _PLACED.search(before.question)
    name = _NAME.match(before.question, placed.end()) if placed else None
    return f"the {placed[0]}{name[0]}" if placed and name else None


def _ask_of_another(text: str, before: Asked) -> str | None:
    """Put what "what about" names into the question before, in the place of its like."""
    instead = _INSTEAD.match(text)
    if instead is None or _has_verb(instead["rest"]):
        return None
    rest, asked = instead["rest"], before.question.strip().rstrip("?")
    if _PREPOSITION.match(rest):
        word = rest.split()[0]
        kept = re.sub(rf"\s\b{word}\b\s+(?:the )?[\w’'-]+(?: [A-Z][\w’'-]*)*\s*$", "", asked, flags=re.I)
        return f"{kept} {rest}?"
    year = re.fullmatch(r"\d{4}", rest)
    like = [name for name in names(asked) if bool(re.fullmatch(r"\d{4}", name)) == bool(year)]
    if like:
        return f"{asked.replace(like[-1], rest)}?"
    if year:
        return f"{asked} in {rest}?"
    last = _last_content_word(asked)
    return f"{asked.replace(last, rest)}?" if last else None


def _has_verb(rest: str) -> bool:
    """Say whether "and ..." begins a question of its own: it has its own question word or auxiliary."""
    words = rest.lower().split()
    auxiliaries = _QUESTION_WORDS | {"did", "does", "do", "is", "are", "was", "were", "has", "have", "had", "will"}
    return bool(auxiliaries.intersection(words))


def _without_pronoun(text: str, before: Asked) -> str | None:
    """Put a name from the question or answer before in the place of the first pronoun."""
    for match in re.finditer(r"[\w’']+", text):
        word = match[0].lower()
        if word not in _PRONOUNS or _stands_for_nothing(text, match.start(), word):
            continue
        if names(text[: match.start()]) and not _is_last(text[match.end() :]):
            return None  # explained by the question itself
        meant = _meant(word, before, is_doer=bool(_AUXILIARY.search(text[: match.start()])))
        if meant is None:
            return None
        end = match.end()
        is_possessive = word in _POSSESSIVE and re.match(r"\s+\w", text[end:]) and not _is_object(word, text[end:])
        return f"{text[: match.start()]}{meant}{'’s' if is_possessive else ''}{text[end:]}"
    return None


def _stands_for_nothing(text: str, at: int, word: str) -> bool:
    patterns = {"it": _EXPLETIVE, "there": _THERE_IS}
    if word in ("that", "this", "these", "those"):
        return bool(_JOINING_THAT.match(text, at))
    pattern = patterns.get(word)
    return pattern is not None and any(m.start() <= at < m.end() for m in pattern.finditer(text))


def _is_last(rest: str) -> bool:
    """Say whether nothing follows: "why does Egypt oppose it?" cannot mean Egypt, which does the opposing."""
    return not rest.strip(" ?")


def _is_object(word: str, rest: str) -> bool:
    """Say whether "her" is the object, "who met her in Paris", rather than an owner, "her party"."""
    return word == "her" and bool(_PREPOSITION.match(rest.strip()))


def _meant(word: str, before: Asked, *, is_doer: bool) -> str | None:
    """Return who or what a pronoun stands for: people are what "who" asked for, things what the question was about.

    ``is_doer``: the pronoun does something, "what did it pay?", so it stands for one who can.
    """
    if word in _PEOPLE:
        return _person(before)
    if word == "there":
        return _place(before)
    if is_doer or word in _POSSESSIVE:
        return _doer(before) or _thing(before)
    return _thing(before)


def _person(before: Asked) -> str | None:
    answer, described = _named_answer(before), _WHO_IS.match(before.question)
    if described:
        return described["name"]
    if answer and _asks_for_a_name(before):
        return answer
    return next(iter(_named(before.question)), answer) or _phrase(before)


def _place(before: Asked) -> str | None:
    answer = _named_answer(before)
    if answer and re.match(r"\s*(?:where|(?:in )?(?:which|what))\b", before.question, re.I):
        return answer
    return next(iter(_named(before.question)[::-1]), answer)


def _doer(before: Asked) -> str | None:
    """Return the body that did what was asked about, or the one that "who" asked for; a person is no "it"."""
    answer = before.answers[0] if before.answers else ""
    if _asks_for_a_name(before) and re.search(r"^[Tt]he |\b[A-Z]{2,}\b", answer):
        return _named_answer(before)
    did = _DEED_OF.search(before.question)
    return did[1] if did else None


def _thing(before: Asked) -> str | None:
    answer = _named_answer(before)
    if before.answers and _WHAT_DID.match(before.question):
        return before.answers[0]
    if answer and re.match(r"\s*(?:what|which)\b", before.question, re.I):
        return answer
    if _DEED.match(before.question):
        return _about(before)
    named = _happening(before) or next(iter(_named(before.question)[::-1]), None)
    return named or _phrase(before) or _last_content_word(before.question)


def _phrase(before: Asked) -> str | None:
    """Return "the ceasefire" of "when was the ceasefire signed?": what stands before the verb that ends a question."""
    phrase = _PHRASE.match(_about(before))
    if phrase is None:
        return None
    words = phrase["named"].split()
    ends_in_verb = len(words) > 2 and phrase.end() == len(_about(before)) and _OPENING.match(before.question)
    return " ".join(words[:-1] if ends_in_verb else words)


def _named(text: str) -> list[str]:
    """Return the names in a text without years."""
    return [name for name in names(text) if not name.isdigit()]


def _asks_for_a_name(before: Asked) -> bool:
    opening = r"\s*(?:by |to |for )?(?:who|whom|whose|which|what (?:group|party|faction|company))\b"
    return bool(re.match(opening, before.question, re.I))


def _named_answer(before: Asked) -> str | None:
    """Return the best answer when it is a name, without a person's or a group's description."""
    named = _named(before.answers[0]) if before.answers else []
    return max(named, key=len) if named else None


def names(text: str) -> list[str]:
    """Return the names and years in a text, in order: runs of capitals that are no question words."""
    found = []
    for match in _NAME.finditer(text):
        words = match[0].split()
        while words and words[0].lower() in _NOT_NAMES and not _is_initials(words[0]):
            words = words[1:]
        if words:
            found.append(" ".join(words))
    return found


def _is_initials(word: str) -> bool:
    """Say whether this is the WHO or the US rather than "who" or "us"."""
    return len(word) > 1 and word.isupper()


def _last_content_word(text: str) -> str | None:
    words = [word for word in re.findall(r"\w+", text) if word.lower() not in STOPWORDS]
    return words[-1] if words else None
