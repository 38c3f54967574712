"""Segments become chunks that fit, with exact offsets."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.chunking import ChunkingConfig, chunk_spans
from index.documents import Span


def spans_of(lengths: list[int]) -> list[Span]:
    """Segments of so many one-character tokens each, one space between."""
    spans, at = [], 0
    for length in lengths:
        spans.append(Span(at, at + length))
        at += length + 1
    return spans


def starts_of(spans: list[Span]) -> np.ndarray:
    return np.asarray([at for span in spans for at in range(span.start, span.end)], dtype=np.int64)


def test_segments_fill_a_chunk_up_to_the_budget() -> None:
    segments = spans_of([4, 4, 4])
    assert chunk_spans(segments, starts_of(segments), ChunkingConfig(8, 0)) == [Span(0, 9), Span(10, 14)]


def test_neighbours_share_whole_segments_up_to_the_overlap() -> None:
    segments = spans_of([4, 2, 4, 4])
    # budget 8: [4 2] then back by the 2: [2 4] then back by nothing, 4 is more than 3: [4]
    assert chunk_spans(segments, starts_of(segments), ChunkingConfig(8, 3)) == [Span(0, 7), Span(5, 12), Span(13, 17)]


def test_a_segment_over_the_budget_is_cut_at_tokens() -> None:
    segments = spans_of([10])
    assert chunk_spans(segments, starts_of(segments), ChunkingConfig(4, 0)) == [Span(0, 4), Span(4, 8), Span(8, 10)]


def test_no_segments_give_no_chunks() -> None:
    assert chunk_spans([], np.empty(0, dtype=np.int64), ChunkingConfig()) == []


@given(
    lengths=st.lists(st.integers(1, 30), max_size=40),
    chunk_tokens=st.integers(1, 40),
    overlap=st.integers(0, 39),
)
def test_chunks_cover_every_segment_in_order_within_the_budget(
    lengths: list[int], chunk_tokens: int, overlap: int
) -> None:
    config = ChunkingConfig(chunk_tokens, min(overlap, chunk_tokens - 1))
    segments = spans_of(lengths)
    starts = starts_of(segments)
    chunks = chunk_spans(segments, starts, config)
    covered = {at for chunk in chunks for at in range(chunk.start, chunk.end)}
    assert covered.issuperset(starts.tolist())
    assert all(left.start < right.start and left.end < right.end for left, right in pairwise(chunks))
    for chunk in chunks:
        assert 0 < np.sum((starts >= chunk.start) & (starts < chunk.end)) <= chunk_tokens


@pytest.mark.parametrize(("chunk_tokens", "overlap"), [(10, 10), (10, -1), (0, 0)])
def test_an_overlap_that_never_advances_is_refused(chunk_tokens: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap_tokens"):
        ChunkingConfig(chunk_tokens, overlap)
