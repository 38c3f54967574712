"""Train the network of `qa/mark_network.py`: which mark stood in each gap of a text that has lost its punctuation.

    python -m training.train_marks --data ../shared/data --begin OUT/wide

Trains on the punctuated text of the sets below, stripped, with the marks that were there as labels. It begins with the
first layers of the wide reader that `training.train_reader` makes in ``OUT/wide``. After training, put the printed
SHA-256 into `WEIGHTS_SHA256` of `qa/restoring.py`. `--evaluate` prints the table of the shipped weights.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from index import minilm
from index.segmenting import SHAPE_FEATURES, WORD
from qa.mark_network import Pieces, packed, pieces_of
from qa.restoring import WEIGHTS, Mark, load_restorer
from training.network import PAD, linear, through_layers
from training.reader_data import read_squad, read_xquad, split_articles, strip_text
from training.train_reader import READER
from training.train_segmenter import read_qamr, read_ud, read_wice

LAYERS, HIDDEN = 4, 256
WINDOW_WORDS, BATCH, BATCHES = 128, 16, 2_950  # five times through the text
LEARNING_RATE, WARMUP, WEIGHT_DECAY, DROP, AVERAGE = 3e-4, 0.06, 0.01, 0.1, 0.99
PIECES = 4  # of a batch, each computed by one thread
SEED = 1
WHICH_TEXT = 1  # the reader's passages have this type

Weights = dict[str, Tensor]

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
    """Yield running text with its marks; of SQuAD 2.0 and XQuAD the articles that the reader is trained on."""
    for doc in [*read_ud(data, "train"), *read_wice(data), *read_qamr(data)]:
        yield " ".join(doc)
    squad = read_squad(data / "squad2" / "dev-half-v2.0.json", "squad2")
    trained_on = split_articles({e.group for e in squad}).train
    yield from dict.fromkeys(e.passage for e in squad if e.group in trained_on)
    yield from dict.fromkeys(e.passage for e in read_squad(data / "covid_qa" / "covid_qa.json", "covid_qa"))
    yield from dict.fromkeys(e.passage for e in read_xquad(data, squad)[0])
    policies = [read_squad(data / "policyqa" / f"{part}.json", "policyqa") for part in ("dev", "test")]
    yield from dict.fromkeys(e.passage for part in policies for e in part)


def labelled(text: str) -> tuple[list[str], list[Mark]]:
    """Return a text's words, and for each the class of the mark that stood after it."""
    bare, _ = strip_text(text)
    lost = lost_marks(text)
    words = list(WORD.finditer(bare))
    return [word.group() for word in words], [lost.get(word.end(), Mark.NONE) for word in words]


def initial_weights(begin: Path) -> tuple[Weights, Weights]:
    """Return (frozen, trained) weights: the first layers of a reader in a folder, letter case unread, new outputs."""
    tables = {name: torch.from_numpy(array) for name, array in minilm.load_tables().items()}
    reader = {name: tensor.float() for name, tensor in load_file(str(begin / READER)).items()}
    generator = torch.Generator().manual_seed(0)
    width = minilm.WIDTH
    trained = {
        name: tensor
        for name, tensor in reader.items()
        if name.startswith(("types.", "norm.", *(f"layer.{layer}." for layer in range(LAYERS))))
    }
    trained["shape.weight"] = torch.zeros(width, SHAPE_FEATURES)
    trained["hid.weight"] = torch.randn(HIDDEN, 2 * width, generator=generator) * 0.03
    trained["hid.bias"] = torch.zeros(HIDDEN)
    trained["out.weight"] = torch.randn(len(Mark), HIDDEN, generator=generator) * 0.03
    trained["out.bias"] = torch.zeros(len(Mark))
    return tables, {name: trained[name].clone().requires_grad_() for name in sorted(trained)}


