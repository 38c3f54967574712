"""Is Pincite still as many times faster as it was? Ratios within one run, so that the machine cancels out.

    python -m benchmarks.guard

Each comparison does the same work twice, as Pincite does it and as a person would without it, in turn, and compares
processor seconds of all threads, the least of some rounds. Exits with 1 when a ratio is below its bound. Bounds leave
about a third of what was measured to noise: docs/decisions/0015-benchmark.md.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.build import build_index
from index.embedding import load_encoder, unit_rows
from index.minilm import model_folder
from index.vectors import VectorIndex

PROJECT = Path(__file__).parents[1]
DIMENSION = 384
ROUNDS = 3
REST_S = 0.2  # threads of the work before wait for more of it at full speed: OpenBLAS's for some hundredths


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two ways to do the same work, and how many times cheaper the first is at least."""

    name: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    at_least: float

    def ratio(self, rounds: int = ROUNDS) -> float:
        """Return the processor time of theirs over that of ours; both run once before, for what is loaded then."""
        self.ours(), self.theirs()
        pairs = [(processor_s(self.ours), processor_s(self.theirs)) for _ in range(rounds)]
        ours, theirs = map(min, zip(*pairs, strict=True))
        return theirs / ours


def processor_s(work: Callable[[], object]) -> float:
    """Return the processor seconds of the work, of all threads and of the processes it waited for."""
    time.sleep(REST_S)
    before = _spent()
    work()
    return _spent() - before


def _spent() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def embedding(texts: Sequence[str]) -> Comparison:
    """The bundled encoder against ``SentenceTransformer.encode`` with its defaults, on the same weights."""
    from sentence_transformers import SentenceTransformer

    plain, encoder = SentenceTransformer(str(model_folder()), device="cpu"), load_encoder()
    return Comparison("embedding", lambda: encoder.encode_documents(texts), lambda: plain.encode(list(texts)), 1.8)


def nearest(folder: Path, *, vectors: int, queries: int = 20) -> Comparison:
    """The vector index against the product with all vectors and a partial sort, float32, on random vectors."""
    random = np.random.default_rng(0)
    rows = unit_rows(random.standard_normal((vectors, DIMENSION), dtype=np.float32))
    asked = unit_rows(random.standard_normal((queries, DIMENSION), dtype=np.float32))
    index = VectorIndex.create(folder, DIMENSION)
    index.update(added=[(np.arange(vectors), rows)], removed=np.empty(0, dtype=np.int64))

    def brute_force() -> None:
        for query in asked:
            scores = rows @ query
            best = np.argpartition(-scores, 50)[:50]
            best[np.argsort(-scores[best])]

    return Comparison("nearest vectors", lambda: [index.search(query, k=50) for query in asked], brute_force, 3.0)


def first_answer(folder: Path) -> Comparison:
    """``pincite ask`` in a new process against a new process that only imports sentence-transformers."""
    build_index(folder, [PROJECT / "seeds"], encoder=load_encoder())
    ask = "from ui.cli import main; main()", "ask", "--index", str(folder), "who controls Idlib?"

    def run(*code: str) -> None:
        subprocess.run([sys.executable, "-c", *code], check=True, stdout=subprocess.DEVNULL, cwd=PROJECT)

    return Comparison("first answer", lambda: run(*ask), lambda: run("import sentence_transformers"), 4.0)


@contextmanager
def comparisons() -> Iterator[list[Callable[[], Comparison]]]:
    """Yield what is compared; each is made when it is called, in a folder that goes at the end."""
    words = " ".join(path.read_text() for path in sorted(PROJECT.glob("docs/decisions/*.md"))).split()
    texts = [" ".join(words[at : at + 90]) for at in range(0, 64 * 90, 90)]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vectors").mkdir()
        yield [
            lambda: embedding(texts),
            lambda: nearest(Path(folder) / "vectors", vectors=100_000),
            lambda: first_answer(Path(folder) / "index"),
        ]


def is_kept(comparison: Comparison, ratio: float) -> bool:
    """Print a comparison's line and return whether its bound holds."""
    kept = ratio >= comparison.at_least
    verdict = "" if kept else "  BELOW ITS BOUND"
    print(f"{comparison.name:20} {ratio:6.2f} times cheaper, bound {comparison.at_least}{verdict}", flush=True)
    return kept


def main() -> int:
    with comparisons() as made:
        held = [is_kept(comparison, comparison.ratio()) for comparison in (make() for make in made)]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
