"""How fast are embedding and reading, next to sentence-transformers and to what the processor can add and multiply?

    python -m benchmarks.embedding [TEXT] [--rounds 3] [--json FILE]

One run, one machine, all cores, the same chunks of 110 words from TEXT (default: the seed document). Ways take turns
in each round; a figure is the median of the rounds. Ratios are told by the clock and by processor time, which a busy
machine changes less. The limit is the larger of two measured rates of a float32 matrix product, NumPy's on every core
and PyTorch's; products in 8 bits may go beyond it. The table of docs/decisions/0014-embedding.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from index import minilm
from index.embedding import load_encoder, unit_rows
from index.layers import Layers, in_parallel
from qa.restoring import LOWERED, load_restorer
from qa.span_reader import SpanReader

SEED_DOCUMENT = Path(__file__).parent.parent / "seeds" / "000_fd202e94ced50b5a.txt"
WORDS_A_CHUNK, CHUNKS = 110, 48
WORDS_A_PASSAGE, PASSAGES = 150, 8
QUESTION = "who controls Idlib?"
MATRIX = 1024
PRODUCTS = 4

Way = Callable[[], object]


def pieces_of(text: str, words: int, count: int) -> list[str]:
    """Return so many runs of so many words, from the beginning again when the text ends."""
    all_words = text.split()
    endless = all_words * (1 + words * count // len(all_words))
    return [" ".join(endless[at : at + words]) for at in range(0, words * count, words)]


def operations(tokens: int) -> float:
    """Return the multiplications and additions of one pass over so many tokens, attention included."""
    width = minilm.WIDTH
    matrices = width * 3 * width + width * width + 2 * width * 4 * width
    return 2.0 * minilm.LAYERS * tokens * (matrices + 2 * tokens * width)


def products() -> dict[str, Way]:
    """Return ways to make `PRODUCTS` products of large float32 matrices."""
    left, right = torch.randn(MATRIX, MATRIX), torch.randn(MATRIX, MATRIX)
    a, b = left.numpy(), right.numpy()
    return {
        "NumPy": lambda: in_parallel(lambda _: a @ b, range(PRODUCTS)),
        "PyTorch": lambda: [left @ right for _ in range(PRODUCTS)],
    }


def embeddings(texts: Sequence[str]) -> dict[str, Callable[[], np.ndarray]]:
    """Return ways to embed the texts."""
    theirs = SentenceTransformer(str(minilm.model_folder()), device="cpu")
    weights = minilm.load_weights()
    exact, encoder, tokenizer = Layers(weights, exact=True), load_encoder(), minilm.load_tokenizer()

    def in_float32() -> np.ndarray:
        pieces = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        ids = [[minilm.CLS, *encoding.ids[: minilm.MAX_TOKENS - 2], minilm.SEP] for encoding in pieces]
        return unit_rows(np.stack(in_parallel(lambda i: exact(minilm.embedded(weights, i)).mean(axis=0), ids)))

    return {
        "sentence-transformers": lambda: np.asarray(theirs.encode(list(texts), show_progress_bar=False)),
        "pincite in float32": in_float32,
        "pincite": lambda: encoder.encode_documents(texts),
    }


def readings(passages: Sequence[str]) -> dict[str, Way]:
    """Return ways to read the passages for one question, and to embed the question.

    The seed document has lost its marks: new passages are those whose marks the reader has to restore first.
    """
    readers = {"reading 8 passages in float32": SpanReader.load(exact=True), "reading 8 passages": SpanReader.load()}
    new = SpanReader.load()._network
    encoder = load_encoder()
    asked = [QUESTION] * len(passages)
    ways: dict[str, Way] = {
        name: partial(reader._network.candidates, asked, passages, breaks=[()] * len(passages))
        for name, reader in readers.items()
    }

    def read_new() -> None:
        new._restorer = load_restorer().lowering(LOWERED)
        new.candidates(asked, passages, breaks=[()] * len(passages))

    ways["reading 8 new passages"] = read_new
    return {**ways, "one question": lambda: encoder.encode_question(QUESTION)}


@dataclass(frozen=True, slots=True)
class Took:
    """Median seconds of a way, by the clock and of the processor."""

    clock: float
    cpu: float


def measure(ways: dict[str, Way], rounds: int) -> dict[str, Took]:
    """Return how long each way takes; one call of each comes before."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            clock, cpu = time.perf_counter(), time.process_time()
            way()
            if turn:
                took[name].append((time.perf_counter() - clock, time.process_time() - cpu))
    return {name: Took(*map(statistics.median, zip(*times, strict=True))) for name, times in took.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="?", type=Path, default=SEED_DOCUMENT)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    text = arguments.text.read_text(encoding="utf-8", errors="replace")
    chunks = pieces_of(text, WORDS_A_CHUNK, CHUNKS)
    lengths = [len(e.ids) + 2 for e in minilm.load_tokenizer().encode_batch(chunks, add_special_tokens=False)]
    multiplied, embedded = products(), embeddings(chunks)
    read = readings(pieces_of(text, WORDS_A_PASSAGE, PASSAGES))
    took = measure({**multiplied, **embedded, **read}, arguments.rounds)
    limit = 2.0 * MATRIX**3 * PRODUCTS / min(took[name].clock for name in multiplied)
    print(f"{CHUNKS} chunks of {np.mean(lengths):.0f} tokens, {arguments.rounds} rounds, load {os.getloadavg()[0]:.0f}")
    print(f"limit in float32: {limit / 1e9:.0f} GFLOP/s\n")
    print(f"{'':36} {'chunks/s':>9} {'ratio':>6} {'by cpu':>6} {'of limit':>8} {'least cosine':>12}")
    theirs, reference = took["sentence-transformers"], unit_rows(embedded["sentence-transformers"]())
    for name, way in embedded.items():
        mine, cosine = took[name], (unit_rows(way()) * reference).sum(axis=1).min()
        share = sum(map(operations, lengths)) / mine.clock / limit
        print(
            f"{name:36} {CHUNKS / mine.clock:9.1f} {theirs.clock / mine.clock:6.2f} {theirs.cpu / mine.cpu:6.2f}",
            end="",
        )
        print(f"{share:8.2f} {cosine:12.4f}")
    print(f"\n{'':36} {'clock ms':>9} {'cpu ms':>6}")
    for name in read:
        print(f"{name:36} {took[name].clock * 1e3:9.1f} {took[name].cpu * 1e3:6.0f}")
    if arguments.json:
        found = {"limit_flops": limit, "tokens": sum(lengths)} | {name: asdict(one) for name, one in took.items()}
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
