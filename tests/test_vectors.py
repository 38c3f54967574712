"""Exact search by inner product, compared with arithmetic done by hand, after reload too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index.embedding import unit_rows
from index.errors import IndexDamaged
from index.vectors import VectorIndex


@pytest.fixture
def vectors() -> np.ndarray:
    return unit_rows(np.random.default_rng(7).normal(size=(200, 16)))


@pytest.fixture
def index(vectors: np.ndarray) -> VectorIndex:
    index = VectorIndex(16)
    index.add(np.arange(1, 201), vectors)
    return index


def brute_force(vectors: np.ndarray, query: np.ndarray, k: int) -> list[int]:
    return (np.argsort(-(vectors @ query), kind="stable")[:k] + 1).tolist()


def test_search_agrees_with_brute_force_also_after_reload(
    index: VectorIndex, vectors: np.ndarray, tmp_path: Path
) -> None:
    index.write(tmp_path / "v")
    for held in (index, VectorIndex.read(tmp_path / "v")):
        for query in vectors[:20]:
            ids, scores = held.search(query, k=10)
            assert ids.tolist() == brute_force(vectors, query, 10)
            np.testing.assert_allclose(scores, np.sort(vectors @ query)[::-1][:10], atol=1e-5)


def test_equal_scores_come_in_order_of_id() -> None:
    index = VectorIndex(2)
    index.add(np.asarray([5, 3, 9]), np.asarray([[1, 0], [1, 0], [1, 0]], dtype=np.float32))
    assert index.search(np.asarray([1, 0], dtype=np.float32), k=3)[0].tolist() == [3, 5, 9]


def test_removed_vectors_are_not_found_and_others_keep_their_ids(index: VectorIndex, vectors: np.ndarray) -> None:
    index.remove(np.asarray([1, 2, 999]))
    assert len(index) == 198
    assert index.search(vectors[0], k=200)[0].tolist() == [i for i in brute_force(vectors, vectors[0], 200) if i > 2]
    np.testing.assert_allclose(index.vectors_of(np.asarray([7, 3])), vectors[[6, 2]])


def test_only_allowed_ids_are_searched(index: VectorIndex, vectors: np.ndarray) -> None:
    assert set(index.search(vectors[0], k=50, allowed=np.asarray([4, 8, 15]))[0]) == {4, 8, 15}
    assert index.search(vectors[0], k=50, allowed=np.empty(0, dtype=np.int64))[0].tolist() == []


def test_an_empty_index_finds_nothing() -> None:
    assert VectorIndex(4).search(np.ones(4, dtype=np.float32), k=3)[0].tolist() == []


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(b"something else")
    with pytest.raises(IndexDamaged, match="not a vector index"):
        VectorIndex.read(tmp_path / "v")
