"""Files that a person drops on the page: which are taken, and where they are put. Never outside the corpus folder."""

from __future__ import annotations

import os
import tempfile
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path

from index.loading import MAX_FILE_MB, readable_names, readable_suffixes

MAX_UPLOAD_BYTES = MAX_FILE_MB * 1_000_000
NAME_BYTES = 200
_FORBIDDEN = frozenset('/\\:*?"<>|')  # a path, or a name that some system cannot hold


class UploadRefused(ValueError):
    """A dropped file is not taken; the message is the reason, ``status`` its HTTP status."""

    def __init__(self, reason: str, status: int = 422) -> None:
        super().__init__(reason)
        self.status = status


def checked_name(name: str) -> str:
    """Return a file name that may stand in the corpus folder.

    Raises:
        UploadRefused: it is a path, hidden, too long, holds characters that are not seen, or has a suffix without a
            reader.
    """
    unseen = any(unicodedata.category(char)[0] == "C" for char in name)
    if not name.strip(" .") or name.startswith(".") or unseen or _FORBIDDEN & set(name):
        raise UploadRefused("The file's name cannot be used: it must be a plain name, without / \\ : or hidden signs.")
    if len(name.encode()) > NAME_BYTES:
        raise UploadRefused(f"The file's name is too long; at most {NAME_BYTES} bytes.")
    if not name.lower().endswith(tuple(readable_suffixes())):
        raise UploadRefused(f"No reader for such a file. Formats read: {readable_names()}.", 415)
    return name


async def save_upload(folder: Path, name: str, parts: AsyncIterator[bytes]) -> Path:
    """Write a file into the corpus folder, whole or not at all, and return where it stands.

    A file that is there already is never replaced; its own content again is no error.

    Raises:
        UploadRefused: the name, the size, or another file of that name.
        OSError: the system cannot write it.
    """
    target = folder / checked_name(name)
    handle, unfinished = tempfile.mkstemp(dir=folder, prefix=".upload-", suffix=".part")  # hidden from every scan
    try:
        with os.fdopen(handle, "wb") as file:
            size = 0
            async for part in parts:
                size += len(part)
                if size > MAX_UPLOAD_BYTES:
                    raise UploadRefused(f"The file is over the limit of {MAX_FILE_MB} MB.", 413)
                file.write(part)
        if not size:
            raise UploadRefused("The file is empty.")
        os.chmod(unfinished, 0o644)
        _put(Path(unfinished), target)
    finally:
        os.unlink(unfinished)
    return target


def _put(unfinished: Path, target: Path) -> None:
    try:
        os.link(unfinished, target)  # fails when the name is taken, also by a link that points elsewhere
    except FileExistsError:
        if target.is_symlink() or not target.is_file() or target.read_bytes() != unfinished.read_bytes():
            raise UploadRefused("A file of that name is there already, with other content.", 409) from None
