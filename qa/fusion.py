"""Two rankings -> one: pure arithmetic over scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def min_max(scores: Floats) -> Floats:
    """Return (n,) scores moved to 0..1, best 1 and worst 0; all 0 when they are all equal."""
    if not len(scores):
        return scores.astype(np.float32)
    low, high = float(scores.min()), float(scores.max())
    return ((scores - low) / (high - low) if high > low else np.zeros_like(scores)).astype(np.float32)


def convex_combination(dense: Floats, lexical: Floats, *, dense_weight: float) -> Floats:
    """Return ``w * dense + (1 - w) * lexical`` of min-max normalised scores; higher is better.

    Bruch, Gai, Ingber (2023), "An Analysis of Fusion Functions for Hybrid Retrieval", ACM TOIS 42(1): convex
    combination with per-question min-max normalisation, which they and our measurement find ahead of reciprocal rank
    fusion (docs/decisions/0003-fusion.md).

    Args:
        dense: (n,) cosine of each candidate.
        lexical: (n,) BM25 of each candidate, 0 for a candidate that the lexical search did not return.
        dense_weight: share of the dense score, in 0..1.
    """
    if not 0 <= dense_weight <= 1:
        raise ValueError("dense_weight must be within 0..1")
    return (dense_weight * min_max(dense) + (1 - dense_weight) * min_max(lexical)).astype(np.float32)
