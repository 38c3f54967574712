"""The process of `isolation.py`, as ``python -m index.loading.worker``: files come in, plain data goes out.

A request is a line of JSON and the file's bytes; a reply is its length, 8 bytes, and JSON.
"""

from __future__ import annotations

import contextlib
import encodings
import importlib
import json
import math
import os
import pkgutil
import resource
import select
from dataclasses import astuple
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

from index.loading.formats import FORMATS, read_here
from index.loading.loaded import Unreadable

MEMORY_BYTES = 1 << 30
LARGE_BYTES = MEMORY_BYTES // 3  # a process that has grown to so much ends after its file, so that none lacks memory
IDLE_S = 20.0
_SIZE = Path("/proc/self/statm")


def main() -> None:
    """Answer requests until there are no more."""
    requests, replies = _pipes()
    size = _SIZE.open("rb", buffering=0) if _SIZE.exists() else None
    _import_everything()
    _confine(opened=max(each.fileno() for each in (requests, replies, size) if each) + 1)
    replies.write(b"+")
    replies.flush()
    while _comes_within(requests, IDLE_S) and (line := requests.readline()):
        request = json.loads(line)
        data = requests.read(request["bytes"])
        _allow_processor_time(request["seconds"])
        reply = _answer(data, request["name"])
        replies.write(len(reply).to_bytes(8) + reply)
        replies.flush()
        del data, reply
        if size and _bytes_now(size) > LARGE_BYTES:
            return


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return the pipes, on descriptors of their own: what a parser prints must not become part of a reply."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    return requests, replies


def _comes_within(requests: BinaryIO, seconds: float) -> bool:
    return bool(select.select([requests], [], [], seconds)[0])


def _import_everything() -> None:
    """Import what the readers need, while files can still be opened."""
    for library in {library for form in FORMATS.values() for library in form.libraries}:
        importlib.import_module(library)
    for module in pkgutil.iter_modules(encodings.__path__):
        if module.name not in ("mbcs", "oem"):  # of Windows
            importlib.import_module(f"encodings.{module.name}")


def _confine(*, opened: int) -> None:
    """Give up what no parser needs: memory beyond the limit, files and sockets beyond those opened, writing to disk."""
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_NOFILE: opened,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, limit in limits.items():
        with contextlib.suppress(ValueError):  # macOS refuses a limit of address space
            resource.setrlimit(kind, (limit, limit))


def _allow_processor_time(seconds: float) -> None:
    """Let the system end this process if it computes for longer, also when nobody waits for it any more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = math.ceil(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _bytes_now(size: FileIO) -> int:
    """Return how much address space this process has; from an open file, since none can be opened any more."""
    return int(os.pread(size.fileno(), 100, 0).split()[0]) * resource.getpagesize()


def _answer(data: bytes, name: str) -> bytes:
    try:
        loaded = read_here(data, name)
        documents = [(document.text, astuple(document.sources[0])) for document in loaded.documents]
        return _packed({"documents": documents, "notes": loaded.notes})
    except Unreadable as reason:
        return _packed({"unreadable": str(reason)})
    except MemoryError:
        return _packed({"unreadable": "too large inside"})
    except Exception as error:  # whatever a parser may raise at bytes that somebody made up
        return _packed({"unreadable": f"cannot be read: damaged ({type(error).__name__})"})


def _packed(reply: dict[str, Any]) -> bytes:
    return json.dumps(reply, ensure_ascii=False).encode()


if __name__ == "__main__":
    main()
