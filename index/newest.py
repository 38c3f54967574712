"""Which generation of an index is the newest one, now?"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import NamedTuple

from index.errors import IndexingError
from index.store import FILE_NAME, Store


class Version(NamedTuple):
    """Names a generation: an index that was deleted and made again counts from 1 again, but in another file."""

    inode: int
    generation: int


def version_of(store: Store) -> Version:
    return Version(store.inode, store.generation)


class Newest:
    """Tells the newest version again and again: 20 µs when nothing was committed, where opening the file takes 500."""

    def __init__(self, index_dir: Path) -> None:
        self._path = index_dir / FILE_NAME
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._changes: int | None = None
        self._version = Version(0, 0)

    def version(self) -> Version:
        """Return the version of the index that is in the folder now.

        Raises:
            IndexNotFound: there is none.
            IndexDamaged: it is not a database of ours.
            IndexMismatch: it was written in another format.
        """
        with self._lock:
            if self._store is None or not self._is_unchanged(self._store):
                self._look()
            return self._version

    def _look(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
        store = Store.open_for_reading(self._path)
        self._version, self._changes = version_of(store), store.changes()
        store.stop_reading()
        self._store = store

    def _is_unchanged(self, store: Store) -> bool:
        try:
            is_same_file = os.stat(self._path).st_ino == store.inode
            return is_same_file and self._changes is not None and self._changes == store.changes()
        except (OSError, IndexingError):  # a new look says what is wrong
            return False
