"""The other process: parsers of hostile formats run in it, and get bytes, a limit of memory and a limit of time.

A process is started with the first file that needs one, takes one file after the other, and ends by itself when it has
had nothing to do for a while or has grown large. One that crashes or takes too long is killed and replaced.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from index.documents import Document, Source
from index.loading.loaded import Loaded, Unreadable

START_S = 60.0
END_S = 2.0  # within which a process that has closed its pipe is gone
_PACKAGES = Path(__file__).parents[2]
_REPLY_LIMIT = 1 << 30
_PIECE = 1 << 20


class _Ended(Exception):
    """The process ended by itself before it took the file."""


class _Process:
    """One process, started and ready."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "index.loading.worker"],  # -P: no code from the current folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_PACKAGES), *filter(None, sys.path)])},
        )
        try:
            self._read(1, time.monotonic() + START_S)
        except (_Ended, TimeoutError):
            self.stop()
            raise OSError("The process that reads PDF and Office files could not be started.") from None

    def ask(self, data: bytes, name: str, timeout_s: float) -> Any:
        """Return what the process answers to one file.

        Raises:
            TimeoutError: it took too long.
            _Ended: it crashed, or had ended before.
        """
        deadline = time.monotonic() + timeout_s
        assert self._process.stdin is not None
        head = json.dumps({"name": name, "bytes": len(data), "seconds": timeout_s}).encode() + b"\n"
        try:
            for part in (head, data):
                left = memoryview(part)
                while left:
                    left = left[self._process.stdin.write(left) :]
        except OSError:
            raise _Ended from None
        size = int.from_bytes(self._read(8, deadline))
        if size > _REPLY_LIMIT:
            raise _Ended
        return json.loads(self._read(size, deadline))

    def _read(self, size: int, deadline: float) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        parts: list[bytes] = []
        while size:
            waiting = select.poll()
            waiting.register(descriptor, select.POLLIN)
            if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError
            part = os.read(descriptor, min(size, _PIECE))
            if not part:
                raise _Ended
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def stop(self, *, patience_s: float = 0.0) -> int:
        """End the process and return its exit status; below 0 it is the number of a signal."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(patience_s)
        self._process.kill()
        return self._process.wait()


class _Pool:
    """Processes that wait for a file."""

    def __init__(self) -> None:
        self._idle: list[_Process] = []
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def take(self) -> tuple[_Process, bool]:
        """Return a process, and whether it is a new one."""
        with self._lock:
            if self._owner != os.getpid():  # after a fork the processes belong to the parent
                self._idle, self._owner = [], os.getpid()
            if self._idle:
                return self._idle.pop(), False
        return _Process(), True

    def put(self, process: _Process) -> None:
        with self._lock:
            self._idle.append(process)

    def stop(self) -> None:
        with self._lock:
            while self._idle and self._owner == os.getpid():
                self._idle.pop().stop()


_pool = _Pool()
atexit.register(_pool.stop)


def load_isolated(data: bytes, name: str, *, timeout_s: float) -> Loaded:
    """Return the documents of one file, read in another process; see `load`.

    Raises:
        Unreadable: as the reader of the format says, or it took too long, needed too much memory or crashed.
        OSError: no process can be started.
    """
    while True:
        process, is_new = _pool.take()
        try:
            reply = process.ask(data, name, timeout_s)
        except TimeoutError:
            process.stop()
            raise Unreadable("took too long") from None
        except _Ended:
            status = process.stop(patience_s=END_S)
            if status == 0 and not is_new:
                continue
            raise Unreadable(_why_ended(status)) from None
        except BaseException:
            process.stop()
            raise
        _pool.put(process)
        return _loaded(reply)


def _why_ended(status: int) -> str:
    if status == -signal.SIGXCPU:
        return "took too long"
    # a library that gets no memory aborts; Python says so, see `worker.py`
    return "too large inside" if status == -signal.SIGABRT else "damaged: its reader crashed"


def _loaded(reply: Any) -> Loaded:
    if "unreadable" in reply:
        raise Unreadable(reply["unreadable"])
    return Loaded(
        tuple(_document(text, source) for text, source in reply["documents"]),
        tuple(reply["notes"]),
    )


def _document(text: str, source: list[Any]) -> Document:
    path, title, publisher, date, author, page_starts = source
    return Document.from_raw(text, Source(path, title, publisher, date, author, tuple(page_starts)))
