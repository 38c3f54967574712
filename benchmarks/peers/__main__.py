"""Pincite and its peers side by side, on the same documents, the same machine and the same model weights.

    python -m benchmarks.peers [DATA...] [--documents 1000] [--chunks 1000 10000] [--only NAME...] [--json FILE]

DATA is SQuAD-format JSON, a BEIR folder, or a folder of text files; documents are made where none is given. A run that
was stopped goes on where it was. docs/benchmark.md says how each figure is taken and how to add a system.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.corpus import Corpus, Texts, made_documents, read_texts, sentences, write_corpus
from benchmarks.peers.environments import ADAPTERS, PROJECT, InstallError, about, prepare
from benchmarks.peers.measures import MEASURES, System
from benchmarks.peers.session import TOO_LONG, SystemFailed
from benchmarks.peers.table import GROWTH, OURS, behind, failures, growth_table, summary, table
from index.minilm import model_folder
from index.threads import usable_cores

GROWN = ("ingest", "cold", "warm")
TOKENS_A_SECOND = 4_000
USUAL_S = {"cold": 6, "cold_rerun": 7, "warm": 20, "cold_add": 8}


@dataclass(frozen=True, slots=True)
class Step:
    """One measure of one system on one corpus; ``key`` is its name in the records."""

    corpus: Corpus
    measure: str
    repeat: int
    system: str

    @property
    def key(self) -> str:
        return f"{self.corpus.name}/{self.measure}/{self.repeat}/{self.system}"

    def expected_s(self) -> float:
        if self.measure != "ingest":
            return USUAL_S[self.measure] * (1 + self.corpus.documents / 20_000)
        return self.corpus.documents / 500 if self.corpus.table else 1.5 * self.corpus.words / TOKENS_A_SECOND


class Records:
    """Figures on disk, one JSON line each, so that a run goes on where it was stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.rows: dict[str, dict[str, Any]] = {row["key"]: row for row in map(json.loads, lines)}

    def add(self, step: Step, figures: Mapping[str, Any]) -> None:
        row = {"key": step.key, "corpus": step.corpus.name, "system": step.system, "figures": figures}
        self.rows[step.key] = row
        with open(self.path, "a") as file:
            file.write(json.dumps(row) + "\n")

    def forget(self, systems: Sequence[str]) -> None:
        """Remove the figures of some systems."""
        self.rows = {key: row for key, row in self.rows.items() if row["system"] not in systems}
        self.path.write_text("".join(json.dumps(row) + "\n" for row in self.rows.values()))

    def has(self, step: Step) -> bool:
        """Whether there are figures; what failed is tried again, unless it took too long."""
        failed = self.rows.get(step.key, {"figures": {"failed": "not yet"}})["figures"].get("failed")
        return failed is None or failed.startswith(TOO_LONG)

    def of(self, corpus: Corpus) -> list[dict[str, Any]]:
        return [row for row in self.rows.values() if row["corpus"] == corpus.name]


def steps(corpora: Sequence[Corpus], systems: Sequence[str], repeats: int) -> Iterator[Step]:
    """Yield all steps: systems take turns within a measure, so that a busy minute hits them alike."""
    for corpus in corpora:
        for measure in GROWN if corpus.table else MEASURES:
            for repeat in range(1 if corpus.table or measure in ("ingest", "warm") else repeats):
                for system in systems:
                    yield Step(corpus, measure, repeat, system)


def carry_out(step: Step, system: System, pool: Sequence[str]) -> dict[str, Any]:
    if step.measure != "ingest" and not system.index(step.corpus).exists():
        return {"failed": "no index"}
    try:
        return MEASURES[step.measure](system, step.corpus, pool, str(step.repeat))
    except SystemFailed as error:
        if step.measure == "ingest":
            shutil.rmtree(system.index(step.corpus), ignore_errors=True)
        return {"failed": str(error)}


def ready_systems(args: argparse.Namespace) -> dict[str, System]:
    """Install what is missing; systems that cannot be installed are named and left out."""
    found = {}
    for name in args.only:
        adapter = ADAPTERS / f"{name}.py"
        try:
            python = prepare(adapter, args.cache)
        except InstallError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        found[name] = System(name, python, adapter, model_folder(), args.cache, args.limit, about(adapter))
    return found


