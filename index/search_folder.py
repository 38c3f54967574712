"""`search/<generation>/`: the vector and lexical index of one generation, derived from the store, with checksums.

A folder appears under its final name only when it is complete and synced, and never changes afterwards.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.documents import Chunk, with_heading
from index.errors import IndexDamaged
from index.lexical import LexicalIndex, Words
from index.store import Store
from index.vectors import VectorIndex

_VECTORS = "vectors.faiss"
_LEXICAL = "lexical"
_MANIFEST = "manifest.json"
_CHUNKS_AT_A_TIME = 4096


@dataclass(frozen=True, slots=True)
class SearchFiles:
    """The two search structures of one generation, open for searching."""

    vectors: VectorIndex
    lexical: LexicalIndex


@dataclass(frozen=True, slots=True)
class Difference:
    """What one generation has that the one before it had not, and the reverse."""

    added: Sequence[Chunk]
    removed: Sequence[int]


def open_search_folder(index_dir: Path, generation: int) -> SearchFiles:
    """Return the search structures of a generation, every byte of them verified first.

    Raises:
        IndexDamaged: the folder is missing, incomplete, altered, or of another generation.
    """
    folder = _folder(index_dir, generation)
    verify_search_folder(index_dir, generation)
    return SearchFiles(VectorIndex.read(folder / _VECTORS), LexicalIndex(folder / _LEXICAL))


def verify_search_folder(index_dir: Path, generation: int) -> None:
    """Compare every file of a generation's folder with its manifest.

    Raises:
        IndexDamaged: naming the first file that is missing or altered.
    """
    folder = _folder(index_dir, generation)
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        if manifest["generation"] != generation:
            raise IndexDamaged(f"search/{generation}/ belongs to generation {manifest['generation']}")
        hashes = dict(manifest["files"])
    except FileNotFoundError:
        raise IndexDamaged(f"search/{generation}/ is missing") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IndexDamaged(f"search/{generation}/{_MANIFEST} is damaged") from error
    found = _hashes(folder)
    for name in sorted(hashes.keys() | found.keys()):
        if name not in found:
            raise IndexDamaged(f"search/{generation}/{name} is missing")
        if hashes.get(name) != found[name]:
            raise IndexDamaged(f"search/{generation}/{name} is damaged: its checksum differs")


def write_search_folder(store: Store, generation: int, *, dimension: int, since: Difference | None) -> None:
    """Write the folder of a generation whose rows the store holds (they may be uncommitted).

    Args:
        store: the truth.
        generation: the folder's number; a folder of that name is replaced.
        dimension: of the vectors.
        since: what changed since generation - 1, to start from its folder; None starts from nothing. A folder of
            generation - 1 that is damaged or missing makes no difference to the result.
    """
    index_dir = store.path.parent
    with _complete_or_absent(index_dir, generation) as folder:
        previous = _try_previous(index_dir, generation - 1) if since is not None else None
        if since is None or previous is None:
            since, previous = Difference(store.chunks(), ()), None
        vectors = previous or VectorIndex(dimension)
        lexical_folder = folder / _LEXICAL
        lexical_folder.mkdir()
        if previous is not None:
            _link_files(_folder(index_dir, generation - 1) / _LEXICAL, lexical_folder)
        vectors.remove(np.asarray(since.removed, dtype=np.int64))
        for start in range(0, len(since.added), _CHUNKS_AT_A_TIME):
            chunk_ids = [chunk.chunk_id for chunk in since.added[start : start + _CHUNKS_AT_A_TIME]]
            vectors.add(np.asarray(chunk_ids, dtype=np.int64), store.vectors_of(chunk_ids))
        vectors.write(folder / _VECTORS)
        LexicalIndex(lexical_folder).update(added=_words(store, since.added), removed=since.removed)
        manifest = {"generation": generation, "files": _hashes(folder)}
        (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1))


def remove_search_folders(index_dir: Path, *, keep: Iterable[int]) -> None:
    """Remove the folders of other generations and what killed builds left."""
    kept = {str(generation) for generation in keep}
    search = index_dir / "search"
    for folder in search.iterdir() if search.is_dir() else ():
        if folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def _folder(index_dir: Path, generation: int) -> Path:
    return index_dir / "search" / str(generation)


def _words(store: Store, chunks: Sequence[Chunk]) -> Iterator[Words]:
    for chunk, heading, text in store.texts(chunks):
        yield Words(chunk.chunk_id, with_heading(heading, text))


def _try_previous(index_dir: Path, generation: int) -> VectorIndex | None:
    try:
        verify_search_folder(index_dir, generation)
        return VectorIndex.read(_folder(index_dir, generation) / _VECTORS)
    except IndexDamaged:
        return None


def _link_files(source: Path, target: Path) -> None:
    """Give the files of a folder a second name: tantivy never changes a file, it writes another and renames it."""
    for file in source.iterdir():
        if file.name.endswith(".lock"):
            continue
        try:
            os.link(file, target / file.name)
        except OSError:
            shutil.copyfile(file, target / file.name)


def _hashes(folder: Path) -> dict[str, str]:
    hashes = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != _MANIFEST and not path.name.endswith(".lock"):
            with open(path, "rb") as file:
                hashes[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes


@contextmanager
def _complete_or_absent(index_dir: Path, generation: int) -> Iterator[Path]:
    """Yield an empty folder to fill; on success sync it and give it its final name, else remove it."""
    search = index_dir / "search"
    search.mkdir(exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{generation}-", dir=search))
    try:
        yield building
        for path in [*building.rglob("*"), building]:
            _sync(path)
        final = _folder(index_dir, generation)
        if final.exists():
            final.rename(search / f".replaced-{building.name}")
        building.rename(final)
        _sync(search)
    finally:
        shutil.rmtree(building, ignore_errors=True)
        shutil.rmtree(search / f".replaced-{building.name}", ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