def logits(weights: Weights, windows: Sequence[Pieces], generator: torch.Generator) -> Tensor:
    """Return (n, n_words - 1, n_marks) logits of windows of as many words, with dropout; see `MarkNetwork.logits`."""

    def drop(x: Tensor) -> Tensor:
        return x * ((torch.rand(x.shape[0], 1, x.shape[2], generator=generator) >= DROP) / (1 - DROP))

    length = -(-max(len(window.tokens) for window in windows) // 8) * 8
    tokens = torch.full((len(windows), length), PAD)
    shapes = torch.zeros(len(windows), length, SHAPE_FEATURES)
    for row, window in enumerate(windows):
        tokens[row, : len(window.tokens)] = torch.tensor(window.tokens)
        shapes[row, : len(window.tokens)] = torch.from_numpy(window.shapes)
    x = F.embedding(tokens, weights["words.weight"]) + weights["positions.weight"][:length]
    x = x + weights["types.weight"][WHICH_TEXT] + shapes @ weights["shape.weight"].T
    states = through_layers(weights, x, tokens != PAD, drop=drop)
    rows = torch.arange(len(windows))[:, None]
    before = states[rows, torch.tensor([window.lasts[:-1] for window in windows])]
    after = states[rows, torch.tensor([window.firsts[1:] for window in windows])]
    return linear(weights, "out", F.relu(linear(weights, "hid", torch.cat([before, after], -1))))


def train(words: Sequence[str], marks: Sequence[Mark], begin: Path) -> dict[str, np.ndarray]:
    """Return the averaged weights after ``BATCHES`` steps over windows of running text, in random order."""
    torch.set_num_threads(1)
    frozen, trained = initial_weights(begin)
    average = {name: tensor.detach().clone() for name, tensor in trained.items()}
    groups = [
        {"params": [t for t in trained.values() if t.dim() > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [t for t in trained.values() if t.dim() == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, 0.98), eps=1e-6, fused=True)
    kinds, tokenizer = torch.tensor(marks), minilm.load_tokenizer()

    def gradients(task: tuple[list[int], int]) -> tuple[float, Sequence[Tensor]]:
        starts, seed = task
        leaves = {name: tensor.detach().requires_grad_() for name, tensor in trained.items()}
        windows = [pieces_of(words[start : start + WINDOW_WORDS], tokenizer) for start in starts]
        found = logits({**frozen, **leaves}, windows, torch.Generator().manual_seed(seed))
        gold = torch.stack([kinds[start : start + WINDOW_WORDS - 1] for start in starts])
        loss = F.cross_entropy(found.flatten(0, 1), gold.flatten()) * len(starts)
        return float(loss.detach()), torch.autograd.grad(loss, list(leaves.values()))

    losses: list[float] = []
    with ThreadPoolExecutor(2) as pool:
        for step, starts in zip(range(BATCHES), batches(len(words)), strict=False):
            size = BATCH // PIECES
            tasks = [(starts[i * size : (i + 1) * size], (SEED * 1_000_003 + step) * 16 + i) for i in range(PIECES)]
            done = list(pool.map(gradients, tasks))
            for index, tensor in enumerate(trained.values()):
                tensor.grad = sum(found[index] for _, found in done) / BATCH
            torch.nn.utils.clip_grad_norm_(list(trained.values()), 1.0)
            rate = min((step + 1) / (BATCHES * WARMUP), (1 + math.cos(math.pi * step / BATCHES)) / 2)
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * rate
            optimizer.step()
            for name, tensor in trained.items():
                average[name].lerp_(tensor.detach(), 1 - min(AVERAGE, (1 + step) / (10 + step)))
            losses.append(sum(loss for loss, _ in done) / BATCH)
            if (step + 1) % 50 == 0:
                print(f"{step + 1}/{BATCHES} loss {sum(losses[-50:]) / 50:.4f}", flush=True)
    return {name: tensor.numpy() for name, tensor in average.items()}


def batches(n_words: int) -> Iterator[list[int]]:
    """Yield where the windows of each batch begin: the text is cut at a random phase, again whenever it is used up."""
    rng = np.random.default_rng(SEED)
    starts: list[int] = []
    while True:
        if len(starts) < BATCH:
            phase = int(rng.integers(WINDOW_WORDS))
            starts = rng.permutation(np.arange(phase, n_words - WINDOW_WORDS, WINDOW_WORDS)).tolist()
        yield [starts.pop() for _ in range(BATCH)]


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
    parser.add_argument("--begin", type=Path, help="the folder of the wide reader's weights; needed to train")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--evaluate", action="store_true", help="only print the table of the shipped weights")
    args = parser.parse_args()
    if args.evaluate:
        print_table(args.data)
        return
    if args.begin is None:
        parser.error("--begin is needed: where training.train_reader left the wide reader, OUT/wide")
    words: list[str] = []
    marks: list[Mark] = []
    for text in texts(args.data):
        found = labelled(text)
        words += found[0]
        marks += found[1]
    print(f"{len(words):,} words", flush=True)
    stored = packed(train(words, marks, args.begin))
    save_file({name: np.ascontiguousarray(stored[name]) for name in sorted(stored)}, args.out)
    print(hashlib.sha256(args.out.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
