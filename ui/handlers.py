"""What the page does: a question becomes a turn of the chat, a citation an opened source, an error a sentence."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from index.errors import DocumentNotFound, IndexEmpty, IndexingError
from qa import escaping
from qa.errors import AnsweringError
from qa.export import as_json, as_markdown, as_python, respelled
from qa.feedback import keep
from qa.followups import Asked as FollowedUp
from qa.followups import complete
from qa.questions import MAX_QUESTION_CHARACTERS
from qa.results import Answer, CitationKey
from qa.retrieval import Filters
from ui import narrowing, render, source_pane, strip
from ui.asking import answer_soon
from ui.preview import surroundings
from ui.workers import TooBusy

if TYPE_CHECKING:
    from qa.corpus import Corpus
    from qa.llm.composing import Composed, Composer
    from ui.examples import Examples
    from ui.workers import Workers

WALK_LIMIT = 200  # citations of one answer that Next and Previous follow
SOURCES_OFFERED = 200  # documents whose sources the filter form offers
TURNS_KEPT = 50  # older turns leave the chat, so that a page open for weeks stays small

_UNEXPECTED = "Something went wrong; the server's log says what."

Shown = TypeVar("Shown")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what the page shows below it, both as HTML, and what they were made from.

    Attributes:
        typed: the question as the person typed it.
        answer: None while there is none.
        composed: what a language model made of it, None without one.
        filters: which documents were asked.
    """

    question: str
    reply: str
    typed: str = ""
    answer: Answer | None = None
    composed: Composed | None = None
    filters: Filters = field(default_factory=Filters)


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

    def answered() -> str:
        answer = answer_soon(corpus, workers, question if isinstance(question, str) else "").result()
        return json.dumps(answer.to_dict(), ensure_ascii=False)

    return _guarded(answered, refuse)


def ask(
    corpus: Corpus,
    workers: Workers,
    question: object,
    turns: tuple[Turn, ...],
    *,
    filters: Filters | None = None,
    composer: Composer | None = None,
) -> Iterator[Progress]:
    """Yield the chat with a sign of life, then with the answer or with one sentence that says what is wrong.

    A question that leans on the one before it is searched in full, and the answer says so. With a language model, what
    it makes of the passages follows below the quotes as it is written.
    """
    turn = Turn("", "", question if isinstance(question, str) else "", filters=filters or Filters())
    yield from _add(corpus, workers, turn, turns, composer=composer)


def ask_as_typed(
    corpus: Corpus, workers: Workers, number: object, turns: tuple[Turn, ...], *, composer: Composer | None = None
) -> Iterator[Progress]:
    """Yield the chat with the last turn asked again, just as it was typed, or as it is when that is not the last."""
    if isinstance(number, int) and turns and number == len(turns) - 1:
        yield from _add(corpus, workers, turns[-1], turns[:-1], composer=composer, as_typed=True)
    else:
        yield Progress(turns)


def _in_full(text: str, turns: tuple[Turn, ...], composer: Composer | None) -> str | None:
    """Return a question that leans on the one before it in full: in the model's words, else by rules."""
    answers = [turn.answer for turn in turns if turn.answer is not None]
    if not answers or len(text) > MAX_QUESTION_CHARACTERS:
        return None
    before = FollowedUp.of(answers[-1])
    return (composer.rewrite(text, before) if composer else None) or complete(text, before)


def _add(
    corpus: Corpus,
    workers: Workers,
    turn: Turn,
    turns: tuple[Turn, ...],
    *,
    composer: Composer | None,
    as_typed: bool = False,
) -> Iterator[Progress]:
    kept, turn = turns[1 - TURNS_KEPT :], replace(turn, question=render.question(turn.typed))
    yield Progress((*kept, replace(turn, reply=render.searching())))
    in_full = None if as_typed else _in_full(turn.typed, turns, composer)
    card, announcement, answer = _reply(corpus, workers, turn, in_full)
    turn = replace(turn, reply=card(), answer=answer, composed=None)
    yield Progress((*kept, turn), announcement)
    if composer is not None and answer is not None:
        for composed, beside, numbers, said in _composed(composer, answer, turn.filters):
            reply = card(beside=beside, beside_numbers=numbers)
            yield Progress((*kept, replace(turn, reply=reply, composed=composed)), said)


def _reply(
    corpus: Corpus, workers: Workers, turn: Turn, in_full: str | None
) -> tuple[Callable[..., str], str, Answer | None]:
    """Return what makes the reply, with something beside the quotes or without; its announcement; the answer."""

    def answered() -> tuple[Callable[..., str], str, Answer | None]:
        answer = answer_soon(corpus, workers, in_full or turn.typed, filters=turn.filters).result()
        card = partial(render.answer_card, answer, checked=_checked(corpus, answer), completed=in_full is not None)
        return card, f"{render.verdict_line(answer)}. {escaping.escape(respelled(answer))}".strip(), answer

    def refused(sentence: str) -> tuple[Callable[..., str], str, Answer | None]:
        return partial(render.problem, sentence), escaping.escape(sentence), None

    return _guarded(answered, refused)


