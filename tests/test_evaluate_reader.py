"""What the reader is measured with: the curve's area, the regression, and paragraphs of other articles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")
from training.evaluate_reader import Setting, area_under_curve, embed, fit
from training.reader_data import Example

SCORES = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=12)


@given(SCORES, SCORES)
def test_the_area_is_the_share_of_pairs_in_order(positive: list[float], negative: list[float]) -> None:
    won = [(p > n) + (p == n) / 2 for p in positive for n in negative]
    assert area_under_curve(positive, negative) == pytest.approx(sum(won) / len(won))


def test_the_regression_is_that_of_scikit_learn() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(3)
    rows = rng.normal([0.0, 5.0, -2.0], [1.0, 3.0, 0.2], (400, 3))
    right = (rng.random(400) < 1 / (1 + np.exp(-(rows @ [1.0, -0.5, 2.0] + 6)))).astype(float)
    weights, intercept = fit(rows, right, ridge=2.0)
    scaled = (rows - rows.mean(0)) / rows.std(0)
    theirs = linear_model.LogisticRegression(C=0.5, tol=1e-10).fit(scaled, right)
    np.testing.assert_allclose(weights * rows.std(0), theirs.coef_[0], rtol=1e-4)
    assert intercept + weights @ rows.mean(0) == pytest.approx(theirs.intercept_[0], rel=1e-3)


@pytest.mark.model
def test_a_question_for_other_topics_meets_no_paragraph_of_its_own_article() -> None:
    texts = {
        "The bridge over the river was built in 1843 by Anna Holt.": "bridge",
        "The bridge over the river has five arches.": "bridge",
        "The river rises in the hills.": "river",
        "Bees live in hives.": "bees",
    }
    examples = [Example("Who built the bridge?", text, (), "squad2", group) for text, group in texts.items()]
    setting, vectors = Setting(examples, bare=True), embed(["Who built the bridge?"])
    for where, first in (("gold", "bridge"), ("all", "bridge"), ("other", "river")):
        (asked,) = setting.ask(examples[:1], where, vectors)
        groups = [examples[setting.corpus.number(passage)].group for passage in asked.passages]
        assert groups[0] == first
        assert "bridge" not in groups or where != "other"
    assert asked.passages[0].text == "The river rises in the hills "
