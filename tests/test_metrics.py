"""Metrics against sums done by hand, and against an independent implementation."""

from __future__ import annotations

import math
import random

import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.metrics import (
    RiskPoint,
    exact_match,
    first_relevant_rank,
    hit_at_k,
    mean,
    ndcg_at_k,
    normalise_answer,
    precision,
    recall,
    recall_at_k,
    reciprocal_rank_at_k,
    risk_coverage,
    token_f1,
)

RANKING = ("a", "b", "c", "d")


def test_recall_counts_relevant_documents_among_the_first_k() -> None:
    grades = {"b": 1, "d": 2, "never retrieved": 1, "c": 0}
    assert recall_at_k(RANKING, grades, k=1) == 0.0
    assert recall_at_k(RANKING, grades, k=2) == 1 / 3
    assert recall_at_k(RANKING, grades, k=100) == 2 / 3


def test_recall_at_one_stays_below_one_when_two_are_relevant() -> None:
    assert recall_at_k(RANKING, {"a": 1, "b": 1}, k=1) == 1 / 2


def test_hit_asks_for_one_relevant_document_only() -> None:
    assert hit_at_k(RANKING, {"a": 1, "z": 1}, k=1) == 1.0
    assert hit_at_k(RANKING, {"b": 1}, k=1) == 0.0
    assert hit_at_k(RANKING, {"b": 1}, k=2) == 1.0


def test_reciprocal_rank_is_cut_off_at_k() -> None:
    assert reciprocal_rank_at_k(RANKING, {"c": 1, "d": 3}, k=10) == 1 / 3
    assert reciprocal_rank_at_k(RANKING, {"c": 1}, k=2) == 0.0


def test_ndcg_has_linear_gain_and_a_logarithmic_discount() -> None:
    # gained: b (2) at rank 2, d (1) at rank 4; ideal: 2 at rank 1, 1 at rank 2, 1 (never retrieved) at rank 3
    gained = 2 / math.log2(3) + 1 / math.log2(5)
    ideal = 2 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg_at_k(RANKING, {"b": 2, "d": 1, "z": 1}, k=10) == pytest.approx(gained / ideal)


def test_ndcg_of_one_relevant_document_at_rank_three_is_a_half() -> None:
    assert ndcg_at_k(RANKING, {"c": 1}, k=10) == 0.5  # 1 / log2(4)


def test_ndcg_counts_no_more_than_k_documents_in_the_ideal() -> None:
    assert ndcg_at_k(("a",), {"a": 1, "b": 1, "c": 1}, k=1) == 1.0


def test_grades_below_zero_gain_nothing_and_cost_nothing() -> None:
    assert ndcg_at_k(("a", "b"), {"a": -2, "b": 1}, k=10) == pytest.approx(1 / math.log2(3))


def test_an_empty_ranking_scores_zero() -> None:
    assert [metric((), {"a": 1}, k=10) for metric in (recall_at_k, hit_at_k, ndcg_at_k, reciprocal_rank_at_k)] == [
        0
    ] * 4


@pytest.mark.parametrize("metric", [recall_at_k, hit_at_k, ndcg_at_k, reciprocal_rank_at_k])
def test_a_question_without_relevant_documents_is_refused(metric) -> None:
    with pytest.raises(ValueError, match="no document is relevant"):
        metric(RANKING, {"a": 0}, k=10)


@pytest.mark.parametrize("metric", [recall_at_k, hit_at_k, ndcg_at_k, reciprocal_rank_at_k])
def test_a_cut_off_below_one_is_refused(metric) -> None:
    with pytest.raises(ValueError, match="counts from 1"):
        metric(RANKING, {"a": 1}, k=0)


def test_first_relevant_rank_counts_from_one() -> None:
    assert first_relevant_rank(RANKING, {"c": 1, "d": 1}) == 3
    assert first_relevant_rank(RANKING, {"z": 1}) is None


MEASURES = {
    ir_measures.R @ 1: lambda ranking, grades: recall_at_k(ranking, grades, k=1),
    ir_measures.R @ 5: lambda ranking, grades: recall_at_k(ranking, grades, k=5),
    ir_measures.R @ 50: lambda ranking, grades: recall_at_k(ranking, grades, k=50),
    ir_measures.nDCG @ 10: lambda ranking, grades: ndcg_at_k(ranking, grades, k=10),
    ir_measures.RR: lambda ranking, grades: reciprocal_rank_at_k(ranking, grades, k=1000),
    ir_measures.Success @ 1: lambda ranking, grades: hit_at_k(ranking, grades, k=1),
}


Graded = dict[str, dict[str, int]]


def random_run(seed: int) -> tuple[Graded, dict[str, dict[str, float]]]:
    """Return graded judgements and scores with many ties for 40 questions, each with a relevant document."""
    rng = random.Random(seed)
    qrels, run = {}, {}
    for question in map(str, range(40)):
        pool = [f"d{number}" for number in range(rng.randint(1, 80))]
        judged = rng.sample(pool, rng.randint(1, len(pool)))
        qrels[question] = {doc_id: rng.choice([0, 0, 1, 1, 2, 3]) for doc_id in judged}
        qrels[question] |= {"never retrieved": rng.randint(0, 2), judged[0]: rng.randint(1, 3)}
        run[question] = {doc_id: rng.choice([0.1, 0.2, 0.3, 0.5, 0.8]) for doc_id in pool}
    return qrels, run


