"""What does the endpoint say? Speaks the OpenAI protocol, within bounds of bytes and seconds. Owns ``openai``."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import httpx2
import openai

from qa.llm.settings import LanguageModelError, Settings

CONNECT_S = 5.0
_SENT_HEADERS = ("accept", "content-length", "content-type", "host", "transfer-encoding")


class Endpoint:
    """A language model behind a URL. Threads may share one; each call is one request, never repeated on failure."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._client = openai.OpenAI(
            base_url=settings.url,
            api_key=settings.api_key or "none",
            max_retries=0,
            http_client=httpx2.Client(transport=_Bounded(settings), follow_redirects=False, trust_env=False),
        )

    def stream(
        self, messages: Sequence[Mapping[str, str]], *, most_tokens: int, seconds: float
    ) -> Generator[str, None, None]:
        """Yield what the model writes, piece by piece; closing this ends the request.

        Raises:
            LanguageModelError: it cannot be reached, refuses, breaks off, or takes too long or too much.
        """
        finished = False
        try:
            with self._opened(messages, most_tokens, seconds) as chunks:
                for chunk in chunks:
                    for choice in chunk.choices or ():
                        finished = finished or bool(choice.finish_reason)
                        if isinstance(choice.delta.content, str) and choice.delta.content:
                            yield choice.delta.content
        except _Stopped as stopped:
            raise LanguageModelError(str(stopped)) from stopped
        except _WHAT_GARBAGE_RAISES as error:
            raise LanguageModelError(self._sentence(error)) from error
        if not finished:
            raise LanguageModelError("The language model's answer broke off.")

    def _opened(self, messages: Sequence[Mapping[str, str]], most_tokens: int, seconds: float) -> closing[Any]:
        """Open the stream; where a server knows only the newer name of the bound, ask again with that."""
        ask: Any = partial(
            self._client.chat.completions.create,
            model=self.settings.model,
            messages=list(messages),
            stream=True,
            timeout=httpx2.Timeout(seconds, connect=min(seconds, CONNECT_S)),
        )
        try:
            return closing(ask(max_tokens=most_tokens, temperature=0))
        except openai.BadRequestError as refusal:
            if "max_completion_tokens" not in str(refusal):
                raise
            return closing(ask(max_completion_tokens=most_tokens))

    def _sentence(self, error: Exception) -> str:
        """Return what went wrong. The server's own words are left out: they may be anything, also what it was sent."""
        host, status = self.settings.host, getattr(error, "status_code", None)
        if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
            return f"The language model at {host} did not answer in time."
        if isinstance(error, openai.APIConnectionError):
            return f"The language model at {host} cannot be reached, or broke off."
        if status in (401, 403):
            return f"{host} refuses the key ({status}). Set PINCITE_LLM_KEY to one it knows."
        if status == 404:
            return f"{host} knows no model {self.settings.model}, or has no such address ({status})."
        if isinstance(status, int) and 300 <= status < 400:
            return f"{host} points to another address ({status}); text is sent to no host but the one that was named."
        if isinstance(status, int):
            return f"The language model at {host} answered with an error ({status})."
        return f"What {host} sent is not what a language model sends."


_WHAT_GARBAGE_RAISES = (
    openai.OpenAIError, httpx2.HTTPError, ValueError, TypeError, AttributeError, LookupError, RecursionError,
)  # fmt: skip


class _Stopped(Exception):
    """A bound was reached; the message says which. No subclass of what the library would translate or repeat."""


class _Bounded(httpx2.HTTPTransport):
    """Sends what is needed and no more, and stops reading at a number of bytes and of seconds.

    The bounds are kept here, below the library, so that they also hold for what it swallows: comments that keep a
    stream alive, lines without an end.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(trust_env=False)
        self._settings = settings
        self._sent = {*_SENT_HEADERS, *(("authorization",) if settings.api_key else ())}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        # the library adds what the environment holds (organisation, project, headers) and facts about this machine
        for name in [name for name in request.headers if name not in self._sent]:
            del request.headers[name]
        seconds = request.extensions["timeout"]["read"]
        ends_at = time.monotonic() + seconds
        response = super().handle_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            response.close()
            raise _Stopped("The language model's answer is compressed, which was not asked for.")
        response.stream = _BoundedStream(
            response.stream, seconds=seconds, ends_at=ends_at, most_bytes=self._settings.answer_bytes
        )
        return response


class _BoundedStream(httpx2.SyncByteStream):
    def __init__(self, stream: Any, *, seconds: float, ends_at: float, most_bytes: int) -> None:
        self._stream = stream
        self._seconds = seconds
        self._ends_at = ends_at
        self._most_bytes = most_bytes

    def __iter__(self) -> Iterator[bytes]:
        taken = 0
        for piece in self._stream:
            taken += len(piece)
            if taken > self._most_bytes:
                raise _Stopped(f"The language model sent more than {self._most_bytes:,} bytes.")
            if time.monotonic() > self._ends_at:
                raise _Stopped(f"The language model took more than {self._seconds:g} seconds.")
            yield piece

    def close(self) -> None:
        self._stream.close()
