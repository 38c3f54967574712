"""The whole: a question and its passages -> what a language model makes of them, with the state of every sentence.

The quotes that Pincite found stay what they are; this stands beside them. The model sees numbered spans and answers
with numbers and prose. What is shown of a span is cut from the document; a sentence that fails the check stands apart.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from index.embedding import Encoder
from qa.followups import Asked, may_lean
from qa.llm.budget import Counter, counter_for
from qa.llm.prompt import NumberedSpan, Prompt, build_prompt
from qa.llm.prose import Written, sentences
from qa.llm.rewriting import MAX_REWRITTEN, REWRITTEN_TOKENS, rewriting_messages, rewritten
from qa.llm.settings import LanguageModelError, Settings
from qa.llm.support import problem
from qa.results import Answer, Citation

if TYPE_CHECKING:
    from qa.corpus import Corpus
    from qa.retrieval import Filters

REWRITING_S = 8.0  # the search waits for it
AT_ONCE = 8  # requests to the model in progress; more are turned away, so that they cannot hold up other questions
PASSAGES = 16  # looked at; the budget takes what fits
SENTENCES = 8  # read of one answer; five are asked for
CHARACTERS_A_TOKEN = 8  # a server that does not keep to the number of tokens is cut off at so many characters for each
NOTHING = "NONE"


class State(StrEnum):
    """How far the model is."""

    WRITING = "writing"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the model.

    Attributes:
        text: its words, without numbers. They are the model's, not a quote.
        numbers: of the spans that it names and that there are.
        problem: why it is unsupported, in a few words; "" when its spans hold it.
    """

    text: str
    numbers: tuple[int, ...]
    problem: str = ""

    @property
    def is_supported(self) -> bool:
        return not self.problem

    def to_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "spans": list(self.numbers),
            "state": "supported" if self.is_supported else "unsupported",
            "problem": self.problem or None,
        }


@dataclass(frozen=True, slots=True)
class Composed:
    """What a language model made of the passages, so far or in the end.

    Attributes:
        receiver: who was sent the text, in words.
        prompt_tokens: of what was sent.
        counted_with: how they were counted.
        state: ``failed`` may still hold sentences that came before the failure.
        sentences: in the order in which they were written.
        spans: those named or picked, in the order of first mention; each shown from its document.
        problem: what went wrong, in one sentence; "" when nothing did.
        read: how many of the model's sentences are in it, those that only pick spans included.
    """

    question: str
    receiver: str
    prompt_tokens: int
    counted_with: str
    state: State = State.WRITING
    sentences: tuple[Sentence, ...] = ()
    spans: tuple[NumberedSpan, ...] = ()
    problem: str = ""
    read: int = 0

    @property
    def supported(self) -> tuple[Sentence, ...]:
        return tuple(sentence for sentence in self.sentences if sentence.is_supported)

    @property
    def unsupported(self) -> tuple[Sentence, ...]:
        return tuple(sentence for sentence in self.sentences if not sentence.is_supported)

    def shown_numbers(self, answer: Answer) -> dict[int, int]:
        """Return under which number each span is shown, by the model's number: its quote's, or the next one free."""
        numbers = {quote.citation.id: number for number, quote in enumerate(answer.quotes, 1)}
        following = len(answer.quotes) + 1
        shown = {}
        for span in self.spans:
            shown[span.number] = numbers.get(span.citation.id, following)
            following += shown[span.number] == following
        return shown

    def to_dict(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "receiver": self.receiver,
            "state": self.state.value,
            "problem": self.problem or None,
            "sentences": [sentence.to_dict() for sentence in self.sentences],
            "spans": [
                {"number": span.number, "quote": span.citation.quote, "citation": span.citation.to_dict()}
                for span in self.spans
            ],
            "prompt_tokens": self.prompt_tokens,
            "counted_with": self.counted_with,
        }


class Model(Protocol):
    """Writes an answer to messages; see `qa.llm.client.Endpoint`."""

    settings: Settings

    def stream(
        self, messages: Sequence[Mapping[str, str]], *, most_tokens: int, seconds: float
    ) -> Generator[str, None, None]: ...


