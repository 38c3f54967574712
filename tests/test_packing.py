"""What is packed for a row comes back: texts and spans as they were, vectors nearly so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.documents import Span, canonical_text
from index.embedding import unit_rows
from index.packing import (
    pack_spans,
    pack_text,
    pack_vectors,
    packed_size,
    unpack_spans,
    unpack_text,
    unpack_vectors,
)


@given(st.text())
def test_a_text_comes_back_as_it_was(raw: str) -> None:
    text = canonical_text(raw)
    assert unpack_text(pack_text(text)) == text


@given(st.lists(st.tuples(st.integers(0, 2**31), st.integers(1, 2**31))))
def test_spans_come_back_as_they_were(pairs: list[tuple[int, int]]) -> None:
    spans = [Span(start, start + length) for start, length in pairs]
    assert unpack_spans(pack_spans(spans)) == spans


@pytest.mark.parametrize("dimension", [32, 384])
def test_vectors_come_back_with_their_direction_and_length(dimension: int) -> None:
    vectors = unit_rows(np.random.default_rng(5).normal(size=(500, dimension)).astype(np.float32))
    packed = pack_vectors(vectors)
    assert {len(row) for row in packed} == {packed_size(dimension)}
    found = unpack_vectors(packed)
    assert found.dtype == np.float32
    assert (unit_rows(found) * vectors).sum(axis=1).min() > 0.9999
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 0.005


def test_packing_again_what_was_unpacked_changes_nothing() -> None:
    vectors = unit_rows(np.random.default_rng(6).normal(size=(50, 384)).astype(np.float32))
    packed = pack_vectors(vectors)
    assert pack_vectors(unpack_vectors(packed)) == packed


def test_no_vectors_and_a_vector_of_zeros_are_packed_too() -> None:
    assert unpack_vectors([]).shape == (0, 0)
    assert not unpack_vectors(pack_vectors(np.zeros((1, 8), dtype=np.float32))).any()


@pytest.mark.parametrize("packed", [b"", b"plain text", pack_text("a")[:-1], b"\0" * 40])
def test_other_bytes_are_no_text(packed: bytes) -> None:
    with pytest.raises(ValueError, match="no text"):
        unpack_text(packed)


@pytest.mark.parametrize("packed", [b"\0" * 8, b"\0" * 7])
def test_other_bytes_are_no_spans(packed: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # numpy's own words for the second
        unpack_spans(packed)


def test_vectors_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="several dimensions"):
        unpack_vectors([bytes(36), bytes(60)])
