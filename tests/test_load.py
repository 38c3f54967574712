"""Many people at once, against a real `pincite chat`: answers stay right, what is too much is refused, memory stays."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import SEEDS

from benchmarks.load import resident_mb, running_page
from index.build import build_index
from index.embedding import BUNDLED_MODEL, load_encoder
from qa.corpus import Corpus
from ui.server import serve

QUESTIONS = (
    "who controls Idlib?",
    "How many people have been displaced since December 1?",
    "Who called Idlib a magnet for terrorist groups?",
    "What is the population of Idlib province?",
    "Who won the 2018 World Cup?",
    "Who is Mark Lowcock?",
)
CROWD = 200
GROWN_MB = 100  # what 200 requests at one moment may leave behind


@pytest.fixture(scope="module")
def index_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("load") / "index"
    build_index(path, [SEEDS], encoder=load_encoder(BUNDLED_MODEL))
    return path


def test_what_is_there_when_the_page_is_up_is_not_looked_through_for_garbage(index_dir: Path) -> None:
    frozen: list[int] = []

    def ready(_: str) -> None:
        frozen.append(gc.get_freeze_count())
        raise KeyboardInterrupt  # as Ctrl-C does

    try:
        serve(Corpus.open(index_dir), on_ready=ready)
    finally:
        gc.unfreeze()
    assert frozen[0] > 100_000


@pytest.fixture(scope="module")
def server(index_dir: Path) -> Iterator[tuple[str, int]]:
    with running_page(index_dir) as page:
        yield page


def said(answer: dict[str, Any]) -> list[Any]:
    """Return all but the scores, whose last digits depend on how many threads multiply."""
    quotes = [(quote["answer"], quote["citation"]["id"]) for claim in answer["claims"] for quote in claim["quotes"]]
    return [answer["verdict"], [claim["text"] for claim in answer["claims"]], quotes, list(answer["missing_words"])]


async def ask(client: httpx.AsyncClient, question: str) -> tuple[str, httpx.Response, float]:
    start = time.perf_counter()
    response = await client.post("/api/v1/ask", json={"question": question})
    return question, response, time.perf_counter() - start


async def crowd(url: str, questions: list[str]) -> list[tuple[str, httpx.Response, float]]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=300, limits=limits) as client:
        return await asyncio.gather(*(ask(client, question) for question in questions))


def test_many_at_once_get_the_answers_that_one_alone_gets(server: tuple[str, int], index_dir: Path) -> None:
    corpus = Corpus.open(index_dir)
    alone = {question: said(corpus.ask(question).to_dict()) for question in QUESTIONS}
    for question, response, _ in asyncio.run(crowd(server[0], [*QUESTIONS] * 5)):
        assert response.status_code == 200
        assert said(response.json()) == alone[question]


def test_a_crowd_is_refused_before_the_median_answer_and_leaves_nothing_behind(server: tuple[str, int]) -> None:
    url, pid = server
    held = resident_mb(pid)
    asked = asyncio.run(crowd(url, [f"Which town number {number} do they control?" for number in range(CROWD)]))
    refused = [(response, seconds) for _, response, seconds in asked if response.status_code == 503]
    answered = [seconds for _, response, seconds in asked if response.status_code == 200]
    assert len(refused) + len(answered) == CROWD
    assert len(refused) > CROWD / 2
    assert all(response.headers["retry-after"].isdigit() for response, _ in refused)
    assert max(seconds for _, seconds in refused) < statistics.median(answered)
    assert resident_mb(pid) < held + GROWN_MB
    (after,) = asyncio.run(crowd(url, [QUESTIONS[0]]))
    assert after[1].status_code == 200
