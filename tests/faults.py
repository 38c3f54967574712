"""Faults on order, in a forked child: its n-th write operation kills it, or fails as the operating system would.

Seen are all writes of SQLite (under its checksums, by a virtual file system), every file opened for writing, made,
renamed, linked or removed from Python (by the interpreter's audit hook), and every fsync. What tantivy writes natively
is not; random kills and `RLIMIT_FSIZE` reach it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import resource
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
from conftest import StubEncoder, StubReader

from index.build import build_index
from index.check import check_index
from index.errors import IndexNotFound
from qa.corpus import Corpus

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


class Running:
    """Work in a forked child, which may be killed or stopped by its ``process`` id, and must be waited for."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._reply = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `wait`
        self.process = os.fork()
        if self.process:
            return
        try:
            try:
                outcome = (work(), None, "")
            except BaseException as error:
                outcome = (None, error, traceback.format_exc())
            _write_all(self._reply.fileno(), _pickled(outcome))
        finally:
            os._exit(0)

    def wait(self) -> Child:
        _, status = os.waitpid(self.process, 0)
        code = os.waitstatus_to_exitcode(status)
        with self._reply as reply:
            reply.seek(0)
            data = reply.read()
        return Child(code, *pickle.loads(data)) if data and code == 0 else Child(code)


def in_child(work: Callable[[], Any], *, kill_after_s: float | None = None) -> Child:
    """Run ``work`` in a forked child and wait; with ``kill_after_s`` the child is killed when that time is over."""
    running = Running(work)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(running.process, 9)
    return running.wait()


def unprivileged(work: Callable[[], object]) -> Child:
    """Run in a child that may not write where it does not own; root may everywhere."""

    def run() -> object:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        return work()

    return in_child(run)


def _pickled(outcome: tuple[Any, BaseException | None, str]) -> bytes:
    try:
        data = pickle.dumps(outcome)
        pickle.loads(data)
        return data
    except Exception:
        return pickle.dumps((None, RuntimeError(f"{type(outcome[1]).__name__}: {outcome[1]}"), outcome[2]))


def _write_all(descriptor: int, data: bytes) -> None:
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
            failed = (apsw.FullError if error.errno == errno.ENOSPC else apsw.IOError)(str(error))
            failed.extendedresult = apsw.SQLITE_FULL if error.errno == errno.ENOSPC else apsw.SQLITE_IOERR_WRITE  # type: ignore[attr-defined]
            raise failed from error

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


QUESTIONS = ("Which river flows through Vienna?", "Dutch cheese", "the rover")
State = tuple[Any, ...] | None


def state_of(index_dir: Path) -> State:
    """Return all a person can see of an index: its id, every document with its places, and what it finds."""
    try:
        corpus = Corpus.open(index_dir, encoder=StubEncoder(), reader=StubReader())
        index_id = corpus.status().index_id
    except IndexNotFound:
        return None
    found = [[passage.to_dict() for passage in corpus.retrieve(question)] for question in QUESTIONS]
    documents = {passage["doc_id"]: corpus.document(passage["doc_id"]) for row in found for passage in row}
    answers = [corpus.ask(question).to_dict() for question in QUESTIONS]
    return index_id, without_scores(found), documents, without_scores(answers)


def without_scores(value: Any) -> Any:
    """Leave out scores: BM25 counts of an updated index differ from those of a fresh one in the third digit."""
    if isinstance(value, dict):
        return {key: without_scores(item) for key, item in value.items() if "score" not in key}
    return [without_scores(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Scene:
    """A corpus folder, its index before (absent for the first build), and what both must look like."""

    folder: Path
    before: Path
    index_dir: Path
    old: State
    new: State

    def build(self) -> None:
        build_index(self.index_dir, [self.folder], encoder=StubEncoder())

    def watched_build(self, watcher: Callable[[Operation], None]) -> None:
        watch(self.index_dir, watcher)
        self.build()

    def restart(self) -> None:
        fresh_copy(self.before, self.index_dir)


def problems_after(scene: Scene) -> list[str]:
    """Return what is wrong with the index as a killed build left it, and after the next build."""
    problems = []
    with contextlib.suppress(IndexNotFound):
        report = check_index(scene.index_dir)
        problems += [] if report.is_sound else [f"check: {report}"]
    left = state_of(scene.index_dir)
    if left not in (scene.old, scene.new):
        problems.append(f"neither the old nor the new index: {left}")
    scene.build()
    if state_of(scene.index_dir) != scene.new:
        problems.append("the next build did not complete it")
    if not check_index(scene.index_dir).is_sound:
        problems.append("the next build left something unsound")
    if leftovers := [path.name for path in scene.index_dir.rglob(".*-*") if path.is_dir()]:
        problems.append(f"the next build left {leftovers}")
    return problems


def evenly(total: int, count: int) -> list[int]:
    """Return ``count`` numbers from 0 to total - 1, the first and the last among them."""
    return [round(number * (total - 1) / (count - 1)) for number in range(count)]


def operations(scene: Scene) -> int:
    def count() -> int:
        counter = Counter()
        scene.watched_build(counter)
        return counter.count

    scene.restart()
    counted = in_child(count)
    assert counted.value, counted.trace
    return int(counted.value)


def make_scene(place: Path, *, update: bool) -> Scene:
    """Return a first build, or an update of one file of two, with a third one new in both."""
    folder, before, index_dir = place / "docs", place / "before", place / "index"
    folder.mkdir()
    (folder / "rivers.txt").write_text("The Danube flows through Vienna. The Rhine flows through Cologne.\n")
    (folder / "cheese.txt").write_text("Gouda is a Dutch cheese. Brie comes from France.\n")
    old = None
    if update:
        build_index(before, [folder], encoder=StubEncoder())
        old = state_of(before)
        (folder / "cheese.txt").write_text("Edam is a Dutch cheese.\n")
    (folder / "space.txt").write_text("The rover landed on Mars.\n")
    scene = Scene(folder, before, index_dir, old, None)
    scene.restart()
    scene.build()
    return Scene(folder, before, index_dir, old, state_of(index_dir))
