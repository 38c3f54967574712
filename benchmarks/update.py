"""What does an update cost? The table of docs/decisions/0007-update.md.

    python -m benchmarks.update DIR [--files 10000] [--chunks 100000] [--first 1000] [--repeats 5]

Makes its documents from made-up words. Where embedding is not the point an encoder is used that takes no time and says
it is the bundled model, so the command line accepts the index. Seconds are medians; processor seconds are those of the
process and its threads, which a busy machine changes less.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.scale import RandomEncoder
from index.build import BuildConfig, build_index
from index.errors import IndexingError
from index.status import status_of

SENTENCES_A_FILE = 110  # about twelve chunks
SENTENCES_A_NOTE = 4
_PINCITE = [sys.executable, "-c", "from ui.cli import main; main()"]
_NOTHING = [sys.executable, "-c", "pass"]


class CountingEncoder(RandomEncoder):
    """Keeps what it embedded."""

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def encode_documents(self, texts: list[str]) -> np.ndarray:
        self.embedded += texts
        return super().encode_documents(texts)


def sentences(random: np.random.Generator, count: int) -> list[str]:
    """Return sentences of 8 to 24 words, drawn from 20,000 made-up words with the frequencies of a language."""
    ranks = np.minimum(random.zipf(1.2, size=(count, 24)), 20_000)
    lengths = random.integers(8, 25, size=count)
    words = [[f"w{rank:05}" for rank in row[:length]] for row, length in zip(ranks, lengths, strict=True)]
    return [f"{' '.join(row).capitalize()}." for row in words]


def write_files(folder: Path, *, count: int, sentences_each: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    for number in range(count):
        path = folder / f"{number // 500:04}" / f"{number:07}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(" ".join(sentences(random, sentences_each)))


def timed(command: list[str], repeats: int) -> tuple[float, float]:
    """Return the medians of wall and processor seconds of a command."""
    walls, spent = [], []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        walls.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return statistics.median(walls), statistics.median(spent)


def unchanged(folder: Path, args: argparse.Namespace) -> None:
    write_files(folder / "docs", count=args.files, sentences_each=SENTENCES_A_NOTE, seed=1)
    build_index(folder / "index", [folder / "docs"], encoder=RandomEncoder())
    time.sleep(2.1)  # younger files might have changed without a trace in their time stamp
    where = ["--index", str(folder / "index")]
    subprocess.run([*_PINCITE, "index", *where], check=True, stdout=subprocess.DEVNULL)
    floor = timed(_NOTHING, args.repeats)
    for name in ("index", "status"):
        wall, spent = timed([*_PINCITE, name, *where], args.repeats)
        print(f"| pincite {name}, {args.files:,} unchanged files | {wall - floor[0]:.2f} | {spent - floor[1]:.2f} | |")


def edited(folder: Path, args: argparse.Namespace) -> None:
    files = max(1, args.chunks // 12)
    write_files(folder / "docs", count=files, sentences_each=SENTENCES_A_FILE, seed=2)
    report = build_index(folder / "index", [folder / "docs"], encoder=RandomEncoder())
    random = np.random.default_rng(3)
    paths = sorted((folder / "docs").rglob("*.txt"))
    walls, spent, embedded, holding = [], [], [], []
    for number in range(args.repeats):
        path = paths[int(random.integers(len(paths)))]
        parts = path.read_text().split(". ")
        parts[int(random.integers(1, len(parts) - 1))] = f"Edit{number} {sentences(random, 1)[0].rstrip('.')}"
        path.write_text(". ".join(parts))
        encoder = CountingEncoder()
        wall, processor = time.perf_counter(), time.process_time()
        build_index(folder / "index", [], encoder=encoder, config=BuildConfig())
        walls.append(time.perf_counter() - wall)
        spent.append(time.process_time() - processor)
        embedded.append(len(encoder.embedded))
        holding.append(sum(f"Edit{number} " in text for text in encoder.embedded))
    note = f"{statistics.mean(embedded):.1f} chunks embedded, {statistics.mean(holding):.1f} hold the sentence"
    row = f"{statistics.median(walls):.2f} | {statistics.median(spent):.2f} | {note} |"
    print(f"| one sentence edited, {report.chunks:,} chunks | {row}")


def first_commit(folder: Path, args: argparse.Namespace) -> None:
    write_files(folder / "docs", count=args.first, sentences_each=SENTENCES_A_NOTE, seed=4)
    start = time.perf_counter()
    command = [*_PINCITE, "index", str(folder / "docs"), "--index", str(folder / "index")]
    building = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    ready = None
    while building.poll() is None:
        if ready is None and _documents(folder / "index"):
            ready = time.perf_counter() - start
        time.sleep(0.05)
    whole = time.perf_counter() - start
    print(
        f"| {args.first:,} new documents, first ones searchable | {ready or whole:.2f} | | whole build {whole:.1f} s |"
    )


def _documents(index_dir: Path) -> int:
    try:
        return status_of(index_dir).documents
    except IndexingError:  # not there yet, or just being made
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    measures: list[Callable[[Path, argparse.Namespace], None]] = [first_commit, unchanged, edited]
    print("| what | s | processor s | |\n|---|---|---|---|")
    for measure in measures:
        folder = args.folder / measure.__name__
        if folder.exists():
            raise SystemExit(f"{folder} is there already; give a folder that is new.")
        measure(folder, args)


if __name__ == "__main__":
    main()
