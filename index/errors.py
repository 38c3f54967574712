"""What can go wrong with an index; every message says what was seen and what to do next."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_KEPT = "The index is as it was before"


class IndexingError(Exception):
    """Base of all errors of this package."""


class IndexNotFound(IndexingError, FileNotFoundError):
    """There is no index where one was expected."""


class IndexEmpty(IndexNotFound):
    """There is an index, and nothing has been built in it yet."""


class IndexDamaged(IndexingError):
    """A file of the index does not hold what was written, and cannot be rebuilt from another."""


class IndexMismatch(IndexingError, ValueError):
    """The index was made by another model, chunking or format than the one asked for."""


class IndexBusy(IndexingError):
    """Another process is building this index."""


class CorpusError(IndexingError, ValueError):
    """The documents cannot be indexed as asked: no folder, nothing readable, or suddenly far fewer than before."""


class ModelError(IndexingError, RuntimeError):
    """A model cannot be loaded, or an encoder gives something other than unit vectors of its dimension."""


class DocumentNotFound(IndexingError, LookupError):
    """The index holds no document of that id."""


class StorageError(IndexingError, OSError):
    """The operating system does not read or write the index: no room, read-only, a failing disk."""


class DiskFull(StorageError):
    """The disk of the index has no room left, or ``path`` may not grow."""

    path: Path


@contextmanager
def system_errors(path: Path, *, needed: Callable[[], int] | None = None) -> Iterator[None]:
    """Turn what the operating system refuses while an index folder is written into a StorageError.

    ``needed`` is asked when the disk is full: by about how many bytes the index would still grow.
    """
    try:
        yield
    except OSError as error:
        refused = error
        if not isinstance(error, IndexingError):
            refused = storage_error(Path(os.fsdecode(error.filename)) if error.filename else path, error.errno or 0)
        if isinstance(refused, DiskFull) and needed:
            refused = _disk_full(refused.path, needed())
        if refused is error:
            raise
        raise refused from error


def storage_error(path: Path, number: int) -> StorageError:
    """Return the sentence for an error number of the operating system, met while reading or writing a path."""
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _disk_full(path)
    return StorageError(f"{path} cannot be read or written: {os.strerror(number)}. {_KEPT}.")


def _disk_full(path: Path, needed: int = 0) -> DiskFull:
    """Return the sentence that names what the index would still take, in bytes, if that is known, and what is left."""
    free = f"its disk has {shutil.disk_usage(_existing(path)).free / 1_000_000:,.0f} MB left"
    wanted = f"up to {max(1, needed / 1_000_000):,.0f} MB are needed and " if needed else ""
    error = DiskFull(f"Disk full: {path} cannot grow, {wanted}{free}. {_KEPT}; make room.")
    error.path = path
    return error


def _existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.absolute().parents) if parent.exists())
