"""A question with slips of the keyboard -> the same with the words of the documents that were meant.

A word stays as it is where the documents or the encoder's vocabulary have it: "Iran" is not read as "Iraq" because only
that is in them. What is read otherwise is told with the answer (`qa.results.Answer.read_as`), never silently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from string import ascii_lowercase

from index import minilm
from index.lexical import terms
from index.snapshot import Snapshot

SHORTEST, LONGEST = 5, 30  # letters; a shorter word is one slip away from too many
MOST_SLIPS = 4  # a question with more unknown words is of another kind or language
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Spelled:
    """A question as it is read.

    Attributes:
        read_as: words that are written otherwise in ``text``, as they were typed -> as they are read.
    """

    text: str
    read_as: dict[str, str]


def respell(question: str, snapshot: Snapshot) -> Spelled:
    """Return a question with each unknown word read as the commonest one of the documents that is one slip away.

    A slip is a letter too many, missing, wrong, or changed with its neighbour (Damerau 1964, "A technique for computer
    detection and correction of spelling errors"); the first letter is taken to be right. What has a capital inside
    the question may be a name, and is read as a name only.
    """
    unknown = {match[0]: match for match in _WORD.finditer(question) if _is_unknown(match[0], snapshot)}
    if len(unknown) > MOST_SLIPS:
        return Spelled(question, {})
    meant = {
        word: _meant(word, snapshot, is_name=word[0].isupper() and match.start() > 0) for word, match in unknown.items()
    }
    read_as = {typed: read for typed, read in meant.items() if read}
    return Spelled(_WORD.sub(lambda match: read_as.get(match[0], match[0]), question), read_as)


def _is_unknown(word: str, snapshot: Snapshot) -> bool:
    if not SHORTEST <= len(word) <= LONGEST or not word.isascii() or word.isupper():
        return False
    stem = terms(word)[0]
    return not (_is_english(word.lower()) or _is_english(stem) or snapshot.lexical.chunk_frequency(stem))


def _is_english(form: str) -> bool:
    """Tell whether the encoder's vocabulary has a word, in lower case, in one piece."""
    return minilm.load_tokenizer().token_to_id(form) is not None


def _meant(word: str, snapshot: Snapshot, *, is_name: bool) -> str:
    """Return the word one slip away that most chunks hold in any form; "" for none."""
    forms = list(_one_slip_away(word.lower()))
    found = zip(map(snapshot.lexical.chunk_frequency, terms(" ".join(forms))), forms, strict=True)
    by_frequency = sorted((-frequency, form) for frequency, form in found if frequency)
    return next(filter(None, (_as_written(form, snapshot, is_name=is_name) for _, form in by_frequency)), "")


def _as_written(form: str, snapshot: Snapshot, *, is_name: bool) -> str:
    """Return a form as the documents write it; "" when it is no word, or no name where one is wanted.

    That they hold its stem does not make it a word: "severating" has the stem of "several".
    """
    chunk_ids, _ = snapshot.lexical.search(terms(form), k=1)
    chunk = snapshot.chunks(chunk_ids.tolist())[int(chunk_ids[0])]
    document = snapshot.document(chunk.doc_id)
    words = _WORD.findall(f"{document.title} {chunk.span.of(document.text)}")
    written = next((word for word in words if word.lower() == form), form if _is_english(form) else "")
    return "" if is_name and not written[:1].isupper() else written


def _one_slip_away(word: str) -> Iterator[str]:
    """Yield the words that a slip after the first letter makes of one in lower case."""
    for at in range(1, len(word) + 1):
        before, letter, after = word[:at], word[at : at + 1], word[at + 1 :]
        yield from (before + other + letter + after for other in ascii_lowercase)
        if letter:
            yield before + after
            yield from (before + other + after for other in ascii_lowercase if other != letter)
        if after:
            yield before + after[0] + letter + after[1:]
