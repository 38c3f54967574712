"""A process of a system, spoken to in JSON lines, timed and weighed from outside."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOO_LONG = "over"
_BYTES_A_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss


class SystemFailed(RuntimeError):
    """A system ended, or wrote no reply in time; the message says which, with the last line it wrote."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A reply, the seconds until it came, and the processor seconds of the system's process, all threads together."""

    reply: Any
    seconds: float
    cpu_s: float


class Session:
    """One process. Leaving the context ends it; then ``peak_mb`` and ``cpu_s`` say what it held and took in all."""

    peak_mb: float
    cpu_s: float

    def __init__(self, command: Sequence[str], *, environ: Mapping[str, str], log: Path, limit_s: float) -> None:
        self.started = time.perf_counter()
        self._log, self._limit_s = log, limit_s
        with open(log, "ab") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=dict(environ)
            )

    def request(self, do: str, **arguments: Any) -> Any:
        """Return the reply to a request; raises as `timed` does."""
        return self.timed(do, **arguments).reply

    def timed(self, do: str, **arguments: Any) -> Timed:
        """Return the reply to a request and what it took.

        Raises:
            SystemFailed: none came in time.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        start = time.perf_counter()
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise SystemFailed(self._last_words()) from None
        ready, _, _ = select.select([self._process.stdout], [], [], self._limit_s)
        if not ready:
            raise SystemFailed(f"{TOO_LONG} {self._limit_s:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            raise SystemFailed(self._last_words())
        return Timed(seconds=time.perf_counter() - start, **json.loads(line))

    def elapsed_s(self) -> float:
        """Return the seconds since the process was started."""
        return time.perf_counter() - self.started

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *reason: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if any(reason):
            os.kill(self._process.pid, signal.SIGKILL)  # Popen.kill would reap one that has ended, before wait4 can
        self._process.stdin.close()
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._process.stdout.close()
        self.cpu_s = usage.ru_utime + usage.ru_stime
        self.peak_mb = usage.ru_maxrss * _BYTES_A_UNIT / 1e6

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return f"failed: {lines[-1][:200]}" if lines else "failed without a word"
