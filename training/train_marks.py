"""Train the network of `qa/restoring.py`: which mark stood in each gap of a text that has lost its punctuation.

    python -m training.train_marks --data ../shared/data

Trains on the punctuated text of the sets below, stripped, with the marks that were there as labels. After training, put
the printed SHA-256 into `WEIGHTS_SHA256` of `qa/restoring.py`. `--evaluate` prints the table of the shipped weights.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save_file
from torch import Tensor
from torch.nn import functional

from index import segmenting
from index.segmenting import GAP_FEATURES, KNOWN_LETTERS, WORD, shape_features
from qa.restoring import WEIGHTS, Mark, load_restorer
from training.reader_data import read_squad, split_articles, strip_text
from training.train_segmenter import Recipe, TrainedNet, fit, read_qamr, read_ud, read_wice

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
RECIPE = Recipe(hidden=128, learning_rate=2e-3, dropout=0.1)
EPOCHS = 6


_LOST = ((Mark.SENTENCE, ".!?…"), (Mark.CLOSING, ")]}”»"), (Mark.OPENING, "([{“«"), (Mark.PAUSE, ",;:–—-\"‘’'"))
_GAP = re.compile(r"[\W_]+")


def lost_marks(original: str) -> dict[int, Mark]:
    """Return which class of mark stood in each gap between two words, by the gap's offset in the stripped text.

    Gaps of white space alone are left out; one without any white space (``East-Central``, ``1,000``) is joined.
    """
    place = strip_text(original)[1]
    lost = {}
    for match in _GAP.finditer(original):
        run = match.group()
        kind = next((mark for mark, signs in _LOST if any(sign in run for sign in signs)), Mark.NONE)
        if kind and match.start():
            joined = not any(char.isspace() for char in run) and match.end() < len(original)
            lost[place[match.start()]] = Mark.JOINED if joined else kind
    return lost


def texts(data: Path) -> Iterator[str]:
    """Yield running text with its marks; of SQuAD 2.0 the articles that the reader is trained on."""
    for doc in [*read_ud(data, "train"), *read_wice(data), *read_qamr(data)]:
        yield " ".join(doc)
    squad = read_squad(data / "squad2" / "dev-half-v2.0.json", "squad2")
    trained_on = split_articles({e.group for e in squad}).train
    yield from dict.fromkeys(e.passage for e in squad if e.group in trained_on)
    yield from dict.fromkeys(e.passage for e in read_squad(data / "covid_qa" / "covid_qa.json", "covid_qa"))


def labelled(text: str) -> tuple[list[str], list[int]]:
    """Return a text's words, and for each the class of the mark that stood after it."""
    bare, _ = strip_text(text)
    lost = lost_marks(text)
    words = list(WORD.finditer(bare))
    return [word.group()[:KNOWN_LETTERS] for word in words], [lost.get(word.end(), Mark.NONE) for word in words]


class Stream:
    """All texts end to end, a row a word."""

    def __init__(self, texts: Iterator[str], vocabulary: dict[str, int]) -> None:
        words: list[str] = []
        marks: list[int] = []
        for text in texts:
            more, kinds = labelled(text)
            words += more
            marks += kinds
        known: dict[str, Floats] = {}
        for word in words:
            if word not in known:
                known[word] = np.array([*shape_features(word), *(False,) * GAP_FEATURES], np.float32)
        self.words: Ints = np.array([vocabulary.setdefault(word.lower(), len(vocabulary)) for word in words])
        self.features = np.stack([known[word] for word in words])
        self.marks: Ints = np.array(marks)


def batches(stream: Stream, rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield one epoch: the stream cut into windows at a random phase, shuffled."""
    size, batch = RECIPE.window_words, RECIPE.batch
    starts = rng.permutation(np.arange(int(rng.integers(size)), len(stream.words) - size, size))
    for first in range(0, len(starts) - batch + 1, batch):
        rows = starts[first : first + batch, None] + np.arange(size)
        words, features, marks = (torch.from_numpy(c[rows]) for c in (stream.words, stream.features, stream.marks))
        yield words, features, marks


def train(stream: Stream, table: Floats, seed: int) -> dict[str, Floats]:
    """Return the averaged weights, named as ``segmenting.BoundaryNet`` wants them."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)

    def loss(net: TrainedNet, words: Tensor, features: Tensor, marks: Tensor) -> Tensor:
        return functional.cross_entropy(net(words, features).flatten(0, 1), marks[:, :-1].flatten())

    steps = EPOCHS * len(stream.words) // (RECIPE.window_words * RECIPE.batch)
    epochs = [batches(stream, rng) for _ in range(EPOCHS)]
    return fit(TrainedNet(table, RECIPE, outputs=len(Mark)), epochs, loss, steps=steps)


def print_table(data: Path) -> None:
    """Print precision and recall of each class of mark on SQuAD 2.0's dev articles and UD-EWT's test split."""
    squad = read_squad(data / "squad2" / "dev-half-v2.0.json", "squad2")
    dev = split_articles({e.group for e in squad}).dev
    sets = {
        "SQuAD 2.0, dev articles": list(dict.fromkeys(e.passage for e in squad if e.group in dev)),
        "UD-EWT test": [" ".join(doc) for doc in read_ud(data, "test")],
    }
    print("| text | mark | gaps | precision | recall | F1 |\n|---|---|---|---|---|---|")
    for name, found in sets.items():
        pairs = [pair for text in found for pair in _pairs(text)]
        for mark in list(Mark)[1:]:
            right = sum(a == b == mark for a, b in pairs)
            gold, guessed = sum(a == mark for a, _ in pairs), sum(b == mark for _, b in pairs)
            precision, recall = right / max(1, guessed), right / max(1, gold)
            f1 = 2 * precision * recall / max(1e-9, precision + recall)
            print(f"| {name} | {mark.name.lower()} | {gold} | {precision:.3f} | {recall:.3f} | {f1:.3f} |")


def _pairs(text: str) -> list[tuple[int, int]]:
    bare = strip_text(text)[0].strip()
    lost, guessed = lost_marks(text.strip()), load_restorer().marks(bare)
    return [(lost.get(word.end(), 0), guessed.get(word.end(), 0)) for word in list(WORD.finditer(bare))[:-1]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluate", action="store_true", help="only print the table of the shipped weights")
    args = parser.parse_args()
    if not args.evaluate:
        vocabulary: dict[str, int] = {}
        stream = Stream(texts(args.data), vocabulary)
        print(f"{len(stream.words):,} words", flush=True)
        table = segmenting.WordVectors(*segmenting.encoder_table())(list(vocabulary))
        weights = train(stream, table, args.seed)
        save_file({name: weights[name].astype(np.float16) for name in sorted(weights)}, args.out)
        print(hashlib.sha256(args.out.read_bytes()).hexdigest())
        return
    print_table(args.data)


if __name__ == "__main__":
    main()
