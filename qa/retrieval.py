"""A question -> the passages that may hold its answer, best first."""

from __future__ import annotations

import datetime
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.embedding import Encoder
from index.lexical import LexicalIndex
from index.lexical import terms as index_terms
from index.snapshot import Snapshot
from index.threads import threads
from qa.errors import QuestionError
from qa.fusion import convex_combination
from qa.questions import clean_question, plain_question
from qa.reader import Query, Term
from qa.results import Citation, Passage

MAX_PASSAGES = 200

# words that carry no content in a question: they are not searched for, and are never reported as missing
STOPWORDS = frozenset(
    "a about actually all also am an and any are as at be because been being but by can could did do does doing for"
    " from had has have having he her hers him his how i if in into is it its just let many may me might mine more most"
    " much must my no not of on or our ours out over please s shall she should so some such t tell than that the their"
    " theirs them then there these they this those to too under up us very was we were what when where which while who"
    " whom whose why will with would you your yours".split()
)

# what a question says its answer is is no content either: a text names the group, and seldom says beside it what it is
_KINDS = (
    "groups?|factions?|organi[sz]ations?|part(?:y|ies)|compan(?:y|ies)|countr(?:y|ies)|nations?|nationalit(?:y|ies)"
    "|cit(?:y|ies)|towns?|places?|persons?|people|years?|months?|days?|dates?|time|centur(?:y|ies)|decades?"
    "|percent(?:age)?|numbers?|amounts?|names?|terms?|kinds?|sorts?|types?"
)
_ASKED_KIND = re.compile(rf"^\W*(?:\w+ )?(?:which|what) (?:{_KINDS})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RetrievalConfig:
    """How the two rankings are made and mixed; chosen by measurement, docs/decisions/0003-fusion.md.

    Attributes:
        dense_weight: share of the dense score in 0..1.
        candidates: how many chunks each ranking gives to the mix; the same for every ``k``, so that the order is too.
    """

    dense_weight: float = 0.5
    candidates: int = MAX_PASSAGES


@dataclass(frozen=True, slots=True)
class Filters:
    """Which documents may answer. Empty fields match everything; fields combine with "and", their items with "or".

    Attributes:
        documents: document ids.
        sources: shell patterns on the path or the publisher, ``seeds/*.txt`` or ``*Reuters*``.
        date_from: ISO date, inclusive. A document without a date matches no date filter.
        date_to: ISO date, inclusive.
    """

    documents: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    date_from: str | None = None
    date_to: str | None = None

    def __post_init__(self) -> None:
        for date in (self.date_from, self.date_to):
            if date is not None and not _is_iso_date(date):
                raise QuestionError(f"{date[:40]!r} is not a date; write it as 2017-03-03.")

    def __bool__(self) -> bool:
        return bool(self.documents or self.sources or self.date_from or self.date_to)


def prepare(question: str, snapshot: Snapshot, encoder: Encoder) -> Query:
    """Return a question, made plain, with its vector and its content words weighted by their rarity in the corpus."""
    text = plain_question(clean_question(question))
    return Query(text, encoder.encode_question(text), content_terms(text, snapshot.lexical))


def content_terms(text: str, lexical: LexicalIndex) -> tuple[Term, ...]:
    """Return the content words of a question, in order, each once."""
    words = {word.casefold(): word for word in _content_words(text)}
    return tuple(Term(word, *_rarity(word, lexical)) for word in words.values())


def _rarity(word: str, lexical: LexicalIndex) -> tuple[float, int]:
    frequency = min((lexical.chunk_frequency(term) for term in index_terms(word)), default=0)
    return math.log(1 + (len(lexical) - frequency + 0.5) / (frequency + 0.5)), frequency


def retrieve_passages(
    query: Query,
    snapshot: Snapshot,
    *,
    k: int,
    filters: Filters | None = None,
    config: RetrievalConfig = RetrievalConfig(),
) -> list[Passage]:
    """Return the best passages, best first; equal scores in order of chunk id. Fewer when the corpus holds fewer.

    Args:
        query: from `prepare`, of the same snapshot.
        snapshot: what is searched.
        k: how many; brought into 1..200.
        filters: None searches everything.
        config: candidates and weights.
    """
    k = max(1, min(k, MAX_PASSAGES))
    allowed = _allowed_ids(snapshot, filters)
    chunk_ids, dense, lexical = candidates(query, snapshot, config.candidates, allowed)
    fused = convex_combination(dense, lexical, dense_weight=config.dense_weight)
    best = np.lexsort((chunk_ids, -fused))[:k]
    chunks = snapshot.chunks(chunk_ids[best].tolist())
    passages = []
    for rank, at in enumerate(best, 1):
        chunk = chunks[int(chunk_ids[at])]
        citation = Citation.from_document(snapshot.document(chunk.doc_id), chunk.span)
        passages.append(Passage(rank, float(fused[at]), float(dense[at]), float(lexical[at]), citation))
    return passages


def candidates(
    query: Query, snapshot: Snapshot, count: int, allowed: npt.NDArray[np.int64] | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the chunks either ranking puts among its best, with both scores of each."""
    # words are looked up while vectors are compared: both are done outside of the interpreter
    words = threads("words").submit(snapshot.lexical.search, lexical_terms(query.text), k=count, allowed=allowed)
    dense_ids, _ = snapshot.vectors.search(query.vector, k=count, allowed=allowed)
    lexical_ids, bm25 = words.result()
    chunk_ids = np.union1d(dense_ids, lexical_ids)
    if not len(chunk_ids):
        return chunk_ids, np.empty(0, dtype=np.float32), np.empty(0, dtype=np.float32)
    dense = snapshot.vectors.vectors_of(chunk_ids) @ query.vector
    lexical = np.zeros(len(chunk_ids), dtype=np.float32)
    lexical[np.searchsorted(chunk_ids, lexical_ids)] = bm25
    return chunk_ids, dense, lexical


def lexical_terms(text: str) -> list[str]:
    """Return what of a question is looked up word by word: its content words, or all its words when it has none."""
    return list(dict.fromkeys(index_terms(" ".join(_content_words(text)) or text)))


def _content_words(text: str) -> list[str]:
    composed = unicodedata.normalize("NFC", text)  # as words are looked up
    asked = _ASKED_KIND.sub("", composed)
    return [word for word in re.findall(r"\w+", asked) if word.casefold() not in STOPWORDS]


def _allowed_ids(snapshot: Snapshot, filters: Filters | None) -> npt.NDArray[np.int64] | None:
    if not filters:
        return None
    return snapshot.matching_chunk_ids(
        doc_ids=filters.documents, sources=filters.sources, date_from=filters.date_from, date_to=filters.date_to
    )


def missing_words(terms: Sequence[Term]) -> tuple[str, ...]:
    """Return the content words that stand nowhere in the corpus, as the question writes them."""
    return tuple(term.word for term in terms if term.chunk_frequency == 0)


def _is_iso_date(value: str) -> bool:
    try:
        return datetime.date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
