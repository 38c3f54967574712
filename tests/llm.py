"""A language model's server for tests: a real process behind a real socket, one for the whole run."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qa.llm.settings import Settings

SERVER = Path(__file__).with_name("llm_server.py")


class Server:
    """Where it is, and what it has been sent."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def settings(self, model: str = "good", **bounds: Any) -> Settings:
        return Settings(f"{self.url}/v1", model, **{"seconds": 20.0, **bounds})

    def received(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.url}/received") as response:
            return list(json.load(response))


@contextmanager
def running_server() -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(SERVER), str(port)])
    try:
        server = Server(port)
        for _ in range(600):
            try:
                server.received()
                break
            except OSError:
                assert process.poll() is None, "the language model's server ended"
                time.sleep(0.1)
        yield server
    finally:
        process.kill()  # it would wait for clients that it keeps waiting
        process.wait()
