"""What is new on disk, and bringing the index up to date beside the chat: one state, the same in every tab."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from index.build import BuildReport
from index.changes import PendingChanges
from index.errors import IndexEmpty, IndexingError

if TYPE_CHECKING:
    from qa.corpus import Corpus

LOOK_EVERY_S = 4.0  # folders are looked at this often while a page is open, and never for more than a tenth of the time
_FAILED = "The update failed; the server's log says why. The chat stays on the current index."

State = Literal["current", "pending", "running", "updated", "failed"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UpdateState:
    """How the index stands to its folders.

    Attributes:
        sentence: the same in words; empty when there is nothing to say.
        new, changed, removed: numbers of files.
        stage: what a running update does, with ``done`` of ``total``; "" when none runs.
        index_id: of the index that answers now; "" while nothing is indexed.
    """

    state: State
    sentence: str
    new: int = 0
    changed: int = 0
    removed: int = 0
    stage: str = ""
    done: int = 0
    total: int = 0
    index_id: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class _Running:
    """How far a build is, and when its present stage began."""

    stage: str
    done: int
    total: int
    since: float


class Updates:
    """Looks for changes and runs at most one build, each in a thread of its own; questions never wait for either."""

    def __init__(self, corpus: Corpus, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._corpus = corpus
        self._clock = clock
        self._lock = threading.Lock()
        self._pending = PendingChanges((), (), ())
        self._look_again = float("-inf")
        self._looking = False
        self._running: _Running | None = None
        self._finished: tuple[State, str] = ("current", "")

    def state(self) -> UpdateState:
        """Return how things stand, from memory; starts a look at the folders when the last one is some time ago."""
        with self._lock:
            running, pending, (kind, sentence) = self._running, self._pending, self._finished
            if running is None and not self._looking and self._clock() >= self._look_again:
                self._looking = True
                threading.Thread(target=self._look, name="looking", daemon=True).start()
        index_id = self._index_id()
        if running is not None:
            words = progress_sentence(running.stage, running.done, running.total, self._clock() - running.since)
            return UpdateState("running", words, 0, 0, 0, running.stage, running.done, running.total, index_id)
        counts = len(pending.new), len(pending.changed), len(pending.removed)
        if any(counts):
            told = f"{sentence} {pending_sentence(*counts)}" if kind == "failed" else pending_sentence(*counts)
            return UpdateState("pending", told, *counts, index_id=index_id)
        return UpdateState(kind, sentence, index_id=index_id)

    def start(self) -> bool:
        """Start an update; False when one is running already."""
        with self._lock:
            if self._running is not None:
                return False
            self._running = _Running("scanning", 0, 0, self._clock())
        threading.Thread(target=self._build, name="updating", daemon=True).start()
        return True

    def look_now(self) -> None:
        """Have the next `state` look at the folders, because something is known to have changed."""
        with self._lock:
            self._look_again = float("-inf")

    def _index_id(self) -> str:
        try:
            return self._corpus.status().index_id
        except IndexingError:
            return ""

    def _look(self) -> None:
        started = self._clock()
        found = PendingChanges((), (), ())
        try:
            found = self._corpus.pending_changes()
        except IndexEmpty:
            pass
        except Exception:
            _log.exception("the folders could not be looked at")
        with self._lock:
            self._pending = found
            self._looking = False
            self._look_again = self._clock() + max(LOOK_EVERY_S, 10 * (self._clock() - started))

    def _build(self) -> None:
        try:
            finished: tuple[State, str] = "updated", report_sentence(self._corpus.update(on_progress=self._note))
        except IndexingError as error:
            finished = "failed", str(error)
        except Exception:
            _log.exception("the index could not be updated")
            finished = "failed", _FAILED
        self._look()
        with self._lock:
            self._running, self._finished = None, finished

    def _note(self, stage: str, done: int, total: int) -> None:
        with self._lock:
            before = self._running
            since = before.since if before and before.stage == stage else self._clock()
            self._running = _Running(stage, done, total, since)


def pending_sentence(new: int, changed: int, removed: int) -> str:
    """Return ``3 new, 1 removed`` without the counts that are 0."""
    counts = ((new, "new"), (changed, "changed"), (removed, "removed"))
    return ", ".join(f"{number:,} {name}" for number, name in counts if number)


def progress_sentence(stage: str, done: int, total: int, seconds: float) -> str:
    """Return how far an update is, and how long it may take; no guess before a twentieth is done."""
    name, _, unit = stage.partition(", ")  # "indexing, kB"
    parts = [f"{name} {done:,}/{total:,} {unit}" if unit and total else f"{name} …"]
    if total and done * 20 >= total and done < total:
        parts.append(f"about {duration(seconds * (total - done) / done)}")
    return " · ".join([*parts, "chat stays on the current index"])


def duration(seconds: float) -> str:
    """Return ``40 s`` or ``3 min``."""
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"


def report_sentence(report: BuildReport) -> str:
    """Return what an update did."""
    skipped = sum(note.skipped for note in report.notes)
    done = [f"updated: {report.added:,} added, {report.removed:,} removed"]
    return " · ".join([*done, f"{skipped:,} file{'s' * (skipped != 1)} skipped"] if skipped else done)
