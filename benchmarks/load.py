"""How do many people at once fare? The tables of docs/decisions/0012-page.md.

    python -m benchmarks.load INDEX QUESTIONS [--clients 50] [--every-s 10] [--seconds 120] [--pool 60] [--way api]

INDEX is an index folder; QUESTIONS a SQuAD-format file whose questions are asked. ``--pool 60`` draws each question
from 60, as people do who read the same news; ``--pool 0`` never asks one twice. A ``pincite chat`` is started and
loaded from here. Each client asks at its own moment, and again ``--every-s`` later, whether it was answered or not.
Then 200 questions come in one moment over connections that are open already, and last 200 clients keep the queue full
while one more asks again and again, to see what is refused, and how soon. Those two are timed in a process of their own
that goes before others where it may (as root), since all of them have the same cores as the server.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import random
import re
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ui.workers import RETRY_AFTER_S

CROWD = 200
PRESSING, PRESSED_S = 200, 20.0  # clients that keep the queue full, for so long
PATIENCE_S = 1.0  # who is not refused by then has a place in the queue
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question asked: HTTP status (0 when the connection failed), and how long the answer took, in seconds."""

    status: int
    seconds: float


@contextlib.contextmanager
def running_page(index: Path) -> Iterator[tuple[str, int]]:
    """Start ``pincite chat`` and give its address and process id once it can answer."""
    program = [sys.executable, "-c", "from ui.cli import main; main()", "chat", "--index", str(index)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as page:
        try:
            assert page.stdout is not None
            told = (found[0] for line in page.stdout if (found := re.search(r"http://\S+?/", line)))
            if (url := next(told, None)) is None:
                sys.exit("pincite chat ended before it could answer.")
            yield url, page.pid
        finally:
            page.terminate()


def processor_seconds(pid: int) -> float:
    """Return what a process and its threads have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mb(pid: int) -> int:
    """Return the memory that a process holds."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) // 1024  # type: ignore[index]


async def ask_api(client: httpx.AsyncClient, question: str) -> int:
    return (await client.post("/api/v1/ask", json={"question": question})).status_code


async def ask_page(client: httpx.AsyncClient, question: str) -> int:
    """Ask as the page does: into Gradio's queue, and the answer from its stream of events."""
    session = f"{random.getrandbits(64):x}"
    joined = {"data": [question], "fn_index": await _function(client), "session_hash": session}
    sent = await client.post("/gradio_api/queue/join", json=joined)
    if sent.status_code != 200:
        return sent.status_code
    async with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as events:
        async for line in events.aiter_lines():
            if '"process_completed"' in line:
                return 200 if json.loads(line.removeprefix("data: "))["success"] else 503
    return 0


_functions: dict[str, int] = {}


async def _function(client: httpx.AsyncClient) -> int:
    if not _functions:
        config = (await client.get("/config")).json()
        _functions.update({each["api_name"]: each["id"] for each in config["dependencies"] if each["api_name"]})
    return _functions["ask"]


async def timed(client: httpx.AsyncClient, way: Any, question: str) -> Asked:
    start = time.perf_counter()
    try:
        status = await way(client, question)
    except httpx.HTTPError as error:
        print(f"error: {error!r}", flush=True)
        status = 0
    return Asked(status, time.perf_counter() - start)


async def one_client(
    client: httpx.AsyncClient, way: Any, questions: Iterator[str], *, every_s: float, until: float
) -> list[Asked]:
    """Ask at once and then every so often; a late answer delays the next question no further."""
    asked: list[Asked] = []
    due = time.perf_counter() + random.uniform(0, every_s)
    while due < until:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        asked.append(await timed(client, way, next(questions)))
        due = max(due + every_s, time.perf_counter())
    return asked


async def pressing(client: httpx.AsyncClient, questions: list[str], client_number: int) -> None:
    """Keep the queue full: ask, and after a refusal wait as long as it says."""
    for question in reversed(questions):
        asked = await timed(client, ask_api, f"{question} client {client_number}?")
        await asyncio.sleep(RETRY_AFTER_S if asked.status == 503 else 0)


def go_first() -> None:
    with contextlib.suppress(PermissionError):
        os.nice(-10)


def request(url: httpx.URL, question: str) -> bytes:
    body = json.dumps({"question": question}).encode()
    head = f"POST /api/v1/ask HTTP/1.1\r\nhost: {url.netloc.decode()}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def all_at_once(url: httpx.URL, questions: list[str]) -> list[Asked]:
    """Ask all in one moment; an answer is timed when its first bytes come."""
    asked: list[Asked] = []
    with selectors.DefaultSelector() as waiting, contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(socket.create_connection((url.host, url.port))) for _ in questions]
        time.sleep(1)  # the server has taken them all
        start = time.perf_counter()
        for connection, question in zip(sockets, questions, strict=True):
            connection.sendall(request(url, question))
            waiting.register(connection, selectors.EVENT_READ)
        while len(asked) < len(questions):
            for key, _ in waiting.select():
                asked.append(Asked(status_of(key.fileobj.recv(1 << 16)), time.perf_counter() - start))  # type: ignore[union-attr]
                waiting.unregister(key.fileobj)
    return asked


