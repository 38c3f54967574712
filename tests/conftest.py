"""What the tests share: a deterministic encoder that needs no model, small corpora, and the data folder."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings
from llm import Server, running_server

from index.build import BuildConfig, BuildReport, build_index
from index.embedding import Fingerprint, unit_rows
from qa.corpus import Corpus
from qa.reader import Query, Readable, Reading
from qa.span_reader import coverage

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PROJECT = Path(__file__).parent.parent
SEEDS = PROJECT / "seeds"

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("repeatable")


class StubEncoder:
    """Texts that share words have similar vectors; counts what it embeds.

    Each word, lower-cased, has a pseudo-random direction; a text is the sum of its words' directions.
    """

    def __init__(self, model: str = "stub", dimension: int = 32) -> None:
        self.fingerprint = Fingerprint(model, hashlib.sha256(model.encode()).hexdigest(), dimension, max_tokens=64)
        self.embedded: list[str] = []

    def token_starts(self, text: str) -> np.ndarray:
        return np.asarray([match.start() for match in re.finditer(r"\w+|[^\w\s]", text)], dtype=np.int64)

    def encode_documents(self, texts: Sequence[str]) -> np.ndarray:
        self.embedded += texts
        return unit_rows(np.stack([self._sum_of_words(text) for text in texts]))

    def encode_question(self, text: str) -> np.ndarray:
        return unit_rows(self._sum_of_words(text)[None])[0]

    def _sum_of_words(self, text: str) -> np.ndarray:
        words = re.findall(r"\w+", text.lower()) or [""]
        seeds = (int.from_bytes(hashlib.sha256(word.encode()).digest()[:4]) for word in words)
        return sum(np.random.default_rng(seed).normal(size=self.fingerprint.dimension) for seed in seeds)

    def of_model(self, model: str) -> StubEncoder:
        """Return an encoder that differs in name and weights alone."""
        other = StubEncoder(model)
        other.fingerprint = replace(other.fingerprint, dimension=self.fingerprint.dimension)
        return other


class StubReader:
    """Answers with the whole segment that holds the largest share of the question's content words, if that is half."""

    threshold = 0.5
    passages_read = 8

    @classmethod
    def load(cls) -> StubReader:
        return cls()

    def read(self, query: Query, readables: Sequence[Readable]) -> list[Reading]:
        readings = []
        for readable in readables:
            for segment in readable.segments:
                start = readable.passage.span.start
                words = readable.passage.text[segment.start - start : segment.end - start]
                readings.append(Reading(readable, segment, coverage(query.terms, words)))
        return sorted(readings, key=lambda reading: -reading.score)


@pytest.fixture
def encoder() -> StubEncoder:
    return StubEncoder()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corpus folder of three texts."""
    path = tmp_path / "docs"
    path.mkdir()
    (path / "rivers.txt").write_text("The Danube flows through Vienna. The Rhine flows through Cologne.\n")
    (path / "cheese.txt").write_text("Gouda is a Dutch cheese. Brie comes from France.\n")
    (path / "space.md").write_text("---\ntitle: Space news\ndate: 2021-02-18\n---\nThe rover landed on Mars.\n")
    return path


@pytest.fixture
def ram_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: tests that build hundreds of times need not wait for a disk's syncs."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="pincite-test-") as folder:
        yield Path(folder)


@pytest.fixture
def index_dir(tmp_path: Path) -> Path:
    return tmp_path / "index"


Build = Callable[..., BuildReport]


@pytest.fixture
def build(folder: Path, index_dir: Path, encoder: StubEncoder) -> Build:
    """Return a function that builds or updates the index of ``folder``."""

    def run(*roots: Path, encoder: StubEncoder = encoder, **config: object) -> BuildReport:
        return build_index(index_dir, roots or [folder], encoder=encoder, config=BuildConfig(**config))

    return run


@pytest.fixture
def corpus(build: Build, index_dir: Path, encoder: StubEncoder) -> Corpus:
    build()
    return Corpus.open(index_dir, encoder=encoder, reader=StubReader())


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of public evaluation data, which is no part of the project."""
    path = Path(os.environ.get("PINCITE_DATA", PROJECT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no evaluation data in {path}; set PINCITE_DATA")
    return path


@pytest.fixture(scope="session")
def llm_server() -> Iterator[Server]:
    """A process that speaks a language model's protocol; the name of the model says how well."""
    with running_server() as server:
        yield server


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage"
).split()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        reason = "there is no Chromium on this machine; browser tests need it"
        pytest.fail(reason) if os.environ.get("PINCITE_REQUIRE_BROWSER") == "1" else pytest.skip(reason)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()
