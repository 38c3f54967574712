"""What is measured of each system. One function a measure; each runs in processes of its own and returns figures."""

from __future__ import annotations

import resource
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
from benchmarks.peers.session import Session, SystemFailed, Timed

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
    return {**figures, **_medians("ingest", [done]), "ingest_mb": session.peak_mb, "disk_mb": disk / 1e6}


def warm(system: System, corpus: Corpus, pool: Sequence[str], label: str) -> Figures:
    """Questions, an unchanged run and added documents, in one process that has the index open."""
    figures: Figures = {}
    with system.session(corpus) as session:
        session.request("open")
        for question in corpus.questions[:WARM_UPS]:
            session.request("retrieve", question=question.text, k=K)
        figures |= _retrieved(session, corpus)
        if not system.cannot("ask"):
            asked = [session.timed("ask", question=question.text) for question in corpus.questions[:ANSWERS]]
            figures |= _percentiles("ask", asked)
        if not system.cannot("rerun"):
            figures |= _medians("rerun", [session.timed("rerun", folder=str(corpus.folder))])
        figures |= _medians("add", _added(session, corpus, pool, label))
    return {**figures, "warm_mb": session.peak_mb}


def _retrieved(session: Session, corpus: Corpus) -> Figures:
    took = [session.timed("retrieve", question=question.text, k=K) for question in corpus.questions]
    hits = [
        question.answered_by in one.reply
        for question, one in zip(corpus.questions, took, strict=True)
        if question.answered_by and not corpus.table
    ]
    return _percentiles("retrieve", took) | ({"hit_at_5": statistics.mean(hits)} if hits else {})


def _added(session: Session, corpus: Corpus, pool: Sequence[str], label: str) -> list[Timed]:
    took: list[Timed] = []
    while len(took) < ADDED and sum(one.seconds for one in took) < ENOUGH_S:
        took.append(_add(session, corpus, pool, f"{label}-{len(took)}"))
    return took


def _add(session: Session, corpus: Corpus, pool: Sequence[str], label: str) -> Timed:
    """Add a document and find it.

    Raises:
        SystemFailed: the question that only it answers does not find it.
    """
    words = ONE_CHUNK[0] if corpus.table else WORDS_OF_AN_ADDED_DOCUMENT
    text, question = added_document(pool, label, words=words)
    added = session.timed("add", name=question.answered_by, text=text)
    found = session.timed("retrieve", question=question.text, k=K)
    if question.answered_by not in found.reply:
        raise SystemFailed("failed: the added document is not found")
    return Timed(None, added.seconds + found.seconds, added.cpu_s + found.cpu_s)


def cold(system: System, corpus: Corpus, pool: Sequence[str], label: str) -> Figures:
    """From the start of a process to the passages of one question; to a cited answer where the system has answers."""
    question = corpus.questions[0].text
    figures = _new_process(
        "retrieve", system, corpus, lambda session: session.request("retrieve", question=question, k=K)
    )
    return figures if system.cannot("ask") else figures | _new_process("ask", system, corpus, lambda session: None)


def cold_rerun(system: System, corpus: Corpus, pool: Sequence[str], label: str) -> Figures:
    """From the start of a process to the end of a run that found nothing changed."""
    if system.cannot("rerun"):
        return {}
    return _new_process("rerun", system, corpus, lambda session: session.request("rerun", folder=str(corpus.folder)))


def cold_add(system: System, corpus: Corpus, pool: Sequence[str], label: str) -> Figures:
    """From the start of a process until a document was added, saved and found."""
    return _new_process("add", system, corpus, lambda session: _add(session, corpus, pool, f"cold-{label}"))


def _new_process(what: str, system: System, corpus: Corpus, work: Callable[[Session], object]) -> Figures:
    """Return what a new process takes: by the system's command line where it has one, else by opening the index."""
    if command := system.command(what, corpus):
        return _medians(f"cold_{what}", [_run(system, command)])
    with system.session(corpus) as session:
        session.request("open")
        work(session)
        seconds = session.elapsed_s()
    return _medians(f"cold_{what}", [Timed(None, seconds, session.cpu_s)])


def _run(system: System, command: Sequence[str]) -> Timed:
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=surroundings(system.python), capture_output=True, text=True)
    if done.returncode:
        raise SystemFailed(f"failed: {(done.stderr.strip().splitlines() or ['no words'])[-1][:200]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Timed(None, time.perf_counter() - start, spent)


def _medians(name: str, took: Sequence[Timed]) -> Figures:
    return {
        f"{name}_s": statistics.median(one.seconds for one in took),
        f"{name}_cpu_s": statistics.median(one.cpu_s for one in took),
    }


def _percentiles(name: str, took: Sequence[Timed]) -> Figures:
    seconds = [one.seconds for one in took]
    return {
        f"{name}_p50_ms": 1000 * statistics.median(seconds),
        f"{name}_p95_ms": 1000 * percentile_95(seconds),
        f"{name}_cpu_ms": 1000 * statistics.median(one.cpu_s for one in took),
    }


def percentile_95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0]


Measure = Callable[[System, Corpus, Sequence[str], str], Figures]

MEASURES: dict[str, Measure] = {measure.__name__: measure for measure in (ingest, cold, cold_rerun, warm, cold_add)}
