"""How many questions are worked on at once, how many may wait, and what happens beyond."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from index.threads import usable_cores

WAITING = 40  # a question takes a fraction of a second: who comes last waits several seconds, which is long enough
RETRY_AFTER_S = 3

P = ParamSpec("P")
T = TypeVar("T")


class TooBusy(Exception):
    """More questions are waiting than will be answered soon; ``retry_after_s`` says when to try again."""

    retry_after_s = RETRY_AFTER_S

    def __init__(self) -> None:
        super().__init__(f"Too many questions are waiting. Try again in {RETRY_AFTER_S} seconds.")


class Workers:
    """A few threads that answer questions in the order in which they came; one thread per core is fastest.

    Beyond ``at_once + waiting`` a question is refused at once: those before it are answered no later for it.
    """

    def __init__(self, *, at_once: int | None = None, waiting: int = WAITING) -> None:
        at_once = at_once or usable_cores()
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="answering")
        self._free = threading.BoundedSemaphore(at_once + waiting)

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return the future of some work.

        Raises:
            TooBusy: the queue is full.
        """
        if not self._free.acquire(blocking=False):
            raise TooBusy
        future = self._pool.submit(work, *args, **kwargs)
        future.add_done_callback(self._release)
        return future

    def stop(self) -> None:
        """Let the work in progress finish, drop what waits."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _release(self, _: Future[Any]) -> None:
        self._free.release()
