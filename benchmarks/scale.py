"""What does an index of N chunks cost? The table of docs/decisions/0008-scale.md.

    python -m benchmarks.scale DIR [--chunks 10000 100000 1000000] [--words FILE] [--asked DATASET] [--json FILE]

Grows one index in DIR through the store, some thousand chunks a commit, and measures it in fresh processes at each
size. A run that was stopped goes on where it was. Texts are runs of words: of FILE when given, with every tenth word
drawn anew, else drawn from 50,000 made-up words with the frequencies of a language. Vectors are random unit vectors,
the hardest there are for approximate search. With --asked the documents of a data set that `pincite eval` reads are
indexed among the others, with the bundled model, and its questions are put to `retrieve` and `ask`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from index.build import build_index
from index.documents import Source, Span, content_hash
from index.embedding import Fingerprint, load_encoder, unit_rows
from index.packing import pack_spans
from index.search_folder import Difference, remove_search_folders, write_search_folder
from index.store import FILE_NAME, Place, PlannedChunk, PlannedDocument, Store
from qa.corpus import Corpus
from qa.datasets import read_dataset, write_documents

CHUNKS_A_DOCUMENT = 4
WORDS_A_CHUNK = 130
CHUNKS_A_COMMIT = 8_192
VOCABULARY = 50_000
QUESTIONS = 200
WORDS_A_QUESTION = 4


class RandomEncoder:
    """Takes no time: what is measured is beyond embedding. Says it is the bundled model, so that this can ask too."""

    fingerprint: Fingerprint = load_encoder().fingerprint

    def token_starts(self, text: str) -> np.ndarray:
        return np.flatnonzero(np.asarray([" ", *text]) == " ")[:-1]

    def encode_documents(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self.encode_question(text) for text in texts])

    def encode_question(self, text: str) -> np.ndarray:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
        return random_units(np.random.default_rng(seed), 1)[0]


def random_units(random: np.random.Generator, count: int) -> np.ndarray:
    return unit_rows(random.standard_normal((count, RandomEncoder.fingerprint.dimension), dtype=np.float32))


class Words:
    """Texts without end, the same for the same seed."""

    def __init__(self, path: Path | None) -> None:
        random = np.random.default_rng(0)
        letters = np.asarray(list("etaoinshrdlucmfwypvbgk"))
        made = {"".join(random.choice(letters, random.integers(3, 11))) for _ in range(VOCABULARY * 2)}
        self.made = np.asarray(sorted(made)[:VOCABULARY])
        random.shuffle(self.made)
        self.real = path.read_text(errors="replace").split() if path else None

    def text(self, random: np.random.Generator, count: int) -> list[str]:
        drawn = self.made[(VOCABULARY ** random.random(count)).astype(int)]  # about Zipf's law
        if self.real is not None:
            start = int(random.integers(0, max(1, len(self.real) - count)))
            real = np.asarray(self.real[start : start + count])  # an array of all would be as wide as the longest
            drawn = np.where(random.random(len(real)) < 0.9, real, drawn[: len(real)])
        return drawn.tolist()


def grow(directory: Path, chunks: int, words: Words) -> None:
    """Add documents until the index has so many chunks; `build_index` starts it, so that it can be updated too."""
    index_dir = directory / "index"
    if not index_dir.exists():
        add_file(directory, words)
        build_index(index_dir, [directory / "folder"], encoder=RandomEncoder())
    store = Store.create_or_open(index_dir / FILE_NAME)
    try:
        while (held := store.counts()[1]) < chunks:
            started, started_cpu = time.monotonic(), time.process_time()
            commit(store, min(CHUNKS_A_COMMIT, chunks - held), words)
            row = {"chunks": store.counts()[1], "s": time.monotonic() - started}
            row |= {"cpu_s": time.process_time() - started_cpu}
            with open(directory / "growth.jsonl", "a") as log:
                log.write(json.dumps(row) + "\n")
    finally:
        store.close()


def add_file(directory: Path, words: Words) -> str:
    """Write one more document into the folder that the index covers, and return the word that only it has."""
    folder = directory / "folder"
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.iterdir()))
    own = f"newcomer{number}"
    text = " ".join([own, *words.text(np.random.default_rng(10**6 + number), 300)])
    (folder / f"{number}.txt").write_text(text)
    return own


def commit(store: Store, count: int, words: Words) -> None:
    """Add a generation of ``count`` chunks, as a build does."""
    generation = store.generation + 1
    random = np.random.default_rng(generation)
    plans = [document(words, random) for _ in range(-(-count // CHUNKS_A_DOCUMENT))]
    keys = [chunk.vector_key for plan in plans for chunk in plan.chunks]
    store.put_vectors(keys, random_units(random, len(keys)))
    names = [f"made/{generation}/{plan.doc_id}.txt" for plan in plans]
    with store.transaction():
        added = store.put_documents(plans)
        store.replace_places(
            [], [Place(plan.doc_id, name, Source(name)) for plan, name in zip(plans, names, strict=True)]
        )
        store.set_meta(generation=generation, index_id=f"{generation:012x}")
        dimension = RandomEncoder.fingerprint.dimension
        write_search_folder(store, generation, dimension=dimension, since=Difference(added, ()))
    remove_search_folders(store.path.parent, keep=(generation - 1, generation))


def document(words: Words, random: np.random.Generator) -> PlannedDocument:
    texts = [" ".join(words.text(random, WORDS_A_CHUNK)) for _ in range(CHUNKS_A_DOCUMENT)]
    starts = np.cumsum([0, *(len(text) + 1 for text in texts)]).tolist()
    spans = [Span(start, start + len(text)) for start, text in zip(starts, texts, strict=False)]
    text = "\n".join(texts)
    digest = content_hash(text)
    planned = tuple(PlannedChunk(span, hashlib.sha256(f"{digest}{span}".encode()).digest()[:16]) for span in spans)
    return PlannedDocument(digest[:16], text, None, pack_spans(spans), planned)


# each of these runs in a process of its own


def measure_update(arguments: argparse.Namespace) -> dict[str, float]:
    """Add one document with `build_index`, live in a reader that had opened the index before."""
    corpus = Corpus.open(arguments.directory / "index", encoder=RandomEncoder())
    own = add_file(arguments.directory, Words(arguments.words))
    started = time.perf_counter()
    build_index(arguments.directory / "index", [arguments.directory / "folder"], encoder=RandomEncoder())
    built = time.perf_counter()
    found = corpus.retrieve(own, 3)
    live = time.perf_counter()
    if not any(own in passage.text for passage in found):
        raise SystemExit("The new document is not found.")
    return {"update_s": built - started, "live_s": live - started}


def measure_reading(arguments: argparse.Namespace) -> dict[str, Any]:
    random, words = np.random.default_rng(5), Words(arguments.words)
    questions = [" ".join(words.text(random, WORDS_A_QUESTION)) for _ in range(QUESTIONS)]
    started = time.perf_counter()
    corpus = Corpus.open(arguments.directory / "index", encoder=RandomEncoder())
    opened = time.perf_counter()
    corpus.retrieve(questions[0])
    first = time.perf_counter()
    found: dict[str, Any] = {"open_s": opened - started, "first_s": first - opened}
    found |= {f"retrieve_{name}": value for name, value in timed(corpus.retrieve, questions).items()}
    found |= parts(corpus, questions)
    snapshot = corpus._current().snapshot
    found["recall_at_50"] = recall(snapshot, [RandomEncoder().encode_question(question) for question in questions[:20]])
    found |= memory("beyond embedding")
    embedding = Corpus.open(arguments.directory / "index")
    embedding.retrieve(questions[0])
    found |= {f"with_embedding_{name}": value for name, value in timed(embedding.retrieve, questions).items()}
    return found | memory("with model")


def measure_asking(arguments: argparse.Namespace) -> dict[str, Any]:
    """Put a data set's questions to an index that holds its documents among the others."""
    if not arguments.asked:
        return {}
    dataset, folder = read_dataset(arguments.asked), arguments.directory / "asked"
    if not folder.exists():
        folder.mkdir()
        write_documents(dataset, folder)
    build_index(arguments.directory / "index", [folder], encoder=load_encoder())
    answered = [question.text for question in dataset.questions if question.answers]
    questions = answered[:: max(1, len(answered) // QUESTIONS)][:QUESTIONS]
    corpus = Corpus.open(arguments.directory / "index")
    corpus.ask("What is warmed up?")
    found = {f"asked_retrieve_{name}": value for name, value in timed(corpus.retrieve, questions).items()}
    found |= {f"ask_{name}": value for name, value in timed(corpus.ask, questions).items()}
    return found | memory("that answers")


def parts(corpus: Corpus, questions: Sequence[str]) -> dict[str, float]:
    """Return the time of the two searches alone."""
    snapshot, encoder = corpus._current().snapshot, RandomEncoder()
    from qa.retrieval import lexical_terms

    dense = timed(lambda text: snapshot.vectors.search(encoder.encode_question(text), k=200), questions)
    lexical = timed(lambda text: snapshot.lexical.search(lexical_terms(text), k=200), questions)
    version = timed(lambda _: corpus._current(), questions)
    return {"dense_p50_ms": dense["p50_ms"], "lexical_p50_ms": lexical["p50_ms"], "version_p50_ms": version["p50_ms"]}


def recall(snapshot: Any, queries: Sequence[np.ndarray]) -> float:
    """Return the share of the 50 nearest by exact arithmetic that search returns."""
    ids, matrix = snapshot.vectors.ids, np.stack(queries)
    scores = np.concatenate(
        [matrix @ snapshot.vectors.vectors_of(ids[at : at + 8192]).T for at in range(0, len(ids), 8192)], axis=1
    )
    best = ids[np.argpartition(-scores, 50, axis=1)[:, :50]]
    found = [snapshot.vectors.search(query, k=50)[0] for query in matrix]
    return float(np.mean([len(np.intersect1d(*pair)) / 50 for pair in zip(best, found, strict=True)]))


def timed(call: Callable[[str], Any], questions: Sequence[str]) -> dict[str, float]:
    wall, cpu = [], []
    for question in questions:
        started, started_cpu = time.perf_counter(), time.process_time()
        call(question)
        wall.append((time.perf_counter() - started) * 1000)
        cpu.append((time.process_time() - started_cpu) * 1000)
    percentiles = statistics.quantiles(wall, n=20)
    return {"p50_ms": statistics.median(wall), "p95_ms": percentiles[-1], "cpu_p50_ms": statistics.median(cpu)}


def memory(when: str) -> dict[str, float]:
    """Return the peak of resident memory, and of what is resident now the share that is mapped files."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    status = Path("/proc/self/status")
    rows = dict(line.split(":", 1) for line in status.read_text().splitlines()) if status.exists() else {}
    mapped = float(rows["RssFile"].split()[0]) / 1024 if "RssFile" in rows else float("nan")
    return {f"peak_mb {when}": peak, f"mapped_mb {when}": mapped}


def size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


MEASUREMENTS = {"update": measure_update, "reading": measure_reading, "asking": measure_asking}


def in_fresh_process(name: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.scale", *sys.argv[1:], "--only", name]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(output))


def measure(directory: Path, chunks: int) -> dict[str, Any]:
    rows = [json.loads(line) for line in (directory / "growth.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["chunks"] <= chunks]
    search = directory / "index" / "search"
    newest = max(search.iterdir(), key=lambda folder: int(folder.name))
    found = {
        "chunks": chunks,
        "ms_a_chunk": 1000 * sum(row["s"] for row in rows) / chunks,
        "cpu_ms_a_chunk": 1000 * sum(row["cpu_s"] for row in rows) / chunks,
        "commit_p50_s": statistics.median(row["s"] for row in rows),
        "commit_max_s": max(row["s"] for row in rows),
        "store_mb": size_mb(directory / "index") - size_mb(search),
        "vectors_mb": size_mb(newest / "vectors"),
        "lexical_mb": size_mb(newest / "lexical"),
    }
    for name in MEASUREMENTS:
        found |= in_fresh_process(name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--words", type=Path)
    parser.add_argument("--asked", type=Path, metavar="DATASET")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=MEASUREMENTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(MEASUREMENTS[arguments.only](arguments)))
        return
    results = []
    for chunks in arguments.chunks:
        grow(arguments.directory, chunks, Words(arguments.words))
        results.append(measure(arguments.directory, chunks))
        for name, value in results[-1].items():
            print(f"{name:32} {value:12.3f}", flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
