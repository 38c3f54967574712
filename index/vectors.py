"""Nearest chunks by inner product, exact. The only file that knows FAISS."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from index.errors import IndexDamaged

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


class VectorIndex:
    """Unit vectors by chunk id, searched exactly.

    100,000 vectors of 384 numbers take 154 MB; docs/decisions/0001-storage.md says when that should change.
    """

    def __init__(self, dimension: int) -> None:
        self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        return int(self._index.d)

    @property
    def ids(self) -> Ids:
        """All chunk ids, (n,) int64, in no promised order."""
        return np.asarray(faiss.vector_to_array(self._index.id_map), dtype=np.int64)

    def add(self, ids: Ids, vectors: Floats) -> None:
        """Add (n, dimension) unit vectors under (n,) new ids."""
        if len(ids):
            self._index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), np.asarray(ids, dtype=np.int64))

    def remove(self, ids: Ids) -> None:
        """Remove ids; those not held are passed over."""
        if len(ids):
            self._index.remove_ids(faiss.IDSelectorBatch(np.asarray(ids, dtype=np.int64)))

    def search(self, query: Floats, *, k: int, allowed: Ids | None = None) -> tuple[Ids, Floats]:
        """Return the best ids and their inner products, best first; equal scores in order of id.

        Args:
            query: (dimension,) float32, unit length.
            k: at most so many, at least 1.
            allowed: search only these ids; None searches all.
        """
        k = min(k, len(self) if allowed is None else len(allowed))
        if k < 1:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        parameters = None
        if allowed is not None:
            selector = faiss.IDSelectorBatch(np.asarray(allowed, dtype=np.int64))
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]  # missing in its stubs
        scores, ids = self._index.search(query.reshape(1, -1), k, params=parameters)
        found = ids[0] >= 0
        ids, scores = ids[0][found], scores[0][found]
        order = np.lexsort((ids, -scores))
        return ids[order], scores[order]

    def vectors_of(self, ids: Ids) -> Floats:
        """Return the (n, dimension) vectors of ids that are all held."""
        return np.asarray(self._index.reconstruct_batch(np.asarray(ids, dtype=np.int64)), dtype=np.float32)

    def write(self, path: Path) -> None:
        """Write the index to a file; a full disk raises OSError."""
        # write_index(path) reports success on a truncated file when the disk fills, a Python writer does not
        with open(path, "wb") as file:
            writer = faiss.PyCallbackIOWriter(file.write)  # type: ignore[attr-defined]  # missing in its stubs
            faiss.write_index(self._index, writer)
            del writer  # flushes its own buffer

    @classmethod
    def read(cls, path: Path) -> VectorIndex:
        """Return the index written to a file whose checksum the caller has verified.

        Raises:
            IndexDamaged: the file holds something else.
        """
        try:
            held = faiss.read_index(str(path))
        except RuntimeError as error:
            raise IndexDamaged(f"{path.name} is not a vector index") from error
        if not isinstance(held, faiss.IndexIDMap2):
            raise IndexDamaged(f"{path.name} holds another kind of vector index")
        index = cls.__new__(cls)
        index._index = held
        return index
