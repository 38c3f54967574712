"""Zip archives of documents, and single texts packed with gzip."""

from __future__ import annotations

import posixpath
import time
import zlib
from collections.abc import Callable, Iterable

from index.documents import Document
from index.loading.container import Container
from index.loading.loaded import MAX_INSIDE_BYTES, Loaded, TooLargeInside, Unreadable, first_notes

_ARCHIVES = (".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar")


def read_zip(
    data: bytes,
    name: str,
    *,
    suffixes: Iterable[str],
    load_member: Callable[[bytes, str], Loaded],
    timeout_s: float,
) -> Loaded:
    """Return the documents of an archive's readable files, called ``archive.zip#member``.

    Archives inside are not opened. When reading takes longer than the time limit, the rest is left out.

    Raises:
        Unreadable: no zip file, more than the limit inside, or no document in it.
    """
    container = Container(data, kind="a zip file")
    readable = tuple(suffixes)
    members = [member for member in container.members() if not _is_clutter(member)]
    chosen = [member for member in members if member.lower().endswith(readable)]
    if sum(container.declared_bytes(member) for member in chosen) > MAX_INSIDE_BYTES:
        raise TooLargeInside
    documents: list[Document] = []
    notes = [f"{member}: {_why_unread(member)}" for member in members if not member.lower().endswith(readable)]
    deadline = time.monotonic() + timeout_s
    for member in chosen:
        if time.monotonic() > deadline:
            notes.insert(0, f"took too long; {member} and what follows is left out")
            break
        try:
            loaded = load_member(container.read(member), f"{name}#{member}")
        except TooLargeInside:
            raise
        except Unreadable as reason:
            notes.append(f"{member}: {reason}")
            continue
        documents += loaded.documents
        notes += [f"{member}: {note}" for note in loaded.notes]
    return Loaded(tuple(documents), first_notes(notes, "notes"))


def _is_clutter(member: str) -> bool:
    return member.startswith("__MACOSX/") or posixpath.basename(member).startswith(".")


def _why_unread(member: str) -> str:
    if member.lower().endswith(_ARCHIVES):
        return "an archive inside an archive is not opened"
    return f"no reader for {posixpath.splitext(member)[1] or 'files without a suffix'}"


def gunzip(data: bytes) -> bytes:
    """Return what a gzip file holds.

    Raises:
        Unreadable: it is none, is cut short, or holds more than the limit.
    """
    unpacked: list[bytes] = []
    left = MAX_INSIDE_BYTES
    while data:
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            unpacked.append(stream.decompress(data, left + 1))
        except zlib.error:
            raise Unreadable("not a gzip file, or damaged") from None
        left -= len(unpacked[-1])
        if left < 0:
            raise TooLargeInside
        if not stream.eof:
            raise Unreadable("not a gzip file, or damaged")
        data = stream.unused_data.lstrip(b"\x00")
    return b"".join(unpacked)
