"""An edited document -> the chunks it had, but for those that hold the edit. Pure.

Filling chunks one after another moves every boundary behind an edit, and each moved chunk is embedded again. Here the
boundaries of the earlier version stay, and an edit costs the chunks that hold it (docs/decisions/0007-update.md).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.chunking import ChunkingConfig, chunk_spans
from index.documents import Span

_MOST_STEPS = 2_000


@dataclass(frozen=True, slots=True)
class Earlier:
    """A document as it was: its text, and its chunks in order."""

    text: str
    chunks: Sequence[Span]


@dataclass(frozen=True, slots=True)
class Uncut:
    """A text that is to be cut.

    Attributes:
        segments: ordered, not overlapping.
        token_starts: (n_tokens,) offsets at which the encoder's tokens start, ascending.
        config: how it is cut when it has no earlier version.
        most_tokens: as many as the encoder takes of a chunk, at least ``config.chunk_tokens``.
    """

    text: str
    segments: Sequence[Span]
    token_starts: npt.NDArray[np.int64]
    config: ChunkingConfig
    most_tokens: int

    def chunks(self, part: Span | None = None) -> list[Span]:
        """Return the chunks of the text, or of a part of it, cut as if there were nothing else."""
        segments = self.segments if part is None else self.segments_in(part)
        return chunk_spans(segments, self.token_starts, self.config)

    def segments_in(self, part: Span) -> list[Span]:
        """Return the segments in a part; one that reaches over its ends is cut there."""
        first = bisect_right(self.segments, part.start, key=lambda segment: segment.end)
        last = bisect_left(self.segments, part.end, key=lambda segment: segment.start)
        return [Span(max(s.start, part.start), min(s.end, part.end)) for s in self.segments[first:last]]

    def tokens(self, part: Span) -> int:
        low, high = np.searchsorted(self.token_starts, (part.start, part.end))
        return int(high - low)


@dataclass(frozen=True, slots=True)
class Edit:
    """Where two texts differ: ``earlier[before]`` became ``text[after]``, all else is the same."""

    before: Span
    after: Span

    @property
    def growth(self) -> int:
        return len(self.after) - len(self.before)


def chunks_after_edit(earlier: Earlier, now: Uncut) -> list[Span]:
    """Return the chunks of an edited document, in order.

    They are those of a fresh cut when the ones that are new among them all hold the edit. Otherwise chunks stay that
    the edit does not touch, and those that hold it keep their ends. One that would have more than ``most_tokens`` is
    cut in two that both hold the edit, if that can be.
    """
    edit = find_edit(earlier.text, now)
    fresh, kept = now.chunks(), _chunks_with_old_ends(earlier, now, edit)
    if not _covers(kept, now.text):  # as when a chunk of the earlier version was left out
        return fresh
    known = {chunk.of(earlier.text) for chunk in earlier.chunks}
    moved, changed = ([chunk for chunk in cut if chunk.of(now.text) not in known] for cut in (fresh, kept))
    added = _trimmed(now.text, edit.after)
    hold_it = all(chunk.overlaps(added) if added else chunk.start <= added.start <= chunk.end for chunk in moved)
    return fresh if hold_it and len(moved) <= len(changed) else kept


def find_edit(earlier: str, now: Uncut) -> Edit:
    """Return where two texts differ.

    What is inserted or deleted may often begin at several places: ``The cat sat. The dog ran.`` without its first
    sentence lacks ``cat sat. The `` as well. Then it begins where a segment of the text does.
    """
    start = _in_common(earlier, now.text)
    end = min(_in_common(earlier[::-1], now.text[::-1]), len(earlier) - start, len(now.text) - start)
    edit = Edit(Span(start, len(earlier) - end), Span(start, len(now.text) - end))
    if edit.before and edit.after:
        return edit
    longer, part = (now.text, edit.after) if edit.after else (earlier, edit.before)
    left = _steps_to_segment(longer, part, now.segments)
    return Edit(*(Span(span.start - left, span.end - left) for span in (edit.before, edit.after)))


def _steps_to_segment(text: str, part: Span, segments: Sequence[Span]) -> int:
    """Return how far a part moves left, over characters that it repeats, until it begins where a segment does."""
    for left in range(min(part.start, _MOST_STEPS) + 1):
        at = bisect_left(segments, part.start - left, key=lambda segment: segment.start)
        if at < len(segments) and segments[at].start == part.start - left:
            return left
        if left == part.start or text[part.start - left - 1] != text[part.end - left - 1]:
            break
    return 0


def _in_common(left: str, right: str) -> int:
    """Return how many characters two texts have in common at their start."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _chunks_with_old_ends(earlier: Earlier, now: Uncut, edit: Edit) -> list[Span]:
    removed = _trimmed(earlier.text, edit.before)
    ahead = [chunk for chunk in earlier.chunks if chunk.end <= removed.start]
    touched = [chunk for chunk in earlier.chunks if chunk.end > removed.start and chunk.start < removed.end]
    behind = earlier.chunks[len(ahead) + len(touched) :]
    behind = [Span(chunk.start + edit.growth, chunk.end + edit.growth) for chunk in behind]
    free = Span(ahead[-1].end if ahead else 0, behind[0].start if behind else len(now.text))
    grown = [_with_edit(now.text, chunk, edit) for chunk in touched]
    if not touched:
        anew = _inserted(now, _trimmed(now.text, edit.after), ahead, behind)
    elif all(chunk.contains(removed) for chunk in touched):
        anew = [part for chunk in grown for part in _fitting(now, chunk, edit.after, free)]
    else:
        anew = now.chunks(Span(grown[0].start, grown[-1].end))
    return _without_contained([*ahead, *anew, *behind])


