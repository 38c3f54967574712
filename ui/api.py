"""The HTTP API beside the page, under ``/api/v1``: the same answers as ``--json``, typed, with its OpenAPI document."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from index.errors import DocumentNotFound, IndexEmpty, IndexingError
from qa.errors import AnsweringError, QuestionError
from qa.export import as_dict
from ui import handlers
from ui.api_models import (
    AnswerModel,
    AskRequest,
    CitationCheckModel,
    DocumentsModel,
    HealthModel,
    OpenRequest,
    Problem,
    RetrievalModel,
    RetrieveRequest,
    StatusModel,
    UpdateModel,
    UploadedModel,
    refuse_long,
    what_is_wrong,
)
from ui.asking import answer_soon
from ui.uploads import UploadRefused, save_upload
from ui.workers import TooBusy

if TYPE_CHECKING:
    from index.documents import Document
    from qa.corpus import Corpus
    from qa.llm.composing import Composer
    from ui.updates import Updates
    from ui.workers import Workers

PREFIX = "/api/v1"
BODY_LIMIT = 64_000  # bytes of a request that is no upload
DOCUMENTS_LIMIT = 200
_UNEXPECTED = "Something went wrong; the server's log says what."

_log = logging.getLogger(__name__)

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": why}
    for status, why in {
        400: "There is no question.",
        404: "There is no such path.",
        413: "The question or the request is too long.",
        422: "A field is missing or of the wrong kind; `field` names it.",
        503: "Too many questions are waiting (`Retry-After` says when to try again), or there is no usable index.",
    }.items()
}


def build_api(corpus: Corpus, workers: Workers, updates: Updates, composer: Composer | None = None) -> FastAPI:
    """Return the API as an application to mount at ``PREFIX``; its document is at ``openapi.json`` there."""
    api = FastAPI(
        title="Pincite",
        version="1",
        description="Answers from your documents as quotes with their exact places. Offsets are code points.",
        docs_url=None,
        redoc_url=None,
        responses=_PROBLEMS,
        exception_handlers=_HANDLERS,
    )

    _add_questions(api, corpus, workers, composer)
    _add_citations(api, corpus)
    _add_index(api, corpus, updates)
    return api


def _add_questions(api: FastAPI, corpus: Corpus, workers: Workers, composer: Composer | None) -> None:
    @api.post("/ask", response_model=AnswerModel)
    async def ask(asked: AskRequest) -> Response:
        """Answer a question with quotes, or say that the documents do not."""
        refuse_long(asked.question)
        if asked.compose and composer is None:
            return _problem(422, "No language model is configured, so nothing can be composed.", "compose")
        filters = asked.filters.filters()
        answer = await asyncio.wrap_future(answer_soon(corpus, workers, asked.question, filters=filters))
        composed = None
        if asked.compose and composer is not None:
            *_, composed = await run_in_threadpool(lambda: list(composer.compose(answer, filters=filters)))
        return JSONResponse(with_utf16(as_dict(answer, composed), corpus.document))

    @api.post("/retrieve", response_model=RetrievalModel)
    async def retrieve(asked: RetrieveRequest) -> Response:
        """Return the best passages for a question, best first."""
        refuse_long(asked.question)
        soon = workers.submit(corpus.retrieve, asked.question, asked.k, filters=asked.filters.filters())
        found = await asyncio.wrap_future(soon)
        return JSONResponse(with_utf16({"passages": [passage.to_dict() for passage in found]}, corpus.document))


def _add_citations(api: FastAPI, corpus: Corpus) -> None:
    @api.get("/documents", response_model=DocumentsModel)
    def documents(
        offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
        limit: Annotated[int, Query(ge=1, le=DOCUMENTS_LIMIT)] = 100,
    ) -> Response:
        """List the documents in order of their paths."""
        listed = [_document(document) for document in corpus.documents(offset=offset, limit=limit)]
        return JSONResponse({"total": corpus.status().documents, "documents": listed})

    @api.get("/citations/{citation_id}", response_model=CitationCheckModel)
    def cite(citation_id: Annotated[str, Path(max_length=80)]) -> Response:
        """Say what a citation points at today: valid, moved, changed or deleted."""
        try:
            check = corpus.cite(citation_id)
        except ValueError as error:
            return _problem(422, str(error), "citation_id")
        return JSONResponse(with_utf16(check.to_dict(), corpus.document))

    @api.post("/reader", response_class=HTMLResponse, include_in_schema=False)
    def open_in_reader(opened: OpenRequest) -> Response:
        """Return the page's reader with a citation in it."""
        return HTMLResponse(handlers.open_citation(corpus, opened.cite, opened.walk))