class Composer:
    """Asks a language model about the passages of a corpus. Threads may share one."""

    def __init__(self, corpus: Corpus, model: Model) -> None:
        self._corpus = corpus
        self._model = model
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self.settings = model.settings

    def compose(self, answer: Answer, *, filters: Filters | None = None) -> Iterator[Composed]:
        """Yield what the model makes of the question, each time a sentence is finished; the last one is the whole.

        What the model does or fails to do raises nothing: ``state`` and ``problem`` tell it.
        """
        prompt = build_prompt(
            answer.question,
            quoted_first(self._corpus.segments(answer.question, PASSAGES, filters=filters), answer),
            counter=self._counter,
            most_tokens=self.settings.prompt_tokens,
            mark=f"~{secrets.token_hex(8)}~",
        )
        composed = Composed(answer.question, self.settings.receiver(), prompt.tokens, self._counter.counted_with)
        if not prompt.spans:
            yield replace(composed, state=State.DONE)
        elif not self._free.acquire(blocking=False):
            yield replace(composed, state=State.FAILED, problem="The language model is busy with other questions.")
        else:
            try:
                yield composed
                yield from self._written(prompt, composed)
            finally:
                self._free.release()

    def rewrite(self, question: str, before: Asked) -> str | None:
        """Return a question that leans on the one before it in full, or None where the model gives nothing usable."""
        if not may_lean(question) or not self._free.acquire(blocking=False):
            return None
        try:
            messages = rewriting_messages(question, before)
            seconds = min(REWRITING_S, self.settings.seconds)
            with closing(self._model.stream(messages, most_tokens=REWRITTEN_TOKENS, seconds=seconds)) as pieces:
                return rewritten(_bounded(pieces, 4 * MAX_REWRITTEN), question, before)
        except LanguageModelError:
            return None
        finally:
            self._free.release()

    def _written(self, prompt: Prompt, composed: Composed) -> Iterator[Composed]:
        """Yield the answer after each sentence, checked; what came before a failure is kept."""
        text, state, trouble = "", State.DONE, ""
        try:
            with closing(self._asked(prompt.messages)) as pieces:
                for piece in pieces:
                    text += piece
                    done = sentences(text, finished=False)[:SENTENCES]
                    if len(done) > composed.read:
                        composed = self._with(composed, done, prompt)
                        yield composed
                    if len(done) == SENTENCES or len(text) > self.settings.answer_tokens * CHARACTERS_A_TOKEN:
                        break
        except LanguageModelError as error:
            state, trouble = State.FAILED, str(error)
        composed = self._with(composed, sentences(text, finished=True)[:SENTENCES], prompt)
        yield replace(composed, state=state, problem=trouble)

    def _asked(self, messages: Sequence[Mapping[str, str]]) -> Generator[str, None, None]:
        settings = self.settings
        return self._model.stream(messages, most_tokens=settings.answer_tokens, seconds=settings.seconds)

    def _with(self, composed: Composed, written: Sequence[Written], prompt: Prompt) -> Composed:
        """Return the answer with the sentences that are new in ``written``, and the spans in order of first mention."""
        known = {span.number: span for span in prompt.spans}
        checked, picked = list(composed.sentences), dict.fromkeys(span.number for span in composed.spans)
        for sentence in written[composed.read :]:
            numbers = tuple(number for number in sentence.numbers if number in known)
            picked |= dict.fromkeys(numbers)
            if sentence.text and sentence.text.strip(" .") != NOTHING:
                quotes = [known[number].citation.quote for number in numbers]
                trouble = problem(sentence.text, quotes, cosine=nearness(self._corpus.encoder, sentence.text, quotes))
                checked.append(Sentence(sentence.text, numbers, trouble))
        spans = tuple(known[number] for number in picked)
        return replace(composed, sentences=tuple(checked), spans=spans, read=len(written))

    @cached_property
    def _counter(self) -> Counter:
        return counter_for(self.settings, self._corpus.encoder)


def quoted_first(passages: Iterable[Sequence[Citation]], answer: Answer) -> list[Sequence[Citation]]:
    """Return passages with those first that hold the answer's quotes; otherwise the order is kept."""
    quoted = [quote.citation for quote in answer.quotes]

    def is_quoted(passage: Sequence[Citation]) -> bool:
        return any(s.doc_id == q.doc_id and s.span.overlaps(q.span) for s in passage for q in quoted)

    return sorted(passages, key=lambda passage: not is_quoted(passage))


def nearness(encoder: Encoder, sentence: str, spans: Sequence[str]) -> float:
    """Return how near a sentence is in meaning to the nearest of some spans, or to all of them together; -1..1."""
    if not spans:
        return -1.0
    vectors = encoder.encode_documents([sentence, *spans, " ".join(spans)])
    return float((vectors[1:] @ vectors[0]).max())


def _bounded(pieces: Iterator[str], most: int) -> str:
    text = ""
    for piece in pieces:
        text += piece
        if len(text) > most:
            break
    return text