def corpora_of(texts: Texts, pool: Sequence[str], sizes: Sequence[int], cache: Path) -> list[Corpus]:
    digest = hashlib.sha256(json.dumps(texts.documents).encode()).hexdigest()[:8]
    corpora = [write_corpus(f"{len(texts.documents)}-{digest}", texts, cache)]
    for size in sizes:
        made = dict(made_documents(pool, size))
        corpora.append(write_corpus(f"made-{size}-{digest}", Texts(made, texts.questions), cache, table=True))
    return corpora


def run(args: argparse.Namespace) -> dict[str, Any]:
    args.cache.mkdir(parents=True, exist_ok=True)
    texts = read_texts(args.data, documents=args.documents, characters=args.characters)
    pool = sentences(list(texts.documents.values()))
    corpora = corpora_of(texts, pool, args.chunks, args.cache)
    systems = ready_systems(args)
    records = Records(args.cache / f"records-{usable_cores()}-cores.jsonl")
    if args.fresh:
        records.forget(list(systems))
    wanted = [step for step in steps(corpora, list(systems), args.repeats) if not records.has(step)]
    deadline = time.monotonic() + 60 * args.minutes
    for number, step in enumerate(wanted):
        left = sum(later.expected_s() for later in wanted[number:]) / 60
        print(f"[{number + 1}/{len(wanted)}, about {left:.0f} min left] {step.key}", file=sys.stderr, flush=True)
        figures = carry_out(step, systems[step.system], pool)
        records.add(step, figures)
        if time.monotonic() > deadline and number + 1 < len(wanted):
            print("Time is up; the same command goes on from here.", file=sys.stderr)
            break
    return report(corpora, systems, records)


def report(corpora: Sequence[Corpus], systems: Mapping[str, System], records: Records) -> dict[str, Any]:
    abouts = {name: system.about for name, system in systems.items()}
    first, *grown = corpora
    results = summary(records.of(first), documents=first.documents)
    by_size = {corpus.documents: summary(records.of(corpus), documents=corpus.documents) for corpus in grown}
    kept = {name: results[name] for name in systems if name in results}
    sizes = {size: {name: own[name] for name in systems if name in own} for size, own in by_size.items()}
    return {
        "machine": machine(),
        "documents": first.documents,
        "words": first.words,
        "questions": len(first.questions),
        "systems": abouts,
        "results": kept,
        "growth": sizes,
        "table": table(kept, abouts),
        "growth_table": growth_table(sizes, abouts) if any(sizes.values()) else "",
        "failures": failures(kept, abouts)
        + [f"{size:,} chunks, {line}" for size, own in sizes.items() for line in failures(own, abouts)],
        "behind": behind(kept, abouts)
        + [f"{size:,} chunks, {line}" for size, own in sizes.items() for line in behind(own, abouts, GROWTH)],
    }


def machine() -> dict[str, Any]:
    processor = platform.processor() or platform.machine()
    return {"processor": processor, "cores": usable_cores(), "python": platform.python_version()}


def main() -> None:
    every = sorted((path.stem for path in ADAPTERS.glob("*.py")), key=lambda name: (name != OURS, name))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", type=Path, help="SQuAD-format JSON, BEIR folders, folders of text files")
    parser.add_argument("--documents", type=int, default=1_000)
    parser.add_argument("--characters", type=int, default=3_000, help="where longer documents are cut")
    parser.add_argument("--chunks", type=int, nargs="*", default=[1_000, 10_000], help="sizes of the growth")
    parser.add_argument("--only", nargs="+", choices=every, default=every, metavar="NAME", help=", ".join(every))
    parser.add_argument("--repeats", type=int, default=2, help="of what starts a process")
    parser.add_argument("--cores", type=int, help="which each system may use; 1 is steadier on a busy machine")
    parser.add_argument("--limit", type=float, default=300, help="seconds without a reply until one is given up")
    parser.add_argument("--minutes", type=float, default=10**6, help="stop after; run again to go on")
    parser.add_argument("--fresh", action="store_true", help="forget what was measured of these systems")
    parser.add_argument("--cache", type=Path, default=PROJECT / ".bench")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    if args.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.cores])  # every process started from here has it
    found = run(args)
    print(found["table"], found["growth_table"], sep="\n\n")
    print("\nWhat failed:", *(found["failures"] or ["nothing"]), sep="\n- ")
    print("\nPincite is behind in:", *(found["behind"] or ["nothing measured"]), sep="\n- ")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