def _with_edit(text: str, chunk: Span, edit: Edit) -> Span:
    """Return where a chunk that the edit touches is afterwards, the edit included."""
    end = max(chunk.end, edit.before.end) + edit.growth
    return _trimmed(text, Span(min(chunk.start, edit.before.start), end))


def _inserted(now: Uncut, added: Span, ahead: Sequence[Span], behind: Sequence[Span]) -> list[Span]:
    """Return the chunks of what was inserted between two chunks: one of these with it, if it has room."""
    neighbours = [Span(chunk.start, added.end) for chunk in ahead[-1:]]
    neighbours += [Span(added.start, chunk.end) for chunk in behind[:1]]
    roomy = [chunk for chunk in neighbours if now.tokens(chunk) <= now.config.chunk_tokens]
    return roomy[:1] if added and roomy else now.chunks(added)


def _fitting(now: Uncut, chunk: Span, edited: Span, free: Span) -> list[Span]:
    """Return a chunk that holds the edit, or what becomes of it when it is too long.

    Args:
        free: from the end of the last chunk ahead to the start of the first one behind.
    """
    if now.tokens(chunk) <= now.most_tokens:
        return [chunk]
    core = _trimmed(now.text, Span(max(chunk.start, free.start), min(chunk.end, free.end)))
    holding = [segment for segment in now.segments_in(core) if segment.overlaps(edited)]
    halves = [Span(core.start, holding[-1].end), Span(holding[0].start, core.end)] if holding else [core]
    for parts in ([core], halves):
        if all(now.tokens(part) <= now.most_tokens for part in parts):
            return parts
    return now.chunks(core)


def _without_contained(chunks: Sequence[Span]) -> list[Span]:
    """Return chunks in order, without those all of whose text a neighbour holds."""
    kept: list[Span] = []
    for chunk in sorted(chunks, key=lambda span: (span.start, -span.end)):
        if chunk and (not kept or chunk.end > kept[-1].end):
            kept.append(chunk)
    return kept


def _covers(chunks: Sequence[Span], text: str) -> bool:
    reached = 0
    for chunk in chunks:
        if text[reached : chunk.start].strip():
            return False
        reached = chunk.end
    return not text[reached:].strip()


def _trimmed(text: str, part: Span) -> Span:
    words = part.of(text)
    kept = words.strip()
    start = part.start + len(words) - len(words.lstrip()) if kept else part.start
    return Span(start, start + len(kept))