def _checked(corpus: Corpus, answer: Answer) -> render.Checked:
    """Compare an answer's sources with their files, and look up what stands around its citations."""
    states: dict[str, str] = {}
    around: dict[str, tuple[str, str]] = {}
    quoted = {quote.citation.doc_id for quote in answer.quotes}
    for citation in (*(quote.citation for quote in answer.quotes), *(passage.citation for passage in answer.related)):
        try:
            around[citation.id] = surroundings(corpus.document(citation.doc_id).text, citation.span)
            if citation.doc_id in quoted - states.keys():
                states[citation.doc_id] = corpus.source_state(citation.doc_id)
        except DocumentNotFound:  # a newer generation dropped it since the answer was made
            states[citation.doc_id] = "missing"
    return render.Checked(states, around)


def _composed(composer: Composer, answer: Answer, filters: Filters) -> Iterator[tuple[Composed | None, str, int, str]]:
    """Yield what the language model has made so far, its HTML, how many numbers that takes, and what is announced."""
    from ui.composed import announced, composed_section

    try:
        for composed in composer.compose(answer, filters=filters):
            yield composed, *composed_section(composed, answer), announced(composed)
    except Exception:  # the quotes are there; an index that was removed meanwhile, say, must not take them away
        _log.exception("the language model's part could not be shown")
        yield None, render.problem(_UNEXPECTED), 0, _UNEXPECTED


@dataclass(frozen=True, slots=True)
class Parcel:
    """Something for the person's clipboard or downloads folder."""

    name: str
    text: str
    is_copied: bool


def export(turns: tuple[Turn, ...], number: object, form: object) -> Parcel | None:
    """Return an answer of the chat in one of its forms: ``python``, ``markdown``, ``save-md`` or ``save-json``."""
    turn = turns[number] if isinstance(number, int) and 0 <= number < len(turns) else None
    if turn is None or turn.answer is None:
        return None
    answer = turn.answer
    if form == "python":
        return Parcel("answer.py", as_python(answer, turn.filters), is_copied=True)
    if form == "save-json":
        return Parcel("answer.json", as_json(answer, turn.composed), is_copied=False)
    return Parcel("answer.md", as_markdown(answer, turn.composed), is_copied=form != "save-md")


def judge(corpus: Corpus, turns: tuple[Turn, ...], number: object, citation_id: object, judgement: object) -> str:
    """Keep what a person thinks of a quote, and return the sentence that says so."""

    def kept() -> str:
        turn = turns[number] if isinstance(number, int) and 0 <= number < len(turns) else None
        quotes = turn.answer.quotes if turn and turn.answer else ()
        quote = next((each for each in quotes if each.citation.id == citation_id), None)
        if turn is None or turn.answer is None or quote is None:
            return "That answer is no longer in the chat."
        folder = corpus.status().index_dir
        keep(
            folder,
            turn.answer.question,
            quote,
            str(judgement),
            index_id=turn.answer.index_id,
            filters=turn.filters,
        )
        return f"Noted: {judgement}."

    return _guarded(kept, str)


def narrow(corpus: Corpus, filters: Filters, change: object) -> tuple[Filters, str]:
    """Return the filters after a change, and the bar that shows them."""

    def bar(after: Filters, problem: str = "") -> tuple[Filters, str]:
        titles = {doc_id: corpus.document(doc_id).title for doc_id in after.documents}
        return after, narrowing.bar(after, titles, corpus.documents(limit=SOURCES_OFFERED), problem)

    def refused(sentence: str) -> tuple[Filters, str]:
        return filters, narrowing.bar(filters, {}, (), sentence)

    return _guarded(lambda: bar(narrowing.narrowed(filters, change if isinstance(change, dict) else {})), refused)


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
            return source_pane.source_problem(str(error))
        if check.citation is None:
            return source_pane.source_gone(check)
        document = corpus.document(check.citation.doc_id)
        return source_pane.source(
            source_pane.Opened(
                asked,
                check.state,
                check.citation,
                document,
                corpus.source_state(document.doc_id),
                corpus.passage_span(check.citation),
                walk=_citation_keys(walk),
            )
        )

    return _guarded(opened, source_pane.source_problem)


def _citation_keys(ids: object) -> tuple[CitationKey, ...]:
    keys: dict[CitationKey, None] = {}
    for citation_id in ids[:WALK_LIMIT] if isinstance(ids, list) else ():
        try:
            keys[CitationKey.parse(citation_id if isinstance(citation_id, str) else "")] = None
        except ValueError:
            continue
    return tuple(keys)


def status(corpus: Corpus, receiver: str = "") -> str:
    """Return the strip at the top of the page, which also says who receives text."""
    return _guarded(lambda: strip.status_strip(corpus.status(), receiver), strip.status_problem)


def first_visit(corpus: Corpus, examples: Examples) -> FirstVisit:
    """Return the intro and the example questions found so far, or what to do about an empty index."""

    def visit() -> FirstVisit:
        try:
            if not corpus.status().documents:
                return FirstVisit(strip.empty_index(), ())
            offered = examples.offered()
        except IndexEmpty:
            return FirstVisit(strip.empty_index(), ())
        return FirstVisit(strip.welcome(is_looking=offered.is_looking), offered.questions)

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
