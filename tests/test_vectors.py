"""Nearest vectors compared with exact arithmetic: small and coded segments, after updates, merges and reload."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.embedding import unit_rows
from index.errors import IndexDamaged
from index.packing import pack_rows, unpack_rows
from index.vectors import VectorConfig, VectorIndex, segments_to_join

# merges after every few rows, and codes at once: what large indexes do, on small ones
TINY = VectorConfig(exact_rows=16, large_rows=48, rescored=24)


def unit_vectors(count: int, dimension: int, seed: int = 7) -> np.ndarray:
    """Return unit vectors as the store gives them: packed and unpacked."""
    rows = unit_rows(np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32))
    return unpack_rows(pack_rows(rows))


def filled(folder: Path, vectors: np.ndarray, config: VectorConfig | None = None) -> VectorIndex:
    """Return an index of vectors under the ids 1, 2, ..."""
    folder.mkdir(exist_ok=True)
    index = VectorIndex.create(folder, vectors.shape[1], config)
    index.update(added=[(np.arange(1, len(vectors) + 1), vectors)], removed=none())
    return index


def none() -> np.ndarray:
    return np.empty(0, dtype=np.int64)


def brute_force(vectors: np.ndarray, query: np.ndarray, k: int) -> list[int]:
    return (np.argsort(-(vectors @ query), kind="stable")[:k] + 1).tolist()


def recall(index: VectorIndex, vectors: np.ndarray, queries: np.ndarray, k: int, allowed: np.ndarray | None) -> float:
    ids = np.arange(1, len(vectors) + 1) if allowed is None else allowed
    found = 0
    for query in queries:
        wanted = ids[np.argsort(-(vectors[ids - 1] @ query))[:k]]
        found += len(np.intersect1d(index.search(query, k=k, allowed=allowed)[0], wanted))
    return found / (k * len(queries))


def fingerprints(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture
def vectors() -> np.ndarray:
    return unit_vectors(200, 16)


@pytest.fixture
def index(vectors: np.ndarray, tmp_path: Path) -> VectorIndex:
    return filled(tmp_path, vectors)


def test_a_small_index_agrees_with_brute_force_also_after_reload(
    index: VectorIndex, vectors: np.ndarray, tmp_path: Path
) -> None:
    for held in (index, VectorIndex(tmp_path)):
        for query in vectors[:20]:
            ids, scores = held.search(query, k=10)
            assert ids.tolist() == brute_force(vectors, query, 10)
            np.testing.assert_allclose(scores, np.sort(vectors @ query)[::-1][:10], atol=1e-5)


def test_equal_scores_come_in_order_of_id(tmp_path: Path) -> None:
    index = VectorIndex.create(tmp_path, 2)
    same = np.asarray([[1, 0], [1, 0], [1, 0]], dtype=np.float32)
    index.update(added=[(np.asarray([5, 3, 9]), same)], removed=none())
    assert index.search(np.asarray([1, 0], dtype=np.float32), k=2)[0].tolist() == [3, 5]


def test_removed_vectors_are_not_found_and_others_keep_their_ids(
    index: VectorIndex, vectors: np.ndarray, tmp_path: Path
) -> None:
    index.update(added=[], removed=np.asarray([1, 2, 999]))
    for held in (index, VectorIndex(tmp_path)):
        assert held.ids.tolist() == list(range(3, 201))
        wanted = [i for i in brute_force(vectors, vectors[0], 200) if i > 2]
        assert held.search(vectors[0], k=200)[0].tolist() == wanted
        np.testing.assert_array_equal(held.vectors_of(np.asarray([7, 3])), vectors[[6, 2]])


def test_only_allowed_ids_are_searched(index: VectorIndex, vectors: np.ndarray) -> None:
    assert set(index.search(vectors[0], k=50, allowed=np.asarray([4, 8, 15, 999]))[0]) == {4, 8, 15}
    assert index.search(vectors[0], k=50, allowed=none())[0].tolist() == []


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    assert VectorIndex.create(tmp_path, 4).search(np.ones(4, dtype=np.float32), k=3)[0].tolist() == []


def test_search_through_codes_finds_99_of_100_of_the_best_of_random_vectors(tmp_path: Path) -> None:
    """20,000 random unit vectors in 384 dimensions: the hardest data there is, as nothing is near anything."""
    vectors, queries = unit_vectors(20_000, 384), unit_vectors(10, 384, seed=8)
    index = filled(tmp_path, vectors)
    assert (tmp_path / "1.codes").exists()
    even = np.arange(2, 20_001, 2)
    for held in (index, VectorIndex(tmp_path)):
        assert recall(held, vectors, queries, 50, None) >= 0.99
        assert recall(held, vectors, queries, 50, even) >= 0.99
    ids, scores = index.search(queries[0], k=50)
    np.testing.assert_allclose(scores, vectors[ids - 1] @ queries[0], atol=1e-5)


def test_a_question_is_searched_on_the_thread_that_asks_and_faiss_keeps_its_own_setting(tmp_path: Path) -> None:
    index = filled(tmp_path / "one", unit_vectors(8_000, 384), VectorConfig(exact_rows=1_000))
    queries = unit_vectors(200, 384, seed=8)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(2)
    try:
        index.search(queries[0], k=50)
        whole, mine = time.process_time(), time.thread_time()
        for query in queries:
            index.search(query, k=50)
        whole, mine = time.process_time() - whole, time.thread_time() - mine
        assert faiss.omp_get_max_threads() == 2
    finally:
        faiss.omp_set_num_threads(before)
    assert whole < 1.3 * mine


def test_vectors_with_all_weight_on_few_numbers_are_found_through_codes_too(tmp_path: Path) -> None:
    """20 of 384 numbers hold everything: far outside the levels that the codes round to, if nothing were rotated."""
    heavy = np.where(np.arange(384) % 19 == 0, 1.0, 0.01)
    vectors = unit_rows(np.random.default_rng(3).normal(size=(20_010, 384)) * heavy).astype(np.float32)
    vectors, queries = unpack_rows(pack_rows(vectors[10:])), vectors[:10]
    index = filled(tmp_path, vectors, VectorConfig(rescored=800))
    assert recall(index, vectors, queries, 50, None) >= 0.99


def test_updates_join_segments_and_keep_recall(tmp_path: Path) -> None:
    vectors, queries = unit_vectors(30_000, 64), unit_vectors(10, 64, seed=8)
    config = VectorConfig(exact_rows=2_000, large_rows=8_000)
    index = VectorIndex.create(tmp_path, 64, config)
    for start in range(0, 30_000, 1_500):
        ids = np.arange(start + 1, start + 1_501)
        index.update(added=[(ids, vectors[start : start + 1_500])], removed=none())
        assert len(list(tmp_path.glob("*.ids"))) <= 1 + 4 + start // 8_000
    gone = np.arange(1, 30_001, 5)
    index.update(added=[], removed=gone)
    left = np.setdiff1d(np.arange(1, 30_001), gone)
    for held in (index, VectorIndex(tmp_path, config)):
        assert held.ids.tolist() == left.tolist()
        found = [held.search(query, k=50)[0] for query in queries]
        wanted = [left[np.argsort(-(vectors[left - 1] @ query))[:50]] for query in queries]
        assert np.mean([len(np.intersect1d(*pair)) / 50 for pair in zip(found, wanted, strict=True)]) >= 0.99


def test_most_of_a_segment_removed_gives_its_space_back(tmp_path: Path) -> None:
    index = filled(tmp_path, unit_vectors(100, 8), TINY)
    before = sum(path.stat().st_size for path in tmp_path.glob("*.vectors"))
    index.update(added=[], removed=np.arange(1, 81))
    assert sum(path.stat().st_size for path in tmp_path.glob("*.vectors")) == before // 5
    index.update(added=[], removed=np.arange(81, 101))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["segments.json"]


def test_an_update_writes_what_it_adds_and_never_changes_a_file(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    filled(old, unit_vectors(20_000, 32))
    before = fingerprints(old)
    shutil.copytree(old, new, copy_function=lambda source, target: Path(target).hardlink_to(source))
    index = VectorIndex(new)
    index.update(added=[(np.asarray([20_001]), unit_vectors(1, 32))], removed=np.asarray([5]))
    index.search(unit_vectors(1, 32)[0], k=50)
    assert fingerprints(old) == before
    own = [path for path in new.iterdir() if path.stat().st_nlink == 1]
    assert sum(path.stat().st_size for path in own) < 1_000


def test_the_same_updates_write_the_same_bytes_and_find_the_same(tmp_path: Path) -> None:
    vectors = unit_vectors(20_000, 32)
    one, other = (filled(tmp_path / name, vectors) for name in ("one", "other"))
    assert fingerprints(tmp_path / "one") == fingerprints(tmp_path / "other")
    for query in vectors[:5]:
        first = one.search(query, k=200)
        for held in (one, other, VectorIndex(tmp_path / "one")):
            assert all(np.array_equal(*pair) for pair in zip(held.search(query, k=200), first, strict=True))


Update = tuple[int, Sequence[int]]
updates = st.lists(st.tuples(st.integers(0, 30), st.lists(st.integers(1, 90), max_size=12)), min_size=1, max_size=8)


@settings(max_examples=30)
@given(updates=updates, seed=st.integers(0, 5), reload=st.booleans())
def test_any_updates_leave_what_a_plain_dictionary_holds(
    tmp_path_factory: pytest.TempPathFactory, updates: list[Update], seed: int, reload: bool
) -> None:
    """The model: ids with vectors, all compared. With so few vectors the codes miss nothing but by their own fault."""
    folder = tmp_path_factory.mktemp("vectors")
    index, model, next_id = VectorIndex.create(folder, 6, TINY), {}, 1
    for number, (count, removed) in enumerate(updates):
        rows = unit_vectors(count, 6, seed=seed * 100 + number)
        if count > 3:
            rows[1] = rows[0]  # the same words in two places
        ids = np.arange(next_id, next_id + count)
        next_id += count
        index.update(added=[(ids[:7], rows[:7]), (ids[7:], rows[7:])], removed=np.asarray(removed, dtype=np.int64))
        for chunk_id in removed:
            if chunk_id < next_id - count:
                model.pop(chunk_id, None)
        model |= dict(zip(ids.tolist(), rows, strict=True))
        index = VectorIndex(folder, TINY) if reload else index
        held = np.asarray(sorted(model), dtype=np.int64)
        assert index.ids.tolist() == held.tolist()
        if not len(held):
            continue
        matrix = np.stack([model[chunk_id] for chunk_id in held.tolist()])
        np.testing.assert_array_equal(index.vectors_of(held), matrix)
        for allowed in (None, held[::2]):
            among = np.arange(len(held)) if allowed is None else np.arange(0, len(held), 2)
            scores = matrix[among] @ matrix[0]
            order = np.lexsort((held[among], -scores.round(5)))[:5]
            found, found_scores = index.search(matrix[0], k=5, allowed=allowed)
            np.testing.assert_allclose(found_scores, scores[order], atol=1e-4)
            assert set(found.tolist()) <= set(held[among].tolist())


@pytest.mark.parametrize(
    ("sizes", "joined"),
    [
        ([], None),
        ([(10, 10)], None),
        ([(10, 10), (15, 15)], [0, 1]),  # two small ones
        ([(60, 60), (10, 10), (20, 20)], None),  # one of each kind
        ([(20, 20), (20, 20)], None),  # 40 rows are not yet a large one
        ([(20, 20), (99, 99), (20, 20), (20, 20), (20, 20)], [0, 2, 3]),  # the oldest that make one
        ([(60, 60), (74, 100)], [1]),  # more than a quarter removed
        ([(60, 60), (0, 20)], [1]),  # nothing left
    ],
)
def test_which_segments_are_joined(sizes: list[tuple[int, int]], joined: list[int] | None) -> None:
    assert segments_to_join(sizes, TINY) == joined


@pytest.mark.parametrize("damage", ["no json", "missing file", "short file", "no codes"])
def test_a_folder_that_is_no_index_is_refused(tmp_path: Path, damage: str) -> None:
    filled(tmp_path, unit_vectors(100, 8), TINY)
    if damage == "no json":
        (tmp_path / "segments.json").write_text("[]")
    elif damage == "missing file":
        (tmp_path / "1.ids").unlink()
    elif damage == "short file":
        (tmp_path / "1.vectors").write_bytes((tmp_path / "1.vectors").read_bytes()[:-8])
    else:
        (tmp_path / "1.codes").write_bytes(b"something else")
    with pytest.raises(IndexDamaged, match="not a vector index"):
        VectorIndex(tmp_path)
