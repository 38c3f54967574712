"""Faults on order, in a forked child: its n-th write operation kills it, or fails as the operating system would.

Seen are all writes of SQLite (under its checksums, by a virtual file system), every file opened for writing, made,
renamed, linked or removed from Python (by the interpreter's audit hook), and every fsync. What tantivy writes natively
is not; random kills and `RLIMIT_FSIZE` reach it.
"""

from __future__ import annotations

import os
import pickle
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
AUDITED = {"os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.truncate"}


@dataclass(frozen=True)
class Operation:
    """One write operation: what is done, to which path, and for a rename or link under which new path."""

    kind: str
    path: str
    target: str = ""


Watcher = Callable[[Operation], None]


@dataclass(frozen=True)
class Child:
    """How a forked child ended: its exit status (negative signal when killed) and what its work returned or raised."""

    status: int
    value: Any = None
    error: BaseException | None = None
    trace: str = ""


def in_child(work: Callable[[], Any], *, kill_after_s: float | None = None) -> Child:
    """Run ``work`` in a forked child and wait; with ``kill_after_s`` the child is killed when that time is over."""
    with tempfile.TemporaryFile() as reply:
        child = start(work, reply.fileno())
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            os.kill(child, 9)
        _, status = os.waitpid(child, 0)
        reply.seek(0)
        data = reply.read()
    code = os.waitstatus_to_exitcode(status)
    return Child(code, *pickle.loads(data)) if data and code == 0 else Child(code)


def start(work: Callable[[], Any], reply: int) -> int:
    """Run ``work`` in a forked child, which writes its outcome to a file descriptor; return the child's id."""
    child = os.fork()
    if child:
        return child
    try:
        os.setpgid(0, 0)
        try:
            outcome = (work(), None, "")
        except BaseException as error:
            outcome = (None, error, traceback.format_exc())
        _write_all(reply, _pickled(outcome))
    finally:
        os._exit(0)


def _pickled(outcome: tuple[Any, BaseException | None, str]) -> bytes:
    try:
        data = pickle.dumps(outcome)
        pickle.loads(data)
        return data
    except Exception:
        return pickle.dumps((None, RuntimeError(f"{type(outcome[1]).__name__}: {outcome[1]}"), outcome[2]))


def _write_all(descriptor: int, data: bytes) -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    while data:
        data = data[os.write(descriptor, data) :]


def watch(root: Path, watcher: Watcher) -> None:
    """Have ``watcher`` called before every write operation below ``root``; it may raise or kill. Only in a child."""
    below = str(root)

    def tell(kind: str, path: object, target: object = "") -> None:
        names = [os.fspath(name) for name in (path, target) if isinstance(name, str | os.PathLike)]
        if any(name.startswith(below) for name in names):
            watcher(Operation(kind, *names))

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in AUDITED:
            tell(event, *arguments[: 2 if event in ("os.rename", "os.link", "os.symlink") else 1])
        elif event == "open" and arguments[2] & WRITING:
            tell("open", arguments[0])

    def fsync(descriptor: int) -> None:
        tell("fsync", os.readlink(f"/proc/self/fd/{descriptor}"))
        real_fsync(descriptor)

    real_fsync, os.fsync = os.fsync, fsync
    _watch_sqlite(tell)
    sys.addaudithook(audit)


def _watch_sqlite(tell: Callable[[str, object], None]) -> None:
    real_connection = apsw.Connection
    made: dict[str, WatchedSystem] = {}

    def connect(name: str, *, vfs: str = "", **options: Any) -> apsw.Connection:
        if not vfs:
            return real_connection(name, **options)
        if vfs not in made:
            made[vfs] = WatchedSystem(vfs, tell)
        return real_connection(name, vfs=made[vfs].name, **options)

    apsw.Connection = connect  # type: ignore[misc,assignment]


class WatchedSystem(apsw.VFS):
    """A virtual file system of SQLite that tells before it writes."""

    def __init__(self, base: str, tell: Callable[[str, object], None]) -> None:
        self.name, self.base, self.tell = f"watched-{base}", base, tell
        super().__init__(self.name, base=base)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return WatchedFile(self, name, flags)

    def xDelete(self, name: str, sync: bool) -> None:
        self.tell("sqlite delete", name)
        super().xDelete(name, sync)


class WatchedFile(apsw.VFSFile):
    def __init__(self, system: WatchedSystem, name: Any, flags: list[int]) -> None:
        self.system = system
        self.path = name.filename() if isinstance(name, apsw.URIFilename) else name
        super().__init__(system.base, name, flags)

    def _tell(self, kind: str) -> None:
        try:
            self.system.tell(f"sqlite {kind}", self.path)
        except OSError as error:
            raise (apsw.FullError if error.errno == 28 else apsw.IOError)(str(error)) from error

    def xWrite(self, data: bytes, offset: int) -> None:
        try:
            self._tell("write")
        except Torn:
            super().xWrite(data[: len(data) // 2], offset)
            os.kill(os.getpid(), 9)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._tell("sync")
        super().xSync(flags)

    def xTruncate(self, size: int) -> None:
        self._tell("truncate")
        super().xTruncate(size)


class Torn(Exception):
    """Raised by a watcher to have half of a write done before the kill."""


class Counter:
    """A watcher that calls ``fault`` at the operations numbered ``at``, from 0; otherwise it counts."""

    def __init__(self, fault: Callable[[Operation], None] = lambda operation: None, at: range = range(0)) -> None:
        self.count, self.fault, self.at = 0, fault, at

    def __call__(self, operation: Operation) -> None:
        number, self.count = self.count, self.count + 1
        if number in self.at:
            self.fault(operation)


def kill(operation: Operation) -> None:
    """Kill this process; half of a write of SQLite is done before."""
    if operation.kind == "sqlite write":
        raise Torn
    os.kill(os.getpid(), 9)


def fresh_copy(source: Path, target: Path) -> Path:
    """Return ``target`` holding what ``source`` holds, or absent when that is."""
    shutil.rmtree(target, ignore_errors=True)
    if source.exists():
        shutil.copytree(source, target)
    return target
