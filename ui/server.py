"""Serves the page on this machine: who may ask, what may be asked for, and how large it may be."""

from __future__ import annotations

import gc
import ipaddress
import logging
import os
import shutil
import socket
import tempfile
import threading
import webbrowser
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui import api, completions
from ui.examples import Examples
from ui.updates import Updates
from ui.uploads import MAX_UPLOAD_BYTES
from ui.workers import Workers

if TYPE_CHECKING:
    from qa.corpus import Corpus
    from qa.llm.composing import Composer

DEFAULT_PORT = 7860
PORTS_TRIED = 100
BODY_LIMIT = 128_000  # bytes of one request; a typed question is at most 20,000 characters, in JSON up to 6 bytes each
WAITING_EVENTS = 64  # of the page; more are refused at once

# What the page never asks for: files of this machine, other machines, uploads, sessions of others, documentation.
# "info" stays open: it lists our one named endpoint, and gradio_client asks for it.
_BLOCKED = (
    "file=", "file/", "proxy=", "upload", "deep_link", "stream/", "run/", "call/", "api/", "openapi.json",
    "component_server", "process_recording", "monitoring", "mcp", "runs", "run-history", "login", "logout", "token",
)  # fmt: skip
_PREFIX = "/gradio_api/"

_CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)
_HEADERS = {
    "content-security-policy": _CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}

_log = logging.getLogger(__name__)


class Gate:
    """ASGI middleware: refuses foreign hosts and origins, blocked routes and large bodies; adds security headers."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app = app
        self.host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        refusal = self._refusal(scope["path"], Headers(scope=scope))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await (refusal or self.app)(scope, receive, send_with_headers)

    def _refusal(self, path: str, headers: Headers) -> Response | None:
        if not is_own_host(headers.get("host", ""), self.host):
            return _refuse(400, "This page is not served under that host name.")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers["host"]:
            return _refuse(403, "Requests from other sites are refused.")
        if is_blocked(path) or not path.isprintable():
            return _refuse(404, "Not found.")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > body_limit(path) or "transfer-encoding" in headers:
            return _refuse(413, f"The request is too large; at most {body_limit(path):,} bytes are read.")
        return None


def _refuse(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence, "field": None}, status)


def body_limit(path: str) -> int:
    """Return how many bytes a request to a path may carry."""
    if path == f"{api.PREFIX}/uploads":
        return MAX_UPLOAD_BYTES
    if path.startswith(f"{completions.PREFIX}/"):
        return completions.BODY_LIMIT
    return api.BODY_LIMIT if path.startswith(f"{api.PREFIX}/") else BODY_LIMIT


def is_own_host(header: str, bound: str) -> bool:
    """Say whether a Host header names this machine: a page elsewhere that resolves to here (DNS rebinding) does not."""
    try:
        name = urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return False
    if name in ("localhost", "127.0.0.1", "::1", bound.strip("[]").lower()):
        return True
    return not _is_loopback(bound) and (_is_address(name) or name == socket.gethostname().lower())


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host.strip("[]")).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def is_blocked(path: str) -> bool:
    """Say whether a path is one that the page never asks for. Gradio serves its routes with and without a prefix."""
    if path.startswith(f"{api.PREFIX}/"):
        return False
    return path.removeprefix(_PREFIX).lstrip("/").startswith(_BLOCKED)


@dataclass(frozen=True, slots=True)
class RunningPage:
    """A page that is being served; ``stop`` ends it."""

    url: str
    stop: Callable[[], None]


def start(
    corpus: Corpus, *, host: str = "127.0.0.1", port: int | None = None, composer: Composer | None = None
) -> RunningPage:
    """Serve the page in the background and return once it answers.

    Args:
        corpus: what the page asks.
        host: address to listen on; anything but the default lets other machines in.
        port: None takes 7860, or the next free one.
        composer: asks a language model beside the quotes; None asks none.

    Raises:
        OSError: the named port, or each of 100 ports, is taken.
    """
    private_folder = tempfile.mkdtemp(prefix="pincite-")
    _prepare_environment(private_folder)
    from ui import app  # Gradio takes seconds to import and reads its environment while it does

    workers, updates, examples = Workers(), Updates(corpus), Examples(corpus)
    page = app.build_page(corpus, workers, examples, composer)
    page.queue(api_open=False, max_size=WAITING_EVENTS)
    page.launch(
        server_name=host,
        server_port=free_port(host, port),
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        show_error=False,
        inline=False,
        inbrowser=False,
        root_path="",
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        run_history=False,
        footer_links=[],
        max_file_size=1,
        state_session_capacity=200,
        app_kwargs={
            "middleware": [Middleware(Gate, host=host)],
            "routes": [
                Mount(api.PREFIX, api.build_api(corpus, workers, updates, composer)),
                Mount(completions.PREFIX, completions.build_completions(corpus, workers)),
            ],
            "docs_url": None,
            "redoc_url": None,
            "openapi_url": None,
        },
        **app.look(),
    )

    def stop() -> None:
        page.close(verbose=False)
        workers.stop()
        shutil.rmtree(private_folder, ignore_errors=True)

    return RunningPage(page.local_url, stop)


def serve(
    corpus: Corpus,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    composer: Composer | None = None,
    open_browser: bool = False,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the page until Ctrl-C. ``on_ready`` is called with its address once it can answer; nothing is printed here.

    Raises:
        OSError: see `start`.
        AnsweringError, IndexingError: a model cannot be loaded.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="warming up") as pool:  # the models come while Gradio is imported
        warming = pool.submit(corpus.warm_up)
        page = start(corpus, host=host, port=port, composer=composer)
    _log.info("serving the page at %s", page.url)
    try:
        warming.result()
        gc.freeze()  # what is there now stays: looking through all of it for garbage would stop everybody for 0.3 s
        if on_ready:
            on_ready(page.url)
        if open_browser:
            webbrowser.open(page.url)
        threading.Event().wait()
    except KeyboardInterrupt:
        _log.info("stopped")
    finally:
        page.stop()


def free_port(host: str, port: int | None) -> int:
    """Return the named port, or the first free one from 7860 on.

    Raises:
        OSError: it is taken, or all are.
    """
    for candidate in [port] if port is not None else range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED):
        if _is_free(host, candidate):
            return candidate
    if port is not None:
        raise OSError(f"Port {port} is taken by another program. Name another one, or none to have a free one chosen.")
    raise OSError(f"No free port from {DEFAULT_PORT} to {DEFAULT_PORT + PORTS_TRIED - 1}. Name one with --port.")


def _is_free(host: str, port: int) -> bool:
    address = host.strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _prepare_environment(private_folder: str) -> None:
    """Keep Gradio from phoning home, from asking a proxy for this machine, and from sharing a folder with others."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = private_folder
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "localhost,127.0.0.1,::1")))
