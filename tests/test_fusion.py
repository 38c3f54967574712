"""Arithmetic over scores, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from qa.fusion import convex_combination, min_max


def floats(*values: float) -> np.ndarray:
    return np.asarray(values, dtype=np.float32)


def test_min_max_moves_scores_to_0_and_1() -> None:
    np.testing.assert_allclose(min_max(floats(2, 4, 3)), [0, 1, 0.5])


def test_equal_scores_say_nothing() -> None:
    np.testing.assert_array_equal(min_max(floats(3, 3)), [0, 0])
    assert min_max(floats()).tolist() == []


def test_the_combination_weighs_normalised_scores() -> None:
    """Dense .2 .6 .4 is 0 1 .5; BM25 10 0 5 is 1 0 .5; .6 and .4 of them: .4, .6, .5."""
    fused = convex_combination(floats(0.2, 0.6, 0.4), floats(10, 0, 5), dense_weight=0.6)
    np.testing.assert_allclose(fused, [0.4, 0.6, 0.5], atol=1e-6)


def test_a_weight_outside_0_and_1_is_refused() -> None:
    with pytest.raises(ValueError, match="dense_weight"):
        convex_combination(floats(1), floats(1), dense_weight=1.1)
