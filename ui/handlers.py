"""What the page does: a question becomes a turn of the chat, a citation an opened source, an error a sentence."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from index.errors import IndexEmpty, IndexingError
from qa.errors import AnsweringError
from qa.results import CitationKey
from ui import render
from ui.workers import TooBusy

if TYPE_CHECKING:
    from qa.corpus import Corpus
    from ui.workers import Workers

EXAMPLES = 4
WALK_LIMIT = 200  # citations of one answer that Next and Previous follow
TURNS_KEPT = 50  # older turns leave the chat, so that a page open for weeks stays small

_UNEXPECTED = "Something went wrong; the server's log says what."

Shown = TypeVar("Shown")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what the page shows below it, both as HTML."""

    question: str
    reply: str


@dataclass(frozen=True, slots=True)
class Progress:
    """The chat after a step of answering.

    Attributes:
        turns: the whole chat, oldest first.
        announcement: what a screen reader hears; empty until the answer is finished.
    """

    turns: tuple[Turn, ...]
    announcement: str = ""


@dataclass(frozen=True, slots=True)
class FirstVisit:
    """What stands in an empty chat."""

    intro: str
    examples: tuple[str, ...]


class Refused(Exception):
    """A call by a program cannot be answered; the message is one sentence."""


def answer_as_json(corpus: Corpus, workers: Workers, question: object) -> str:
    """Return the JSON of an answer, for programs that call the page itself.

    It is text because gradio_client takes every dictionary with a ``path`` for a file and tries to download it.

    Raises:
        Refused: there is no answer, and why.
    """

    def refuse(sentence: str) -> str:
        raise Refused(sentence)

    text = question if isinstance(question, str) else ""
    return _guarded(lambda: json.dumps(workers.run(corpus.ask, text).to_dict(), ensure_ascii=False), refuse)


def ask(corpus: Corpus, workers: Workers, question: object, turns: tuple[Turn, ...]) -> Iterator[Progress]:
    """Yield the chat with a sign of life, then with the answer or with one sentence that says what is wrong."""
    text = question if isinstance(question, str) else ""
    kept, asked = turns[1 - TURNS_KEPT :], render.question(text)
    yield Progress((*kept, Turn(asked, render.searching())))
    reply, announcement = _reply(corpus, workers, text)
    yield Progress((*kept, Turn(asked, reply)), announcement)


def _reply(corpus: Corpus, workers: Workers, text: str) -> tuple[str, str]:
    def answered() -> tuple[str, str]:
        answer = workers.run(corpus.ask, text)
        return render.answer_card(answer), f"{render.verdict_line(answer)}."

    def refused(sentence: str) -> tuple[str, str]:
        return render.problem(sentence), render.escape(sentence)

    return _guarded(answered, refused)


def open_citation(corpus: Corpus, citation_id: object, walk: object) -> str:
    """Return the reader with a citation in its document, or the sentence that says why it cannot be shown.

    Args:
        corpus: where the documents are.
        citation_id: comes from the browser, or from a link that somebody sent.
        walk: ids of all citations of the same answer, in order; anything else in it is dropped.
    """

    def opened() -> str:
        try:
            asked = CitationKey.parse(citation_id if isinstance(citation_id, str) else "")
            check = corpus.cite(str(asked))
        except ValueError as error:
            return render.source_problem(str(error))
        if check.citation is None:
            return render.source_gone(check)
        document = corpus.document(check.citation.doc_id)
        source_state = corpus.source_state(document.doc_id)
        return render.source(
            render.Opened(asked, check.state, check.citation, document, source_state, walk=_citation_keys(walk))
        )

    return _guarded(opened, render.source_problem)


def _citation_keys(ids: object) -> tuple[CitationKey, ...]:
    keys: dict[CitationKey, None] = {}
    for citation_id in ids[:WALK_LIMIT] if isinstance(ids, list) else ():
        try:
            keys[CitationKey.parse(citation_id if isinstance(citation_id, str) else "")] = None
        except ValueError:
            continue
    return tuple(keys)


def status(corpus: Corpus) -> str:
    """Return the strip at the top of the page."""
    return _guarded(lambda: render.status_strip(corpus.status()), render.status_problem)


def first_visit(corpus: Corpus) -> FirstVisit:
    """Return the intro and example questions, or what to do about an empty index."""

    def visit() -> FirstVisit:
        try:
            examples = tuple(corpus.examples(EXAMPLES))
        except IndexEmpty:
            return FirstVisit(render.empty_index(), ())
        return FirstVisit(render.welcome(), examples)

    return _guarded(visit, lambda sentence: FirstVisit(render.problem(sentence), ()))


def _guarded(show: Callable[[], Shown], explain: Callable[[str], Shown]) -> Shown:
    """Return what ``show`` makes, or ``explain`` of one sentence. Questions are never logged, tracebacks are."""
    try:
        return show()
    except (IndexingError, AnsweringError, TooBusy) as error:
        _log.info("refused: %s", type(error).__name__)
        return explain(str(error))
    except Exception:
        _log.exception("the page could not show something")
        return explain(_UNEXPECTED)