def one_more(url: httpx.URL, questions: list[str]) -> list[Asked]:
    """Ask again and again for a while; who has a place in the queue leaves it to the others."""
    asked: list[Asked] = []
    until = time.perf_counter() + PRESSED_S
    for question in questions:
        if time.perf_counter() > until:
            break
        with socket.create_connection((url.host, url.port), timeout=PATIENCE_S) as connection:
            start = time.perf_counter()
            connection.sendall(request(url, question))
            with contextlib.suppress(TimeoutError):
                asked.append(Asked(status_of(connection.recv(1 << 16)), time.perf_counter() - start))
        time.sleep(0.1)
    return asked


def drawn(questions: list[str], pool: int) -> Iterator[str]:
    """Yield questions from a pool for ever, or each once and in the end other spellings of them."""
    if pool:
        while True:
            yield random.choice(questions[:pool])
    for number, question in enumerate(questions * 10):
        yield question if number < len(questions) else f"{question} {number}"


def row(name: str, asked: list[Asked], extra: str = "") -> str:
    good = sorted(each.seconds for each in asked if each.status == 200)
    refused = sorted(each.seconds for each in asked if each.status == 503)
    errors = len(asked) - len(good) - len(refused)
    refusals = f"{len(refused)} (slowest after {1000 * refused[-1]:.0f} ms)" if refused else "0"
    told = f"{name:28} answered {len(good)}  refused {refusals}  errors {errors}  "
    if good:
        p95 = good[int(0.95 * (len(good) - 1))]
        told += f"p50 {statistics.median(good):.2f} s  p95 {p95:.2f} s  max {good[-1]:.2f} s  "
    return told + extra


async def load(url: str, pid: int, args: argparse.Namespace) -> None:
    data = json.loads(args.questions.read_text())["data"]
    known = [qa["question"] for article in data for paragraph in article["paragraphs"] for qa in paragraph["qas"]]
    random.seed(args.seed)
    random.shuffle(known)
    way = ask_page if args.way == "page" else ask_api
    # the server closes a connection that was idle for 5 s, also while a request is on its way to it
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=3)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        before, held, start = processor_seconds(pid), resident_mb(pid), time.perf_counter()
        questions = drawn(known, args.pool)
        asking = (
            one_client(client, way, questions, every_s=args.every_s, until=start + args.seconds)
            for _ in range(args.clients)
        )
        asked = [each for one in await asyncio.gather(*asking) for each in one]
        spent = (processor_seconds(pid) - before) / max(1, len(asked))
        pool = f"pool of {args.pool}" if args.pool else "all different"
        memory = f"{spent:.3f} s processor a question  memory {held} -> {resident_mb(pid)} MB"
        print(row(f"{args.clients} clients, {pool}", asked, memory), flush=True)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=go_first) as other:
            crowd = other.submit(all_at_once, client.base_url, [f"{known[-n]} now?" for n in range(1, CROWD + 1)])
            print(row(f"{CROWD} at one moment", crowd.result(), f"memory {resident_mb(pid)} MB"), flush=True)
            full = [asyncio.create_task(pressing(client, known, client_number)) for client_number in range(PRESSING)]
            await asyncio.sleep(PRESSED_S / 4)
            late = other.submit(one_more, client.base_url, [f"{question} then?" for question in known])
            print(row("one more, the queue being full", await asyncio.wrap_future(late)))
            for task in full:
                task.cancel()
    print(f"load of the machine {os.getloadavg()[0]:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--every-s", type=float, default=10)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--pool", type=int, default=60, help="0: no question twice")
    parser.add_argument("--way", choices=("api", "page"), default="api")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with running_page(args.index) as (url, pid):
        asyncio.run(load(url, pid, args))


if __name__ == "__main__":
    main()