@pytest.mark.parametrize("seed", range(5))
def test_retrieval_metrics_agree_with_trec_eval_on_random_graded_runs_with_ties(seed: int) -> None:
    qrels, run = random_run(seed)
    compared = 0
    for theirs in ir_measures.pytrec_eval.iter_calc(list(MEASURES), qrels, run):
        scores = run[theirs.query_id]
        # trec_eval's order: score, then document id, both descending
        ranking = sorted(scores, key=lambda doc_id, scores=scores: (scores[doc_id], doc_id), reverse=True)
        assert MEASURES[theirs.measure](ranking, qrels[theirs.query_id]) == pytest.approx(theirs.value, abs=1e-9)
        compared += 1
    assert compared == 40 * len(MEASURES)


@pytest.mark.parametrize("seed", range(5))
def test_reciprocal_rank_at_ten_agrees_with_the_ms_marco_script(seed: int) -> None:
    qrels, run = random_run(seed)
    theirs = {
        metric.query_id: metric.value for metric in ir_measures.msmarco.iter_calc([ir_measures.RR @ 10], qrels, run)
    }
    for question, scores in run.items():
        # the script's order: score descending, then document id ascending
        ranking = sorted(scores, key=lambda doc_id, scores=scores: (-scores[doc_id], doc_id))
        assert reciprocal_rank_at_k(ranking, qrels[question], k=10) == pytest.approx(theirs[question], abs=1e-9)


@given(st.permutations("abcdefgh"), st.dictionaries(st.sampled_from("abcdefghxyz"), st.integers(0, 3)))
def test_ndcg_stays_within_zero_and_one_and_is_one_for_the_ideal_order(ranking, grades) -> None:
    grades["a"] = 1
    assert 0 <= ndcg_at_k(ranking, grades, k=5) <= 1 + 1e-12
    assert ndcg_at_k(sorted(grades, key=grades.get, reverse=True), grades, k=5) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  Normans.", "normans"),
        ("an apple a day", "apple day"),
        ("U.S.", "us"),  # punctuation is deleted, not replaced
        ("twenty-one", "twentyone"),
        ("theatre banana", "theatre banana"),  # articles are whole words
        ("the", ""),
        ("“quoted” £5", "“quoted” £5"),  # only ASCII punctuation goes
        ("$5\n million\t", "5 million"),
        ("A.", ""),  # punctuation goes before articles
        ("ΑΒΓ É", "αβγ é"),
    ],
)
def test_answers_are_normalised_as_in_the_official_script(text: str, normal: str) -> None:
    assert normalise_answer(text) == normal


@pytest.mark.parametrize(
    ("prediction", "golds", "em", "f1"),
    [
        ("the Normans", ["Normans"], 1, 1),
        ("in the 10th century", ["10th century", "10th"], 0, 4 / 5),  # P 2/3, R 2/2
        ("France", ["Normandy", "in France"], 0, 2 / 3),  # best over golds: P 1/1, R 1/2
        ("a b b", ["b b b"], 0, 4 / 5),  # bags: given b b, gold b b b; P 2/2, R 2/3
        ("Denmark", ["France"], 0, 0),
        ("", [], 1, 1),  # unanswerable, nothing said
        ("Denmark", [], 0, 0),  # unanswerable, something said
        ("", ["France"], 0, 0),  # answerable, nothing said
        ("the", [], 1, 1),  # says nothing once normalised
        ("", ["the", "France"], 0, 0),  # a gold that normalises to nothing is passed over
        ("", ["the", "..."], 1, 1),  # unless no other is left
    ],
)
def test_em_and_f1_follow_the_official_script(prediction: str, golds: list[str], em: float, f1: float) -> None:
    assert exact_match(prediction, golds) == em
    assert token_f1(prediction, golds) == pytest.approx(f1)


@given(st.text(), st.lists(st.text(), max_size=3))
def test_f1_is_a_fraction_and_never_below_em(prediction: str, golds: list[str]) -> None:
    assert exact_match(prediction, golds) <= token_f1(prediction, golds) <= 1


def test_precision_and_recall_of_three_abstentions_of_which_two_are_right() -> None:
    abstained = [True, True, True, False, False, False, False]
    unanswerable = [True, True, False, True, True, False, False]
    assert precision(abstained, unanswerable) == 2 / 3
    assert recall(abstained, unanswerable) == 2 / 4


def test_precision_without_predictions_and_recall_without_cases_are_undefined() -> None:
    assert precision([False, False], [True, False]) is None
    assert recall([True, False], [False, False]) is None


def test_precision_needs_as_many_predictions_as_cases() -> None:
    with pytest.raises(ValueError, match="shorter"):
        precision([True, True], [True])


def test_the_mean_of_nothing_is_undefined() -> None:
    assert mean([]) is None
    assert mean([0.0, 0.5, 1.0]) == 0.5


def test_risk_coverage_counts_answers_of_at_least_the_threshold() -> None:
    points = risk_coverage([0.9, 0.5, 0.4, 0.0], [True, False, True, False], (0.4, 0.5, 0.9, 0.95))
    # 3 of 4 answered, 2 of 3 right; 2 of 4, 1 of 2; 1 of 4, 1 of 1; nothing
    assert [(point.answered, point.precision) for point in points] == [(0.75, 2 / 3), (0.5, 0.5), (0.25, 1), (0, None)]
    assert risk_coverage([], [], (0.5,)) == [RiskPoint(0.5, 0.0, None)]
    with pytest.raises(ValueError, match="shorter"):
        risk_coverage([0.5], [], (0.5,))
