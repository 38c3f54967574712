"""BM25 over chunks: what is found, in which order, with which scores."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from index.errors import IndexDamaged
from index.lexical import LexicalIndex, Words, terms

TEXTS = ["the cat sat", "the cat and the dog", "a dog barks at cats and dogs", "élan vital", "北京是中国的首都"]


@pytest.fixture
def index(tmp_path: Path) -> LexicalIndex:
    index = LexicalIndex(tmp_path)
    index.update(added=[Words(number, text) for number, text in enumerate(TEXTS, 1)], removed=[])
    return index


def found(index: LexicalIndex, query: str, **options: object) -> list[int]:
    return index.search(terms(query), k=10, **options)[0].tolist()


def test_scores_are_bm25(index: LexicalIndex) -> None:
    """k1 1.2, b 0.75: "sat" stands once, in the first of 5 chunks; 3 words long, 25 / 5 on average."""
    _, scores = index.search(terms("sat"), k=1)
    idf = math.log(1 + (5 - 1 + 0.5) / (1 + 0.5))
    expected = idf * 1 * (1.2 + 1) / (1 + 1.2 * (1 - 0.75 + 0.75 * 3 / (25 / 5)))
    assert scores[0] == pytest.approx(expected, rel=1e-3)


def test_words_are_stemmed_and_case_and_accents_folded(index: LexicalIndex) -> None:
    assert set(found(index, "DOGS")) == {2, 3}
    assert found(index, "elan") == [4]


def test_scripts_without_spaces_are_found_by_character(index: LexicalIndex) -> None:
    assert found(index, "首都") == [5]


def test_query_syntax_is_just_words(index: LexicalIndex) -> None:
    for query in ('" OR *', "(((", "text:cat AND NOT", "a^5 ~", "[a TO b]"):
        found(index, query)
    assert set(found(index, "cat)) OR [")) == {1, 2, 3}


def test_only_allowed_chunks_are_found_with_unchanged_scores(index: LexicalIndex) -> None:
    ids, scores = index.search(terms("cat"), k=10)
    (allowed_id,), (score,) = index.search(terms("cat"), k=10, allowed=np.asarray([2, 4]))
    assert allowed_id == 2
    assert score == pytest.approx(float(scores[ids.tolist().index(2)]))


def test_updates_remove_and_add_and_survive_reopening(index: LexicalIndex, tmp_path: Path) -> None:
    index.update(added=[Words(9, "a new cat")], removed=[1])
    for held in (index, LexicalIndex(tmp_path)):
        assert len(held) == 5
        assert set(found(held, "cat")) == {2, 3, 9}


def test_equal_scores_come_in_order_of_id(tmp_path: Path) -> None:
    index = LexicalIndex(tmp_path)
    index.update(added=[Words(number, "same words") for number in (5, 3, 9)], removed=[])
    assert found(index, "same") == [3, 5, 9]


def test_frequency_counts_chunks(index: LexicalIndex) -> None:
    assert [index.chunk_frequency(term) for term in terms("cats nowhere")] == [3, 0]


def test_no_terms_find_nothing(index: LexicalIndex, tmp_path: Path) -> None:
    assert found(index, "?!") == []
    (tmp_path / "empty").mkdir()
    assert found(LexicalIndex(tmp_path / "empty"), "cat") == []


def test_a_folder_that_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text("{}")
    with pytest.raises(IndexDamaged, match="not a lexical index"):
        LexicalIndex(tmp_path)


def test_a_long_list_of_allowed_chunks_finds_the_same_as_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = LexicalIndex(tmp_path)
    index.update(added=[Words(n, "cat " * (n % 5) + "dog " * (n % 3) + "end") for n in range(1, 301)], removed=[])
    for allowed in (np.arange(1, 301, 2), np.arange(280, 301)):  # the second lies outside the best 20 in part
        wanted = index.search(terms("cat"), k=15, allowed=allowed)
        monkeypatch.setattr("index.lexical._LISTED", 20)
        found = index.search(terms("cat"), k=15, allowed=allowed)
        monkeypatch.undo()
        assert len(wanted[0]) == 15
        assert set(found[0]) <= set(allowed)
        np.testing.assert_array_equal(found[1], wanted[1])
