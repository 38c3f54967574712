"""A regular file -> its bytes, whole and unchanged while they were read."""

from __future__ import annotations

import os
import stat

from index.loading.loaded import Unreadable
from index.scanning import FileEntry

MAX_FILE_MB = 100


def read_bytes(entry: FileEntry, *, max_file_mb: int = MAX_FILE_MB) -> bytes:
    """Return a regular file's bytes.

    Raises:
        Unreadable: it is too large, vanished, stopped being a regular file, or the system refuses.
    """
    limit = max_file_mb * 1_000_000
    if entry.size > limit:
        raise Unreadable(f"{entry.size / 1e6:,.0f} MB is over the limit of {max_file_mb} MB")
    try:
        for _ in range(2):
            # O_NONBLOCK: a file that became a pipe since it was listed must not block for ever
            with open(os.open(entry.path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                before = os.fstat(file.fileno())
                if not stat.S_ISREG(before.st_mode):
                    raise Unreadable("not a regular file")
                data = file.read(limit + 1)
                after = os.fstat(file.fileno())
            if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns) and len(data) <= limit:
                return data
    except FileNotFoundError:
        raise Unreadable("gone") from None
    except OSError as error:
        raise Unreadable(error.strerror or "cannot be read") from error
    raise Unreadable("kept changing while it was read")
