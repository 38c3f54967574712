"""Nearest chunks by inner product, in a folder of immutable segments. The only file that knows FAISS.

A segment holds vectors packed as the store's are. A small one is searched exactly. A larger one also holds 4-bit codes
of its vectors: all codes are scanned, and the best are scored again, exactly, from the vectors
(docs/decisions/0008-scale.md). What is returned are exact inner products either way.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from index.errors import IndexDamaged
from index.packing import pack_rows, packed_size, unpack_rows
from index.threads import threads

Floats = npt.NDArray[np.float32]
Packed = npt.NDArray[np.uint8]
Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_SEGMENTS = "segments.json"
_REMOVED = "removed.ids"
_BLOCK = 4096
_ROTATION_SEED = 20240501
# the four levels that round a normal variable with least squared error (Max 1960, "Quantizing for minimum distortion")
_LEVELS = np.asarray([-1.510, -0.4528, 0.4528, 1.510], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class VectorConfig:
    """When search stops being exact, and how hard it then tries; measured in docs/decisions/0008-scale.md.

    Attributes:
        exact_rows: a segment with fewer rows is searched exactly, and written anew together with what is added.
        large_rows: segments with fewer rows are joined until they have so many; a larger one stays as it is.
        rescored: how many rows, of all segments together, are scored exactly after the codes were scanned.
        most_removed: share of removed rows above which a segment is written anew, in 0..1.
    """

    exact_rows: int = 16_384
    large_rows: int = 65_536
    rescored: int = 2_500
    most_removed: float = 0.25


class VectorIndex:
    """Unit vectors by chunk id. Files in the folder are never changed, only written and unlinked.

    Any number of threads may search; an index that is being updated is used by one thread.
    """

    def __init__(self, folder: Path, config: VectorConfig | None = None) -> None:
        """Open a folder whose checksums the caller has verified.

        Raises:
            IndexDamaged: the folder holds something else.
        """
        self._folder = folder
        self._config = config or VectorConfig()
        try:
            described = json.loads((folder / _SEGMENTS).read_bytes())
            self.dimension = int(described["dimension"])
            names = [int(name) for name in described["segments"]]
            removed = np.fromfile(folder / _REMOVED, dtype="<i8") if (folder / _REMOVED).exists() else _no_ids()
            segments = [_Segment.read(folder, name, self.dimension) for name in names]
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise IndexDamaged(f"{folder.name}/ is not a vector index") from error
        self._take(segments, removed)

    @classmethod
    def create(cls, folder: Path, dimension: int, config: VectorConfig | None = None) -> VectorIndex:
        """Start an index in a folder that is there and empty."""
        _write_description(folder, dimension, [])
        return cls(folder, config)

    def _take(self, segments: Sequence[_Segment], removed: Ids) -> None:
        self._segments = list(segments)
        self._row_ids, self._starts = _laid_out(segments)
        self._live = ~_are_in(self._row_ids, removed)
        self._removed = np.sort(self._row_ids[~self._live])
        rows = np.flatnonzero(self._live)
        self._rows = rows[np.argsort(self._row_ids[rows], kind="stable")]
        self.ids: Ids = self._row_ids[self._rows]
        """All chunk ids, (n,) int64, ascending."""

    def __len__(self) -> int:
        return len(self.ids)

    # searching

    def search(self, query: Floats, *, k: int, allowed: Ids | None = None) -> tuple[Ids, Floats]:
        """Return the best ids and their inner products, best first; equal scores in order of id.

        Above ``exact_rows`` vectors some of the best may be missing: at most one in a hundred of the best 50, measured
        on random vectors, the hardest there are.

        Args:
            query: (dimension,) float32, unit length.
            k: at most so many, at least 1.
            allowed: search only these ids; None searches all.
        """
        query = np.ascontiguousarray(query, dtype=np.float32).reshape(1, -1)
        wanted, count = self._live, len(self)
        if allowed is not None:
            rows = self._held_rows(allowed)
            wanted, count = np.zeros(len(self._row_ids), dtype=np.bool_), len(rows)
            wanted[rows] = True
        k = min(k, count)
        if k < 1:
            return _no_ids(), np.empty(0, dtype=np.float32)
        if count <= self._config.rescored:
            rows, scores = self._score(query, np.flatnonzero(wanted), k)
        else:
            rows, scores = self._scan(query, max(k, self._config.rescored), wanted, k)
        ids = self._row_ids[rows]
        order = np.lexsort((ids, -scores))[:k]
        return ids[order], scores[order]

    def _scan(self, query: Floats, rescored: int, wanted: Mask, k: int) -> tuple[Ids, Floats]:
        """Return the best rows and their inner products: k of the exact segments, k of the others."""

        def scan(at: int) -> tuple[Ids, Floats]:
            start, end = self._starts[at], self._starts[at + 1]
            segment = self._segments[at]
            rows, scores = segment.scan(query, k if segment.is_exact else rescored, wanted[start:end])
            return rows + start, scores

        places = range(len(self._segments))
        found = list(map(scan, places) if len(places) == 1 else threads("vectors").map(scan, places))
        exact = [part for part, segment in zip(found, self._segments, strict=True) if segment.is_exact]
        coded = [part for part, segment in zip(found, self._segments, strict=True) if not segment.is_exact]
        if coded:
            rows, guesses = (np.concatenate(column) for column in zip(*coded, strict=True))
            exact.append(self._score(query, rows[_best(guesses, rescored)], k))
        rows, scores = (np.concatenate(column) for column in zip(*exact, strict=True))
        return rows, scores

    def _score(self, query: Floats, rows: Ids, k: int) -> tuple[Ids, Floats]:
        """Return the k best of some rows, and their inner products."""
        rows = rows[np.argsort(self._row_ids[rows])]  # of equal scores FAISS keeps those it sees first
        held = unpack_rows(_gathered(self._segments, self._starts, rows))
        with _on_this_thread():
            scores, positions = faiss.knn(query, held, min(k, len(rows)), metric=faiss.METRIC_INNER_PRODUCT)
        return rows[positions[0]], scores[0]

    def vectors_of(self, ids: Ids) -> Floats:
        """Return the (n, dimension) vectors of ids that are all held."""
        return unpack_rows(_gathered(self._segments, self._starts, self._rows[np.searchsorted(self.ids, ids)]))

    def _held_rows(self, ids: Ids) -> Ids:
        """Return the rows of those ids that are held."""
        return self._rows[_are_in(self.ids, ids)]

    # updating

    def update(self, *, added: Iterable[tuple[Ids, Floats]], removed: Ids) -> None:
        """Remove ids, passing over those not held, then add blocks of (n,) new ids with (n, dimension) unit vectors.

        Costs what is added, and now and then the merging of some segments, never the size of the index. Raises OSError
        when the disk is full.
        """
        segments = list(self._segments)
        gone = np.union1d(self._removed, removed[_are_in(removed, self.ids)])
        for ids, packed in _batches(added, self._config.large_rows):
            segments.append(self._write(_next_name(segments), ids, packed))
        while (places := segments_to_join([_sizes(segment, gone) for segment in segments], self._config)) is not None:
            taken = [segments.pop(at) for at in reversed(places)][::-1]
            name = _next_name([*segments, *taken])
            segments += [self._write(name, *rows) for rows in [_joined(taken, gone)] if len(rows[0])]
            for segment in taken:
                segment.unlink(self._folder)
        self._take(segments, gone)
        (self._folder / _REMOVED).unlink(missing_ok=True)
        if len(self._removed):
            _write_new(self._folder / _REMOVED, self._removed.astype("<i8").tobytes())
        _write_description(self._folder, self.dimension, [segment.name for segment in segments])

    def _write(self, name: int, ids: Ids, packed: Packed) -> _Segment:
        with_codes = len(ids) >= self._config.exact_rows
        return _Segment.write(self._folder, name, ids, packed, self.dimension, with_codes=with_codes)


@dataclass(frozen=True, slots=True)
class _Segment:
    """Rows that were written together: three files, or two when they are searched exactly.

    Attributes:
        ids: (n,) int64, ascending.
        packed: (n, `packed_size`) uint8, mapped from the file.
        scanned: a FAISS index of the n rows: codes mapped from the file, or the vectors themselves, held in memory.
    """

    name: int
    ids: Ids
    packed: Packed
    scanned: faiss.Index
    is_exact: bool

    @classmethod
    def read(cls, folder: Path, name: int, dimension: int) -> _Segment:
        ids = np.fromfile(folder / f"{name}.ids", dtype="<i8")
        mapped = np.memmap(folder / f"{name}.vectors", dtype=np.uint8, mode="r")
        packed = np.asarray(mapped).reshape(len(ids), packed_size(dimension))  # a plain array: indexing it is cheaper
        codes = folder / f"{name}.codes"
        if not codes.exists():
            return cls(name, ids, packed, _exact(unpack_rows(packed)), is_exact=True)
        coded = faiss.read_index(str(codes), faiss.IO_FLAG_MMAP_IFC)
        if not isinstance(coded, faiss.IndexPreTransform) or (coded.ntotal, coded.d) != (len(ids), dimension):
            raise ValueError(f"{codes.name} belongs to other vectors")
        return cls(name, ids, packed, coded, is_exact=False)

    @classmethod
    def write(cls, folder: Path, name: int, ids: Ids, packed: Packed, dimension: int, *, with_codes: bool) -> _Segment:
        _write_new(folder / f"{name}.ids", ids.astype("<i8").tobytes())
        _write_new(folder / f"{name}.vectors", packed.data)
        if with_codes:
            _write_codes(folder / f"{name}.codes", packed, dimension)
        return cls.read(folder, name, dimension)

    def unlink(self, folder: Path) -> None:
        for suffix in ("ids", "vectors", "codes"):
            (folder / f"{self.name}.{suffix}").unlink(missing_ok=True)

    def scan(self, query: Floats, count: int, wanted: Mask) -> tuple[Ids, Floats]:
        """Return the positions of up to ``count`` wanted rows that seem best, and their scores."""
        if not wanted.any():
            return _no_ids(), np.empty(0, dtype=np.float32)
        bitmap = np.packbits(wanted, bitorder="little")
        chosen = None if wanted.all() else faiss.IDSelectorBitmap(bitmap)  # type: ignore[call-arg, arg-type]
        return _search(self.scanned, query, min(count, len(wanted)), chosen)


def _search(
    index: faiss.Index, query: Floats, count: int, chosen: faiss.IDSelector | None = None
) -> tuple[Ids, Floats]:
    parameters: faiss.SearchParameters | None = None
    if chosen is not None and isinstance(index, faiss.IndexPreTransform):
        inner = faiss.SearchParametersIVF(sel=chosen)  # type: ignore[call-arg]  # its stubs lack the arguments
        parameters = faiss.SearchParametersPreTransform(index_params=inner)  # type: ignore[call-arg]
    elif chosen is not None:
        parameters = faiss.SearchParameters(sel=chosen)  # type: ignore[call-arg]
    with _on_this_thread():
        scores, positions = index.search(query, count, params=parameters)
    found = positions[0] >= 0  # -1 stands for "nothing"
    return positions[0][found], scores[0][found]


def _best(scores: Floats, count: int) -> Ids:
    """Return the places of the ``count`` highest scores, in no order."""
    return np.argpartition(-scores, count - 1)[:count] if len(scores) > count else np.arange(len(scores))


def _exact(vectors: Floats) -> faiss.IndexFlatIP:
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index


def _write_codes(path: Path, packed: Packed, given: int) -> None:
    """Write the codes of vectors: turned by a fixed random rotation, then each number rounded to one of four levels.

    After a random rotation the numbers of any unit vector are about normal with variance 1/dimension, so nothing is
    trained: the levels are the same for every corpus, and the same vector gets the same code for ever.
    """
    width = given + given % 2
    rotation = faiss.RandomRotationMatrix(given, width)
    rotation.init(_ROTATION_SEED)
    only_list = faiss.IndexFlatIP(width)
    only_list.add(np.zeros((1, width), dtype=np.float32))
    codes = faiss.IndexIVFPQFastScan(only_list, width, 1, width // 2, 4, faiss.METRIC_INNER_PRODUCT)
    codes.by_residual = False
    pairs = np.stack(np.meshgrid(_LEVELS, _LEVELS, indexing="ij"), axis=-1).reshape(16, 2) / np.sqrt(width)
    faiss.copy_array_to_vector(np.tile(pairs, (width // 2, 1)).astype(np.float32).ravel(), codes.pq.centroids)
    codes.is_trained = rotation.is_trained = True
    index = faiss.IndexPreTransform(rotation, codes)
    for start in range(0, len(packed), _BLOCK):
        index.add(unpack_rows(packed[start : start + _BLOCK]))
    # write_index(path) reports success on a truncated file when the disk fills, a Python writer does not
    with open(path, "xb") as file:
        writer = faiss.PyCallbackIOWriter(file.write)  # type: ignore[attr-defined]  # missing in its stubs
        faiss.write_index(index, writer)
        del writer  # flushes its own buffer


def _sizes(segment: _Segment, gone: Ids) -> tuple[int, int]:
    """Return how many rows of a segment are left and how many it has."""
    return int((~_are_in(segment.ids, gone)).sum()), len(segment.ids)


def segments_to_join(sizes: Sequence[tuple[int, int]], config: VectorConfig) -> list[int] | None:
    """Return the places of segments to make one of, oldest first, or None when all is well.

    Args:
        sizes: of each segment, rows left and rows in all.
    """
    stale = [at for at, (left, rows) in enumerate(sizes) if left < rows * (1 - config.most_removed)]
    if stale:
        return stale[:1]
    small = [at for at, (left, _) in enumerate(sizes) if left < config.exact_rows]
    if len(small) > 1:
        return small
    medium = [at for at, (left, _) in enumerate(sizes) if config.exact_rows <= left < config.large_rows]
    for count in range(2, len(medium) + 1):
        if sum(sizes[at][0] for at in medium[:count]) >= config.large_rows:
            return medium[:count]
    return None


def _joined(segments: Sequence[_Segment], gone: Ids) -> tuple[Ids, Packed]:
    """Return the rows of segments that are left, in order of id."""
    ids, starts = _laid_out(segments)
    rows = np.flatnonzero(~_are_in(ids, gone))
    rows = rows[np.argsort(ids[rows], kind="stable")]
    return ids[rows], _gathered(segments, starts, rows)


def _laid_out(segments: Sequence[_Segment]) -> tuple[Ids, Ids]:
    """Return the ids of all rows of some segments, and the row at which each segment starts, and the end."""
    ids = np.concatenate([_no_ids(), *(segment.ids for segment in segments)])
    return ids, np.cumsum([0, *(len(segment.ids) for segment in segments)])


def _gathered(segments: Sequence[_Segment], starts: Ids, rows: Ids) -> Packed:
    """Return the packed vectors of rows, given where each segment starts."""
    packed = np.empty((len(rows), segments[0].packed.shape[1] if segments else packed_size(0)), dtype=np.uint8)
    owners = np.searchsorted(starts, rows, side="right") - 1
    for at in np.unique(owners):
        mine = owners == at
        packed[mine] = segments[at].packed[rows[mine] - starts[at]]
    return packed


def _batches(blocks: Iterable[tuple[Ids, Floats]], most_rows: int) -> Iterator[tuple[Ids, Packed]]:
    """Yield rows in order of id within batches, packed, so many at a time."""
    held_ids, held = [], []
    for ids, vectors in blocks:
        held_ids.append(np.asarray(ids, dtype=np.int64))
        held.append(pack_rows(np.asarray(vectors)))
        if sum(map(len, held_ids)) >= most_rows:
            yield _in_order(held_ids, held)
            held_ids, held = [], []
    if any(map(len, held_ids)):
        yield _in_order(held_ids, held)


def _in_order(parts_of_ids: Sequence[Ids], parts: Sequence[Packed]) -> tuple[Ids, Packed]:
    ids = np.concatenate(parts_of_ids)
    order = np.argsort(ids, kind="stable")
    return ids[order], np.concatenate(parts)[order]


def _next_name(segments: Sequence[_Segment]) -> int:
    return max((segment.name for segment in segments), default=0) + 1


def _write_description(folder: Path, dimension: int, names: Sequence[int]) -> None:
    (folder / _SEGMENTS).unlink(missing_ok=True)  # another generation may share the file
    _write_new(folder / _SEGMENTS, json.dumps({"dimension": dimension, "segments": list(names)}).encode())


def _write_new(path: Path, data: bytes | memoryview) -> None:
    with open(path, "xb") as file:
        file.write(data)


def _are_in(ids: Ids, chosen: Ids) -> Mask:
    """Tell of each id whether it is one of some; numpy's own way takes half a second for a million."""
    if not len(chosen):
        return np.zeros(len(ids), dtype=np.bool_)
    chosen = np.sort(chosen, kind="stable")
    matches: Mask = chosen[np.minimum(np.searchsorted(chosen, ids), len(chosen) - 1)] == ids
    return matches


def _no_ids() -> Ids:
    return np.empty(0, dtype=np.int64)


@contextmanager
def _on_this_thread() -> Iterator[None]:
    """FAISS spreads many questions over the cores, not one; its other threads would wait for work at full speed."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


# the threads of OpenMP are lost in a forked process, which crashes if it counts on them
os.register_at_fork(after_in_child=lambda: faiss.omp_set_num_threads(1))
