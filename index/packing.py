"""How are a text, its spans and its vectors kept in a row? Pure; what other bytes are unpacked raises ValueError."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from index.documents import Span

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_STEPS = 127  # to either side of zero
_SCALE_BYTES = 4


def pack_text(text: str) -> bytes:
    """Return a text, deflated."""
    return zlib.compress(text.encode())


def unpack_text(packed: bytes) -> str:
    """Return what `pack_text` packed."""
    try:
        return zlib.decompress(packed).decode()
    except zlib.error as error:
        raise ValueError(f"no text: {error}") from error


def pack_spans(spans: Sequence[Span]) -> bytes:
    """Return spans as little-endian uint32 pairs."""
    import numpy as np

    return np.asarray([(span.start, span.end) for span in spans], dtype="<u4").tobytes()


def unpack_spans(packed: bytes) -> list[Span]:
    """Return what `pack_spans` packed."""
    import numpy as np

    pairs = np.frombuffer(packed, dtype="<u4").reshape(-1, 2)
    if (pairs[:, 0] >= pairs[:, 1]).any():  # as a page of zeros has it, whose checksum is zero too
        raise ValueError("a span without characters")
    return [Span(start, end) for start, end in pairs.tolist()]


def pack_vectors(vectors: npt.NDArray[np.float32]) -> list[bytes]:
    """Return each of (n, dimension) vectors, packed."""
    return [row.tobytes() for row in pack_rows(vectors)]


def unpack_vectors(packed: Sequence[bytes]) -> npt.NDArray[np.float32]:
    """Return the (n, dimension) float32 vectors that `pack_vectors` packed, all of one dimension."""
    import numpy as np

    if len(set(map(len, packed))) > 1:
        raise ValueError("vectors of several dimensions")
    rows = np.frombuffer(b"".join(packed), dtype=np.uint8)
    return unpack_rows(rows.reshape(len(packed), -1) if packed else rows.reshape(0, packed_size(0)))


def pack_rows(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return (n, dimension) vectors as rows of `packed_size` bytes: a scale, a float32, and one byte for each number.

    The cosine to the vector as it was is .9999 and more (docs/decisions/0017-index-size.md). What was unpacked is
    packed to the same bytes.
    """
    import numpy as np

    scales = (np.abs(vectors).max(axis=1, keepdims=True, initial=0) / _STEPS).astype("<f4")
    steps = np.rint(vectors / np.maximum(scales, np.finfo(np.float32).tiny)).astype(np.int8)
    return np.concatenate([scales.view(np.uint8), steps.view(np.uint8)], axis=1)


def unpack_rows(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the (n, dimension) float32 vectors that `pack_rows` packed."""
    import numpy as np

    scales = np.ascontiguousarray(rows[:, :_SCALE_BYTES]).view("<f4")
    vectors: npt.NDArray[np.float32] = rows[:, _SCALE_BYTES:].view(np.int8) * scales
    return vectors


def packed_size(dimension: int) -> int:
    """Return how many bytes a vector takes."""
    return _SCALE_BYTES + dimension
