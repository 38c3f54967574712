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
from typing import Any, BinaryIO

from index.loading.formats import FORMATS, read_here
from index.loading.loaded import Unreadable

MEMORY_BYTES = 1 << 30
IDLE_S = 20.0
LARGE_KB = 300_000  # a process that has needed so much memory ends after its file


def main() -> None:
    """Answer requests until there are no more."""
    requests, replies = _pipes()
    _import_everything()
    _confine(opened=max(requests.fileno(), replies.fileno()) + 1)
    replies.write(b"+")
    replies.flush()
    while _comes_within(requests, IDLE_S) and (line := requests.readline()):
        request = json.loads(line)
        data = requests.read(request["bytes"])
        _allow_processor_time(request["seconds"])
        reply = json.dumps(_answer(data, request["name"]), ensure_ascii=False).encode()
        replies.write(len(reply).to_bytes(8) + reply)
        replies.flush()
        if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > LARGE_KB:
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


def _answer(data: bytes, name: str) -> dict[str, Any]:
    try:
        loaded = read_here(data, name)
        return {
            "documents": [(document.text, astuple(document.sources[0])) for document in loaded.documents],
            "notes": loaded.notes,
        }
    except Unreadable as reason:
        return {"unreadable": str(reason)}
    except MemoryError:
        return {"unreadable": "too large inside"}
    except Exception as error:  # whatever a parser may raise at bytes that somebody made up
        return {"unreadable": f"cannot be read: damaged ({type(error).__name__})"}


if __name__ == "__main__":
    main()
