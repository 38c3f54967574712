"""Which answers are known already, and which are being made? Nobody waits for the same work twice."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from qa.results import Answer
from qa.retrieval import Filters

Asked = tuple[str, Filters]  # a question as `clean_question` returns it, and which documents may answer

ANSWERS_HELD = 1000  # of 10 to 20 kB each


class AnswerCache:
    """The last answers of one generation and one reader, and those being made, for any number of threads.

    It belongs to a generation and goes with it, so no answer is ever given from another one.
    """

    def __init__(self, *, most: int = ANSWERS_HELD) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held: OrderedDict[Asked, Future[Answer]] = OrderedDict()

    def known(self, asked: Asked) -> Future[Answer] | None:
        """Return the answer that is held, or is being made in another thread; None when there is neither."""
        with self._lock:
            return self._touched(asked)

    def get(self, asked: Asked, make: Callable[[], Answer]) -> Answer:
        """Return the answer that is held, or that another thread is making, or that ``make`` returns.

        What ``make`` raises, all who wait for it are told; nothing is held then.
        """
        with self._lock:
            future, is_mine = self._touched(asked), False
            if future is None:
                future, is_mine = self._begun(asked), True
        if is_mine:
            self._fulfil(asked, future, make)
        return future.result()

    def _touched(self, asked: Asked) -> Future[Answer] | None:
        if asked in self._held:
            self._held.move_to_end(asked)
        return self._held.get(asked)

    def _begun(self, asked: Asked) -> Future[Answer]:
        future: Future[Answer] = Future()
        future.set_running_or_notify_cancel()  # from here on one who stops waiting cannot cancel it for the others
        self._held[asked] = future
        if len(self._held) > self._most:
            self._held.popitem(last=False)
        return future

    def _fulfil(self, asked: Asked, future: Future[Answer], make: Callable[[], Answer]) -> None:
        try:
            future.set_result(make())
        except BaseException as error:
            with self._lock:
                if self._held.get(asked) is future:
                    del self._held[asked]
            future.set_exception(error)
