"""A document's segments -> chunks that fit the encoder, with exact offsets. Pure: the tokens are given."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.documents import Span

CHUNKING_VERSION = 1


@dataclass(frozen=True, slots=True)
class ChunkingConfig:
    """How documents are cut; part of the index's fingerprint. Figures: docs/decisions/0003-fusion.md.

    Attributes:
        chunk_tokens: most tokens of a chunk, counted by the encoder's tokenizer.
        overlap_tokens: at most as many tokens are repeated at the start of the next chunk.
    """

    chunk_tokens: int = 200
    overlap_tokens: int = 40

    def __post_init__(self) -> None:
        if not 0 <= self.overlap_tokens < self.chunk_tokens:
            raise ValueError("overlap_tokens must be at least 0 and below chunk_tokens")


def chunk_spans(segments: Sequence[Span], token_starts: npt.NDArray[np.int64], config: ChunkingConfig) -> list[Span]:
    """Return the chunks of a document as spans of whole segments, in order.

    Args:
        segments: ordered, not overlapping.
        token_starts: (n_tokens,) offsets at which the encoder's tokens start, ascending.
        config: budget and overlap in tokens.

    Returns:
        Spans of at most ``chunk_tokens`` tokens, each starting and ending with a segment; a segment over the budget
        is cut at token starts first. Neighbours share whole segments of at most ``overlap_tokens`` tokens.
        Together they cover every segment.
    """
    units = [unit for segment in segments for unit in _within_budget(segment, token_starts, config.chunk_tokens)]
    sizes = [_count(unit, token_starts) for unit in units]
    chunks: list[Span] = []
    first = 0
    while first < len(units):
        last, used = first, sizes[first]
        while last + 1 < len(units) and used + sizes[last + 1] <= config.chunk_tokens:
            last += 1
            used += sizes[last]
        chunks.append(Span(units[first].start, units[last].end))
        if last + 1 == len(units):
            break
        first = _step_back(sizes, first, last, config)
    return chunks


def _step_back(sizes: Sequence[int], first: int, last: int, config: ChunkingConfig) -> int:
    """Return the unit where the next chunk starts: after ``first``, at most the overlap before ``last + 1``."""
    start, repeated = last + 1, 0
    room = config.chunk_tokens - sizes[last + 1]
    while start - 1 > first and repeated + sizes[start - 1] <= min(config.overlap_tokens, room):
        start -= 1
        repeated += sizes[start]
    return start


def _count(span: Span, token_starts: npt.NDArray[np.int64]) -> int:
    low, high = np.searchsorted(token_starts, (span.start, span.end))
    return int(high - low)


def _within_budget(segment: Span, token_starts: npt.NDArray[np.int64], budget: int) -> list[Span]:
    low, high = (int(position) for position in np.searchsorted(token_starts, (segment.start, segment.end)))
    if high - low <= budget:
        return [segment]
    cuts = [segment.start, *(int(token_starts[at]) for at in range(low + budget, high, budget)), segment.end]
    return [Span(start, end) for start, end in itertools.pairwise(cuts) if start < end]
