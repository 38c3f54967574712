"""Zip containers, read in memory and by exact name; what is unpacked is counted while it is unpacked."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from index.loading.loaded import MAX_INSIDE_BYTES, TooLargeInside, Unreadable

_PIECE = 1 << 16
_DIRECTORY_BYTES = 8_000_000  # of the list of members; each takes about ten times its entry once it is read
_END_OF_DIRECTORY = b"PK\x05\x06"
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")  # the container of Word 97, and of encrypted Office files
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_ENCRYPTED = 0x1


class Container:
    """The members of a zip file. All that is read from one counts towards one limit."""

    def __init__(self, data: bytes, *, kind: str) -> None:
        """Open a container.

        Args:
            data: the file.
            kind: what it should be, ``a Word file``, for the refusal.

        Raises:
            Unreadable: it is no zip file, an encrypted one, or lists too many members.
        """
        self.kind = kind
        self._left = MAX_INSIDE_BYTES
        if data.startswith(_OLE):
            raise Unreadable("password-protected" if _ENCRYPTED_PACKAGE in data else f"not {kind}")
        if _directory_bytes(data) > _DIRECTORY_BYTES:
            raise TooLargeInside
        with self._zip_errors(f"not {kind}"):
            self._zip = zipfile.ZipFile(io.BytesIO(data))

    def members(self) -> list[str]:
        """Return the names of all files inside, in their order."""
        return [info.filename for info in self._zip.infolist() if not info.is_dir()]

    def declared_bytes(self, name: str) -> int:
        """Return how large a member says it is."""
        return self._zip.getinfo(name).file_size

    def __contains__(self, name: str) -> bool:
        return name in self._zip.NameToInfo

    def read(self, name: str) -> bytes:
        """Return a member whole; see `pieces`."""
        return b"".join(self.pieces(name))

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield a member's bytes.

        Raises:
            Unreadable: there is no such member, it is encrypted or damaged, or the container holds too much.
        """
        with self._zip_errors("damaged"):
            info = self._zip.getinfo(name)
            if info.flag_bits & _ENCRYPTED:
                raise Unreadable("password-protected")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Unreadable("packed in a way that is not read")
            if info.file_size > self._left:
                raise TooLargeInside
            with self._zip.open(info) as member:
                while piece := member.read(_PIECE):
                    self._left -= len(piece)
                    if self._left < 0:
                        raise TooLargeInside
                    yield piece

    @contextmanager
    def _zip_errors(self, reason: str) -> Iterator[None]:
        try:
            yield
        except KeyError:
            raise Unreadable(f"not {self.kind}") from None
        except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, OSError, ValueError, struct.error):
            raise Unreadable(reason) from None
        except (NotImplementedError, RuntimeError):
            raise Unreadable("packed in a way that is not read") from None


def _directory_bytes(data: bytes) -> int:
    """Return how long the list of members says it is; more than the limit for a zip file of the 64-bit kind."""
    at = data.rfind(_END_OF_DIRECTORY, max(0, len(data) - 66_000))
    return int(struct.unpack_from("<I", data, at + 12)[0]) if 0 <= at <= len(data) - 22 else 0
