"""Which questions may one begin with, as far as they have been found? Looked for in the background."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qa.corpus import Corpus

EXAMPLES = 4

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Offered:
    """Questions that the corpus answers, and whether more of them are being looked for."""

    questions: tuple[str, ...]
    is_looking: bool


class Examples:
    """Finds example questions of the newest index, in a thread of its own: each of them costs an answer."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._lock = threading.Lock()
        self._index_id = ""
        self._offered = Offered((), is_looking=False)

    def offered(self) -> Offered:
        """Return what has been found for the index as it is now; begins to look when it is another one than before.

        Raises:
            IndexingError: there is no usable index.
        """
        index_id = self._corpus.status().index_id
        with self._lock:
            if index_id != self._index_id:
                self._index_id, self._offered = index_id, Offered((), is_looking=True)
                threading.Thread(target=self._look, args=(index_id,), name="examples", daemon=True).start()
            return self._offered

    def _look(self, index_id: str) -> None:
        found: list[str] = []
        try:
            for question in islice(self._corpus.examples(), EXAMPLES):
                found.append(question)
                if not self._offer(index_id, found, is_looking=True):
                    return
        except Exception:
            _log.exception("no example questions could be made")
        self._offer(index_id, found, is_looking=False)

    def _offer(self, index_id: str, found: list[str], *, is_looking: bool) -> bool:
        """Show what was found; False when the index has become another one meanwhile."""
        with self._lock:
            if index_id != self._index_id:
                return False
            self._offered = Offered(tuple(found), is_looking)
            return True
