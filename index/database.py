"""SQLite with a checksum on every page. The only file that knows apsw.

Python's own `sqlite3` serves a damaged page as it is; here each page is compared with its checksum when it is read
(docs/decisions/0009-damage.md). What SQLite reports is translated into the errors of this package.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import apsw
import apsw.sqlite_extra

from index.errors import IndexBusy, IndexDamaged, storage_error

_VFS = "cksmvfs"
_CHECKSUM_BYTES = 8
_PAGE_BYTES = 4096
_BUSY_MS = 5000
_SHORT_READ = apsw.SQLITE_IOERR_SHORT_READ
_CHECKSUM_DIFFERS = apsw.SQLITE_IOERR_DATA


class Database:
    """One connection. Any thread may use it, one at a time."""

    def __init__(self, connection: apsw.Connection, path: Path, *, is_alone: bool = False) -> None:
        self._connection = connection
        self.path = path
        self._is_alone = is_alone

    @classmethod
    def open_for_writing(cls, path: Path) -> Database:
        """Open a file, made when it is not there, with a write-ahead log and a sync at every commit."""
        _refuse_part_of_a_page(path)
        with _translated(path):
            flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
            database = cls(_connect(path.absolute().as_uri(), flags), path)
            if not path.stat().st_size:
                database._connection.reserve_bytes("main", _CHECKSUM_BYTES)
        database.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        return database

    @classmethod
    @contextmanager
    def appearing_whole(cls, path: Path) -> Iterator[Database]:
        """Yield a new database to fill; the file has its name only when the block has ended and all is on disk."""
        making = path.with_name(f".{path.name}-new")
        for left in path.parent.glob(f"{making.name}*"):
            left.unlink()
        database = cls.open_for_writing(making)
        try:
            yield database
        finally:
            database.close()
        if _has_log(making):  # it could not be merged into the file: a full disk
            raise storage_error(making, errno.ENOSPC)
        making.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @classmethod
    def open_for_reading(cls, path: Path) -> Database:
        """Open a file read-only; every statement sees the same state of it until `close`."""
        _refuse_part_of_a_page(path)
        uri = f"{path.absolute().as_uri()}?mode=ro"
        # no place for the files in which readers and writers meet; but the file is all there is, and stays as it is
        is_alone = not os.access(path.parent, os.W_OK) and not _has_log(path)
        with _translated(path):
            connection = _connect(uri + ("&immutable=1" if is_alone else ""), apsw.SQLITE_OPEN_READONLY)
            database = cls(connection, path, is_alone=is_alone)
        database.execute("BEGIN")
        database.execute("SELECT 1 FROM sqlite_schema").fetchone()  # the first read fixes what is seen
        return database

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        with _translated(self.path, self._connection):
            return Rows(self._connection.execute(sql, values), self.path)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        with _translated(self.path, self._connection):
            self._connection.executemany(sql, rows)

    @property
    def last_row_id(self) -> int:
        """The row id of the latest insertion."""
        return self._connection.last_insert_rowid()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: commits when the block ends, rolls back when it raises."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self.execute("ROLLBACK")
            raise

    def changes(self) -> int | None:
        """Return a number that is another one once another connection has committed; None when that is not seen."""
        return None if self._is_alone else int(self.execute("PRAGMA data_version").fetchone()[0])

    def has_checksums(self) -> bool:
        """Tell whether pages are checked; they are not in a file that something else made."""
        return self._connection.reserve_bytes("main") == _CHECKSUM_BYTES

    def close(self) -> None:
        """Give the file back; a log that cannot be merged into it stays beside it, and is read from there."""
        with suppress(apsw.FullError, apsw.IOError):
            self._connection.close()


class Rows:
    """What a statement returns, read as it is asked for."""

    def __init__(self, cursor: apsw.Cursor, path: Path) -> None:
        self._cursor = cursor
        self._path = path

    def __iter__(self) -> Iterator[Any]:
        with _translated(self._path, self._cursor.connection):
            yield from self._cursor

    def fetchone(self) -> Any:
        with _translated(self._path, self._cursor.connection):
            return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        with _translated(self._path, self._cursor.connection):
            return self._cursor.fetchall()


def damaged(path: Path, what: str) -> IndexDamaged:
    """Return the error that says a file of the truth is damaged, and the way out."""
    return IndexDamaged(
        f"{path} is damaged: {what}. Restore it from a backup, or delete it and run: pincite index FOLDER"
    )


def _has_log(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _refuse_part_of_a_page(path: Path) -> None:
    """Refuse a file that ends inside a page: SQLite reads the rest of it as zeros, and compares no checksum then.

    With a log beside it the page may be in there, whole: a checkpoint was stopped.
    """
    if path.exists() and path.stat().st_size % _PAGE_BYTES and not _has_log(path):
        raise damaged(path, "its end is missing")


def _connect(uri: str, flags: int) -> apsw.Connection:
    _load_checksums()
    connection = apsw.Connection(uri, flags=flags | apsw.SQLITE_OPEN_URI, vfs=_VFS)
    connection.set_busy_timeout(_BUSY_MS)
    return connection


@cache
def _load_checksums() -> None:
    """Load SQLite's own checksum extension; it stays loaded for the whole process."""
    apsw.sqlite_extra.load(apsw.Connection(":memory:"), "cksumvfs")


@contextmanager
def _translated(path: Path, connection: apsw.Connection | None = None) -> Iterator[None]:
    """Turn what SQLite reports into the errors of this package.

    Raises:
        IndexDamaged: the file does not hold what was written.
        IndexBusy: another process holds it longer than it should.
        StorageError: the operating system does not read or write it.
    """
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise damaged(path, str(error)) from error
    except apsw.SQLError as error:
        if "no such table" not in str(error):
            raise
        raise damaged(path, str(error)) from error
    except apsw.IOError as error:
        if getattr(error, "extendedresult", 0) in (_CHECKSUM_DIFFERS, _SHORT_READ):
            raise damaged(path, "a page of it is not what was written") from error
        raise storage_error(path, (connection and connection.system_errno) or errno.EIO) from error
    except UnicodeDecodeError as error:
        raise damaged(path, "it holds text that is no text") from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise IndexBusy(f"Another process is writing {path}. Try again when it has finished.") from error
    except apsw.FullError as error:
        raise storage_error(path, errno.ENOSPC) from error
    except (apsw.ReadOnlyError, apsw.PermissionsError, apsw.CantOpenError) as error:
        raise storage_error(path, errno.EROFS) from error
