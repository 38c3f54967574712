"""The documents as a model of the chat completions protocol, under ``/v1``, so that any chat program can ask them."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote as percent_encoded

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, BeforeValidator, Field
from starlette.exceptions import HTTPException

from index.errors import IndexingError
from qa.errors import AnsweringError, QuestionError
from qa.escaping import markdown_line
from qa.export import blocks, number_of
from qa.followups import Asked, complete, may_lean
from ui.api_models import refuse_long, what_is_wrong
from ui.workers import TooBusy

if TYPE_CHECKING:
    from qa.corpus import Corpus
    from qa.results import Answer
    from ui.workers import Workers

PREFIX = "/v1"
BODY_LIMIT = 1_000_000  # bytes: chat programs send the whole conversation with each question
MODEL = "pincite"
LEANING = 8  # questions, at most, that lean one on the other
_UNEXPECTED = "Something went wrong; the server's log says what."

_log = logging.getLogger(__name__)


class Part(BaseModel):
    type: str
    text: str = ""


def _in_parts(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


class Message(BaseModel):
    role: str
    content: Annotated[list[Part], BeforeValidator(_in_parts)] = []

    @property
    def text(self) -> str:
        return "\n".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    include_usage: bool = False


class CompletionRequest(BaseModel):
    """What is read of a request. How to sample, at which temperature and the like mean nothing here and are ignored."""

    model: str
    messages: list[Message] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """An answer as a message of the protocol.

    Attributes:
        pieces: the message in Markdown, in the pieces in which it is streamed.
        annotations: the place of each citation in it, as the protocol gives citations.
        usage: tokens of the questions and of the message, counted by the index's encoder.
    """

    answer: Answer
    pieces: tuple[str, ...]
    annotations: list[dict[str, Any]]
    usage: dict[str, int]


def build_completions(corpus: Corpus, workers: Workers) -> FastAPI:
    """Return the protocol as an application to mount at ``PREFIX``."""
    served = FastAPI(openapi_url=None, exception_handlers=_HANDLERS)

    @served.get("/models")
    def models() -> Response:
        return JSONResponse({"object": "list", "data": [_model(corpus)]})

    @served.get("/models/{name}")
    def model(name: str) -> Response:
        _refuse_other_model(name)
        return JSONResponse(_model(corpus))

    @served.post("/chat/completions")
    async def completions(asked: CompletionRequest, request: Request) -> Response:
        _refuse_other_model(asked.model)
        questions = _questions(asked)
        page = f"{request.url.scheme}://{percent_encoded(request.headers['host'], safe=':[]')}/"
        told = await asyncio.wrap_future(workers.submit(_tell, corpus, questions, page))
        if not asked.stream:
            return JSONResponse(_completion(told))
        with_usage = asked.stream_options is not None and asked.stream_options.include_usage
        return StreamingResponse(_events(told, with_usage=with_usage), media_type="text/event-stream")

    return served


def _questions(asked: CompletionRequest) -> list[str]:
    """Return what the user has said, last the question."""
    messages = [message for message in asked.messages if message.role == "user"]
    if not messages:
        raise HTTPException(400, "There is no message of the user in the request.")
    for part in messages[-1].content:
        if part.type != "text":
            raise HTTPException(400, f"Only text can be asked; the message has a part of type {part.type[:40]!r}.")
    refuse_long(messages[-1].text)
    return [message.text for message in messages]


# --- answers --------------------------------------------------------------------------------------------------------


def _tell(corpus: Corpus, questions: Sequence[str], page: str) -> Told:
    answer, is_completed = _answer(corpus, questions)
    searched = [f"Searched for: {markdown_line(answer.question)} (from the question before)"] if is_completed else []
    parts = [*searched, *blocks(answer, page=page)]
    pieces = (*(f"{part}\n\n" for part in parts[:-1]), parts[-1])
    text, count = "".join(pieces), corpus.encoder.token_starts
    asked, given = sum(len(count(question)) for question in questions), len(count(text))
    usage = {"prompt_tokens": asked, "completion_tokens": given, "total_tokens": asked + given}
    return Told(answer, pieces, _annotations(answer, text, page), usage)


def _answer(corpus: Corpus, questions: Sequence[str]) -> tuple[Answer, bool]:
    """Return the answer to the last question, completed from those before it that it leans on, as the page does.

    The protocol brings the questions of a conversation, not their answers: they are asked again, which costs nothing
    while the corpus remembers them.
    """
    first = len(questions) - 1
    while first and len(questions) - first < LEANING and may_lean(questions[first]):
        first -= 1
    before: Answer | None = None
    for question in questions[first:-1]:
        with suppress(QuestionError):
            before = corpus.ask(_in_full(question, before) or question)
    full = _in_full(questions[-1], before)
    return corpus.ask(full or questions[-1]), full is not None


def _in_full(question: str, before: Answer | None) -> str | None:
    return complete(question, Asked.of(before)) if before else None


def _annotations(answer: Answer, text: str, page: str) -> list[dict[str, Any]]:
    found = []
    for number, quote in enumerate(answer.quotes, 1):
        link = number_of(number, quote.citation, page)
        start = text.index(link)
        place = {"url": f"{page}?cite={quote.citation.id}", "title": quote.citation.title}
        cited = {"start_index": start, "end_index": start + len(link), **place}
        found.append({"type": "url_citation", "url_citation": cited})
    return found


# --- the protocol's shapes ------------------------------------------------------------------------------------------


def _completion(told: Told) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(told.pieces), "refusal": None, "annotations": told.annotations}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    head = _head(told, "chat.completion", _new_id())
    return {**head, "choices": [choice], "usage": told.usage, "pincite": told.answer.to_dict()}


def _events(told: Told, *, with_usage: bool) -> Iterator[str]:
    """Yield the message piece by piece; citations and the whole answer come with the last one."""
    head = _head(told, "chat.completion.chunk", _new_id())

    def event(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return _event({**head, "choices": [choice], **more})

    yield event({"role": "assistant", "content": ""})
    for piece in told.pieces:
        yield event({"content": piece})
    yield event({"annotations": told.annotations}, "stop", pincite=told.answer.to_dict())
    if with_usage:
        yield _event({**head, "choices": [], "usage": told.usage})
    yield "data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def _head(told: Told, kind: str, new_id: str) -> dict[str, Any]:
    made = {"id": new_id, "object": kind, "created": int(time.time()), "model": MODEL}
    return {**made, "system_fingerprint": told.answer.index_id}


def _new_id() -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"


def _model(corpus: Corpus) -> dict[str, Any]:
    built = int(datetime.fromisoformat(corpus.status().built_at).timestamp())
    return {"id": MODEL, "object": "model", "created": built, "owned_by": "pincite"}


# --- errors ---------------------------------------------------------------------------------------------------------


def _refuse_other_model(name: str) -> None:
    if name != MODEL:
        raise HTTPException(404, f"There is no model {name[:80]!r} here; the documents are the model {MODEL!r}.")


_CODES = {404: "model_not_found", 413: "context_length_exceeded", 503: "unavailable"}


def _problem(
    status: int, sentence: str, param: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    told = {"message": sentence, "type": kind, "param": param, "code": _CODES.get(status)}
    return JSONResponse({"error": told}, status, headers)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, RequestValidationError):
        return _problem(400, *what_is_wrong(error.errors()[0]))
    if isinstance(error, HTTPException):
        return _problem(error.status_code, str(error.detail), headers=error.headers)
    if isinstance(error, QuestionError):
        return _problem(400, str(error), "messages")
    if isinstance(error, TooBusy):
        return _problem(503, str(error), headers={"retry-after": str(error.retry_after_s)})
    if isinstance(error, (IndexingError, AnsweringError)):
        return _problem(503, str(error))
    _log.error("a completion failed", exc_info=error)
    return _problem(500, _UNEXPECTED)


_FORESEEN = (RequestValidationError, HTTPException, QuestionError, TooBusy, IndexingError, AnsweringError, Exception)
_HANDLERS: dict[Any, Any] = dict.fromkeys(_FORESEEN, _refused)
