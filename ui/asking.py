"""How does a question get its answer on the server: at once when it is known, else in its turn?"""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from qa.results import Answer
from qa.retrieval import Filters

if TYPE_CHECKING:
    from qa.corpus import Corpus
    from ui.workers import Workers


def answer_soon(corpus: Corpus, workers: Workers, question: str, *, filters: Filters | None = None) -> Future[Answer]:
    """Return the future of an answer. One that is known, or being made for somebody else, takes no place in the queue.

    Raises:
        TooBusy: the queue is full.
        QuestionError: the question is empty or too long.
    """
    known = corpus.known(question, filters=filters)
    return known or workers.submit(corpus.ask, question, filters=filters)