def _add_index(api: FastAPI, corpus: Corpus, updates: Updates) -> None:
    @api.get("/status", response_model=StatusModel)
    def status() -> Response:
        """Say what is indexed, from what and when, and what has changed on disk since."""
        return JSONResponse({**corpus.status().to_dict(), "update": updates.state().to_dict()})

    @api.get("/health", response_model=HealthModel)
    def health() -> Response:
        """Say that questions can be answered; 503 when they cannot."""
        corpus.status()
        return JSONResponse({"status": "ok"})

    @api.get("/update", response_model=UpdateModel)
    def update() -> Response:
        """Say how the index stands to its folders, and how far a running update is."""
        return JSONResponse(updates.state().to_dict())

    @api.post("/update", response_model=UpdateModel, status_code=202)
    def start_update() -> Response:
        """Start bringing the index up to date; questions are answered meanwhile. Does nothing while one runs."""
        updates.start()
        return JSONResponse(updates.state().to_dict(), 202)

    @api.post("/uploads", response_model=UploadedModel, status_code=201, include_in_schema=False)
    async def upload(request: Request, name: Annotated[str, Query(max_length=1_000)]) -> Response:
        """Put one file, the request's body, into the corpus folder. The page's drop zone calls this."""
        if request.headers.get("content-type") != "application/octet-stream":  # no form of another site can send that
            raise UploadRefused("Send the file's bytes as application/octet-stream.", 415)
        folder = corpus.inbox()
        try:
            folder.mkdir(exist_ok=True)
            target = await save_upload(folder, name, request.stream())
        except OSError as error:
            return _problem(507, f"The file cannot be written: {error.strerror or 'the system refuses'}.")
        updates.look_now()
        return JSONResponse({"name": target.name, "sentence": f"{target.name} is in {folder.name}"}, 201)


def with_utf16(value: Any, document: Callable[[str], Document]) -> Any:
    """Return an answer's JSON with a ``utf16`` beside every set of offsets."""
    if isinstance(value, list):
        return [with_utf16(item, document) for item in value]
    if not isinstance(value, dict):
        return value
    widened = {key: with_utf16(item, document) for key, item in value.items()}
    offsets = {key: at for key, at in value.items() if key.endswith(("start", "end")) and isinstance(at, int)}
    doc_id = value.get("doc_id") or (value.get("citation") or {}).get("doc_id")
    if offsets and doc_id:
        widened["utf16"] = _utf16_of(offsets, doc_id, document)
    return widened


def _utf16_of(offsets: dict[str, int], doc_id: str, document: Callable[[str], Document]) -> dict[str, int | None]:
    try:
        text = document(doc_id).text
    except DocumentNotFound:  # a newer generation dropped it since the answer was given
        return dict.fromkeys(offsets)
    return {key: at if text.isascii() else len(text[:at].encode("utf-16-le")) // 2 for key, at in offsets.items()}


def _document(document: Document) -> dict[str, Any]:
    return {
        "doc_id": document.doc_id,
        "title": document.title,
        "source": document.source,
        "path": document.path,
        "also_in": [source.path for source in document.sources[1:]],
        "date": document.date,
        "characters": len(document.text),
    }


# --- errors: one shape for all of them ------------------------------------------------------------------------------


def _problem(
    status: int, sentence: str, field: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    return JSONResponse({"error": sentence, "field": field}, status, headers)


async def _invalid(_: Request, error: Any) -> JSONResponse:
    return _problem(422, *what_is_wrong(error.errors()[0]))  # without the value, which may be anything


async def _question(_: Request, error: Any) -> JSONResponse:
    return _problem(400, str(error), "question")


async def _no_index(_: Request, error: Any) -> JSONResponse:
    return _problem(503, "The index has no documents yet." if isinstance(error, IndexEmpty) else str(error))


async def _busy(_: Request, error: Any) -> JSONResponse:
    return _problem(503, str(error), headers={"retry-after": str(error.retry_after_s)})


async def _refused_upload(_: Request, error: Any) -> JSONResponse:
    return _problem(error.status, str(error), "name")


async def _http(_: Request, error: Any) -> JSONResponse:
    field = "question" if error.status_code == 413 else None
    return _problem(error.status_code, str(error.detail), field, error.headers)


async def _unexpected(_: Request, error: Exception) -> JSONResponse:
    _log.error("the API failed", exc_info=error)
    return _problem(500, _UNEXPECTED)


_HANDLERS: dict[Any, Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    RequestValidationError: _invalid,
    QuestionError: _question,
    IndexingError: _no_index,
    AnsweringError: _no_index,
    TooBusy: _busy,
    UploadRefused: _refused_upload,
    HTTPException: _http,
    Exception: _unexpected,
}
