"""`search/<generation>/`: the vector and lexical index of one generation, derived from the store, with checksums.

A folder appears under its final name only when it is complete and synced, and never changes afterwards.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.documents import Chunk, with_heading
from index.errors import IndexDamaged
from index.lexical import LexicalIndex, Words
from index.store import Store
from index.vectors import Floats, Ids, VectorIndex

_VECTORS = "vectors"
_LEXICAL = "lexical"
_MANIFEST = "manifest.json"
_CHUNKS_AT_A_TIME = 4096
_RACY_NS = 2_000_000_000
_HASHES_HELD = 10_000
_LARGE_BYTES = 1 << 20  # a smaller file is hashed sooner than a thread takes it up

_hashed: dict[tuple[int, int, int, int], str] = {}


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
    return SearchFiles(VectorIndex(folder / _VECTORS), LexicalIndex(folder / _LEXICAL))


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
    try:
        found = _hashes(folder)
    except FileNotFoundError as error:
        raise IndexDamaged(f"search/{generation}/ vanished while it was read") from error
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
        if since is not None and _link_generation(index_dir, generation - 1, folder):
            vectors = VectorIndex(folder / _VECTORS)
        else:
            since = None
            for name in (_VECTORS, _LEXICAL):
                (folder / name).mkdir()
            vectors = VectorIndex.create(folder / _VECTORS, dimension)
        removed = since.removed if since else ()
        vectors.update(added=_vectors(store, since), removed=np.asarray(removed, dtype=np.int64))
        LexicalIndex(folder / _LEXICAL).update(added=_words(store, since), removed=removed)
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


def _added(store: Store, since: Difference | None) -> Iterator[Sequence[Chunk]]:
    """Yield the chunks to add, some at a time: those of a difference, or all that the store holds."""
    if since is None:
        yield from store.chunk_batches(_CHUNKS_AT_A_TIME)
        return
    for start in range(0, len(since.added), _CHUNKS_AT_A_TIME):
        yield since.added[start : start + _CHUNKS_AT_A_TIME]


def _vectors(store: Store, since: Difference | None) -> Iterator[tuple[Ids, Floats]]:
    for chunks in _added(store, since):
        chunk_ids = [chunk.chunk_id for chunk in chunks]
        yield np.asarray(chunk_ids, dtype=np.int64), store.vectors_of(chunk_ids)


def _words(store: Store, since: Difference | None) -> Iterator[Words]:
    for chunks in _added(store, since):
        for chunk, heading, text in store.texts(chunks):
            yield Words(chunk.chunk_id, with_heading(heading, text))


def _link_generation(index_dir: Path, generation: int, target: Path) -> bool:
    """Give the files of a generation a second name, if all are sound: no file is ever changed, only replaced."""
    source = _folder(index_dir, generation)
    try:
        verify_search_folder(index_dir, generation)
    except IndexDamaged:
        return False
    for name in (_VECTORS, _LEXICAL):
        (target / name).mkdir()
        for file in (source / name).iterdir():
            if not file.name.endswith(".lock"):
                _link(file, target / name / file.name)
    return True


def _link(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError:  # a file system without such names
        shutil.copyfile(file, target)


def _hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a folder, by name; large ones are read beside the rest."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(".lock")]
    names = [path.relative_to(folder).as_posix() for path in paths]
    with ThreadPoolExecutor() as threads:  # none is started before a file is handed in
        large = {path: threads.submit(_sha256, path) for path in paths if path.stat().st_size >= _LARGE_BYTES}
        digests = [large[path].result() if path in large else _sha256(path) for path in paths]
    hashes = dict(zip(names, digests, strict=True))
    hashes.pop(_MANIFEST, None)
    return hashes


def _sha256(path: Path) -> str:
    """Return the hash of a file; one that this process has read is not read again while its stamp stays the same.

    Most files of a generation are those of the one before under another name. A file that was changed just now may
    change again without showing it, so it is read again.
    """
    found = path.stat()
    stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    if stamp not in _hashed:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if found.st_mtime_ns > time.time_ns() - _RACY_NS:
            return digest
        if len(_hashed) >= _HASHES_HELD:
            _hashed.clear()
        _hashed[stamp] = digest
    return _hashed[stamp]


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
