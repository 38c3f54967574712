"""What is measured of each system. One function a measure; each runs in processes of its own and returns figures."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.corpus import ONE_CHUNK, WORDS_OF_AN_ADDED_DOCUMENT, Corpus, added_document
from benchmarks.peers.environments import surroundings
from benchmarks.peers.session import Session, SystemFailed

SERVE = Path(__file__).parent / "serve.py"
K = 5
WARM_UPS = 5
ANSWERS = 100
ADDED = 5
ENOUGH_S = 20  # what takes long is repeated until it took so long

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class System:
    """A system ready to run.

    Attributes:
        name: its adapter's.
        about: its adapter's title, chunking, what it cannot do and why, and its commands if it has any.
        limit_s: after so long without a reply it is given up.
    """

    name: str
    python: Path
    adapter: Path
    model: Path
    cache: Path
    limit_s: float
    about: dict[str, Any]

    def index(self, corpus: Corpus) -> Path:
        return self.cache / "indexes" / corpus.name / self.name

    def session(self, corpus: Corpus) -> Session:
        command = [str(self.python), "-P", str(SERVE), str(self.adapter), "--model", str(self.model)]
        command += ["--index", str(self.index(corpus)), *(["--table"] if corpus.table else [])]
        log = self.cache / "logs" / f"{self.name}.txt"
        log.parent.mkdir(parents=True, exist_ok=True)
        return Session(command, environ=surroundings(self.python), log=log, limit_s=self.limit_s)

    def cannot(self, what: str) -> str | None:
        return self.about.get("cannot", {}).get(what)

    def command(self, what: str, corpus: Corpus) -> list[str] | None:
        """Return the command line by which a person would do this, None where the system has none."""
        pattern = self.about.get("commands", {}).get(what)
        if pattern is None:
            return None
        values = {"python": self.python, "index": self.index(corpus), "question": corpus.questions[0].text}
        return [part.format(**values) for part in pattern]


def ingest(system: System, corpus: Corpus, pool: Sequence[str], label: str) -> Figures:
    """A new index of the whole folder, saved. The model is loaded before, where the system loads it first."""
    index = system.index(corpus)
    shutil.rmtree(index, ignore_errors=True)
    with system.session(corpus) as session:
        session.request("ready")
        done = session.timed("ingest", folder=str(corpus.folder))
        figures = session.request("tokens")
    disk = sum(path.stat().st_size for path in index.rglob("*") if path.is_file())
    figures |= {"ingest_s": done.seconds, "ingest_cpu_s": done.cpu_s}
    return {**figures, "ingest_mb": session.peak_mb, "disk_mb": disk / 1e6}


def warm(system: System, corpus: Corpus, pool: Sequence[str], label: str) -> Figures:
    """Questions, an unchanged run and added documents, in one process that has the index open."""
    figures: Figures = {}
    with system.session(corpus) as session:
        session.request("open")
        for question in corpus.questions[:WARM_UPS]:
            session.request("retrieve", question=question.text, k=K)
        figures |= _retrieved(session, corpus)
        if not system.cannot("ask"):
            asked = [session.timed("ask", question=question.text).seconds for question in corpus.questions[:ANSWERS]]
            figures |= {"ask_p50_ms": 1000 * statistics.median(asked), "ask_p95_ms": 1000 * percentile_95(asked)}
        if not system.cannot("rerun"):
            figures["rerun_s"] = session.timed("rerun", folder=str(corpus.folder)).seconds
        figures["add_s"] = statistics.median(_added(session, corpus, pool, label))
    return {**figures, "warm_mb": session.peak_mb}


def _retrieved(session: Session, corpus: Corpus) -> Figures:
    took, hits = [], []
    for question in corpus.questions:
        took.append(session.timed("retrieve", question=question.text, k=K))
        if question.answered_by and not corpus.table:
            hits.append(question.answered_by in took[-1].reply)
    seconds = [one.seconds for one in took]
    figures = {
        "retrieve_p50_ms": 1000 * statistics.median(seconds),
        "retrieve_p95_ms": 1000 * percentile_95(seconds),
        "retrieve_cpu_ms": 1000 * statistics.median(one.cpu_s for one in took),
    }
    return figures | ({"hit_at_5": statistics.mean(hits)} if hits else {})


def _added(session: Session, corpus: Corpus, pool: Sequence[str], label: str) -> list[float]:
    seconds: list[float] = []
    while len(seconds) < ADDED and sum(seconds) < ENOUGH_S:
        start = time.perf_counter()
        _add(session, corpus, pool, f"{label}-{len(seconds)}")
        seconds.append(time.perf_counter() - start)
    return seconds


def _add(session: Session, corpus: Corpus, pool: Sequence[str], label: str) -> None:
    """Add a document and find it.

    Raises:
        SystemFailed: the question that only it answers does not find it.
    """
    words = ONE_CHUNK[0] if corpus.table else WORDS_OF_AN_ADDED_DOCUMENT
    text, question = added_document(pool, label, words=words)
    session.request("add", name=question.answered_by, text=text)
    if question.answered_by not in session.request("retrieve", question=question.text, k=K):
        raise SystemFailed("failed: the added document is not found")


def cold(system: System, corpus: Corpus, pool: Sequence[str], label: str) -> Figures:
    """From the start of a process to the passages of one question; to a cited answer where the system has answers."""
    if command := system.command("retrieve", corpus):
        figures = {"cold_retrieve_s": _run(system, command)}
    else:
        with system.session(corpus) as session:
            session.request("open")
            session.request("retrieve", question=corpus.questions[0].text, k=K)
            figures = {"cold_retrieve_s": session.elapsed_s()}
    if command := system.command("ask", corpus):
        figures["cold_ask_s"] = _run(system, command)
    return figures


def cold_rerun(system: System, corpus: Corpus, pool: Sequence[str], label: str) -> Figures:
    """From the start of a process to the end of a run that found nothing changed."""
    if system.cannot("rerun"):
        return {}
    if command := system.command("rerun", corpus):
        return {"cold_rerun_s": _run(system, command)}
    with system.session(corpus) as session:
        session.request("open")
        session.request("rerun", folder=str(corpus.folder))
        return {"cold_rerun_s": session.elapsed_s()}


def cold_add(system: System, corpus: Corpus, pool: Sequence[str], label: str) -> Figures:
    """From the start of a process until a document was added, saved and found."""
    with system.session(corpus) as session:
        session.request("open")
        _add(session, corpus, pool, f"cold-{label}")
        return {"cold_add_s": session.elapsed_s()}


def _run(system: System, command: Sequence[str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, env=surroundings(system.python), capture_output=True, text=True)
    if done.returncode:
        raise SystemFailed(f"failed: {(done.stderr.strip().splitlines() or ['no words'])[-1][:200]}")
    return time.perf_counter() - start


def percentile_95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0]


Measure = Callable[[System, Corpus, Sequence[str], str], Figures]

MEASURES: dict[str, Measure] = {measure.__name__: measure for measure in (ingest, cold, cold_rerun, warm, cold_add)}
