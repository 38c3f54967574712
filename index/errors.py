"""What can go wrong with an index; every message says what was seen and what to do next."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


@contextmanager
def system_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses while an index folder is written into a StorageError."""
    try:
        yield
    except IndexingError:
        raise
    except OSError as error:
        raise storage_error(Path(os.fsdecode(error.filename)) if error.filename else path, error.errno or 0) from error


def storage_error(path: Path, number: int) -> StorageError:
    """Return the sentence for an error number of the operating system, met while reading or writing a path."""
    kept = "The index is as it was before"
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        free = shutil.disk_usage(_existing(path)).free / 1_000_000
        return StorageError(f"Disk full: {path} cannot grow, its disk has {free:,.0f} MB left. {kept}; make room.")
    return StorageError(f"{path} cannot be read or written: {os.strerror(number)}. {kept}.")


def _existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.absolute().parents) if parent.exists())
