"""Retrieval and answer metrics: pure arithmetic over rankings, relevance grades and strings. All values are fractions.

A ranking is a sequence of distinct document ids, best first. Grades map a document id to its relevance; above 0 is
relevant, 0 and below is not, and a document without a grade is not relevant.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

Ranking = Sequence[str]
Grades = Mapping[str, int]

_ARTICLE = re.compile(r"\b(a|an|the)\b")
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


def first_relevant_rank(ranking: Ranking, grades: Grades) -> int | None:
    """Return the rank of the best relevant document, 1 for the first place, or None when none was retrieved."""
    return next((rank for rank, doc_id in enumerate(ranking, 1) if grades.get(doc_id, 0) > 0), None)


def recall_at_k(ranking: Ranking, grades: Grades, *, k: int) -> float:
    """Return the share of all relevant documents that stand among the first k, in 0..1.

    It can stay below 1 when more than k documents are relevant, as in trec_eval's ``recall_k``.

    Raises:
        ValueError: k is below 1, or no document is relevant.
    """
    relevant = _relevant(grades)
    return sum(doc_id in relevant for doc_id in _first(ranking, k)) / len(relevant)


def hit_at_k(ranking: Ranking, grades: Grades, *, k: int) -> float:
    """Return 1.0 when a relevant document stands among the first k, else 0.0: trec_eval's ``success_k``.

    Raises:
        ValueError: k is below 1, or no document is relevant.
    """
    relevant = _relevant(grades)
    return float(any(doc_id in relevant for doc_id in _first(ranking, k)))


def reciprocal_rank_at_k(ranking: Ranking, grades: Grades, *, k: int) -> float:
    """Return 1 / rank of the best relevant document, 0.0 when none stands among the first k. Its mean is MRR@k.

    Raises:
        ValueError: k is below 1, or no document is relevant.

    Reference:
        Voorhees, E. M. (1999). The TREC-8 Question Answering Track Report. TREC-8. Cut off at k, as is usual.
    """
    _relevant(grades)
    rank = first_relevant_rank(_first(ranking, k), grades)
    return 1 / rank if rank else 0.0


def ndcg_at_k(ranking: Ranking, grades: Grades, *, k: int) -> float:
    """Return the discounted gain of the first k documents over that of the best possible ranking, in 0..1.

    The gain is the grade itself (linear; 0 for grades below 0), the discount of rank r is ``log2(r + 1)``, and the
    best possible ranking holds all graded documents, retrieved or not: trec_eval's ``ndcg_cut_k``.

    Raises:
        ValueError: k is below 1, or no document is relevant.

    Reference:
        Järvelin, K., & Kekäläinen, J. (2002). Cumulated gain-based evaluation of IR techniques. ACM TOIS 20(4).
        Deviation: they leave the first two ranks undiscounted; here, as in trec_eval, only the first is.
    """
    _relevant(grades)
    gained = _discounted(max(grades.get(doc_id, 0), 0) for doc_id in _first(ranking, k))
    return gained / _discounted(sorted((max(grade, 0) for grade in grades.values()), reverse=True)[:k])


def _discounted(gains: Iterable[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def _first(ranking: Ranking, k: int) -> Ranking:
    if k < 1:
        raise ValueError(f"a cut-off counts from 1, not {k}")
    return ranking[:k]


def _relevant(grades: Grades) -> set[str]:
    relevant = {doc_id for doc_id, grade in grades.items() if grade > 0}
    if not relevant:
        raise ValueError("the metric is undefined: no document is relevant")
    return relevant


def normalise_answer(text: str) -> str:
    """Return an answer as the official SQuAD script compares it.

    In this order: lower case, ASCII punctuation deleted, the words *a*, *an*, *the* deleted, runs of white space to
    one space, none at the ends.

    Reference:
        Rajpurkar, P., et al. (2016). SQuAD: 100,000+ questions for machine comprehension of text. EMNLP.
    """
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_WITHOUT_PUNCTUATION)).split())


def exact_match(prediction: str, golds: Sequence[str]) -> float:
    """Return 1.0 when the prediction equals a gold answer after normalisation, else 0.0.

    Args:
        prediction: the answer given; "" for none.
        golds: all accepted answers; empty when the question has no answer, and then only no answer is right. Golds
            that normalise to nothing are passed over, as the official SQuAD 2 script does.

    Reference:
        Rajpurkar, P., Jia, R., & Liang, P. (2018). Know what you don't know: unanswerable questions for SQuAD. ACL.
    """
    return _best_over_golds(prediction, golds, lambda given, gold: float(given == gold))


def token_f1(prediction: str, golds: Sequence[str]) -> float:
    """Return the best F1 of the prediction's words against a gold answer's, in 0..1, words counted as a bag.

    When either side has no words the value is 1.0 if both have none, else 0.0. Words are what white space divides
    after normalisation, so in Chinese, Japanese or Thai a run of text is one word and F1 is close to exact match.

    Args:
        prediction: the answer given; "" for none.
        golds: as in ``exact_match``.

    Reference:
        Rajpurkar et al. (2016); no-answer convention of Rajpurkar et al. (2018).
    """
    return _best_over_golds(prediction, golds, _bag_f1)


def _best_over_golds(prediction: str, golds: Sequence[str], score: Callable[[str, str], float]) -> float:
    accepted = [normal for gold in golds if (normal := normalise_answer(gold))] or [""]
    given = normalise_answer(prediction)
    return max(score(given, gold) for gold in accepted)


def _bag_f1(given: str, gold: str) -> float:
    given_words, gold_words = given.split(), gold.split()
    if not given_words or not gold_words:
        return float(given_words == gold_words)
    shared = (Counter(given_words) & Counter(gold_words)).total()
    # 2PR / (P + R) with P = shared / given and R = shared / gold
    return 2 * shared / (len(given_words) + len(gold_words))


def precision(predicted: Sequence[bool], actual: Sequence[bool]) -> float | None:
    """Return the share of predicted cases that are actual ones, in 0..1; None when nothing is predicted.

    Args:
        predicted: (n,) whether each case is said to be one.
        actual: (n,) whether it is one.

    Raises:
        ValueError: the lengths differ.
    """
    return mean([is_one for says, is_one in zip(predicted, actual, strict=True) if says])


def recall(predicted: Sequence[bool], actual: Sequence[bool]) -> float | None:
    """Return the share of actual cases that are predicted, in 0..1; None when there are none.

    Args and errors are those of ``precision``.
    """
    return precision(actual, predicted)


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """What is answered when only answers of at least this score are given.

    Attributes:
        answered: share of all questions that get one, in 0..1.
        precision: share of those answers that are right, in 0..1; None when none is given.
    """

    threshold: float
    answered: float
    precision: float | None


def risk_coverage(scores: Sequence[float], right: Sequence[bool], thresholds: Sequence[float]) -> list[RiskPoint]:
    """Return, for each threshold, how much is answered and how much of that is right.

    Args:
        scores: (n,) of the answers, higher is surer; 0 for no answer.
        right: (n,) whether each answer is right.
        thresholds: above 0.

    Raises:
        ValueError: the lengths differ.

    Reference:
        El-Yaniv, R., & Wiener, Y. (2010). On the foundations of noise-free selective classification. JMLR 11.
    """
    pairs = list(zip(scores, right, strict=True))
    points = []
    for threshold in thresholds:
        given = [is_right for score, is_right in pairs if score >= threshold]
        points.append(RiskPoint(threshold, len(given) / len(pairs) if pairs else 0.0, mean(given)))
    return points


def mean(values: Sequence[float]) -> float | None:
    """Return the arithmetic mean, or None of nothing."""
    return math.fsum(values) / len(values) if values else None
