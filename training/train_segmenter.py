"""Train the boundary network of `index/segmenting.py`, choose its thresholds, and print the table of its card.

    python training/train_segmenter.py --data ../shared/data

The data folder holds `ud_ewt/`, `wice/` and `qamr/` (see the card, `index/weights/segmenter.md`). After training, put
the printed SHA-256 into `WEIGHTS_SHA256` of `index/segmenting.py`. `--evaluate` only prints the table of the shipped
weights.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from index import segmenting
from index.segmenting import GAP_FEATURES, KNOWN_LETTERS, SHAPE_FEATURES, WORD, Segmenter, Thresholds

Docs = list[list[str]]  # documents as lists of sentences
Floats = npt.NDArray[np.float32]
STRIPPED, ORDINARY, THINNED, SWITCHING = range(4)
MARKED = re.compile(r"[.!?…][\"')\]”’]*$")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train; the values are those of the shipped weights."""

    vector_dim: int = 96
    hidden: int = 96
    window_words: int = 128
    batch: int = 32
    mixed_epochs: int = 5  # silver and gold text together
    gold_epochs: int = 14  # then UD-EWT alone
    learning_rate: float = 3e-3
    dropout: float = 0.2
    word_dropout: float = 0.1
    averaging: float = 0.995  # of the weights, over steps
    modes: tuple[float, ...] = (0.55, 0.3, 0.07, 0.08)  # shares of windows: stripped, ordinary, thinned, switching
    lower_cased: float = 0.08  # share of windows


# ---------------------------------------------------------------- data


def read_ud(data: Path, split: str) -> Docs:
    path = data / "ud_ewt" / f"prepared_sents_{split}.jsonl"
    return [json.loads(line)["sents"] for line in path.read_text("utf-8").splitlines()]


def read_wice(data: Path) -> Docs:
    """Return the evidence pages: web and news text, cut into sentences by the set's authors; headings are items too."""
    lines = (data / "wice" / "claim_dev.jsonl").read_text("utf-8").splitlines()
    pages = dict.fromkeys(tuple(json.loads(line)["evidence"]) for line in lines)
    return [[re.sub(r"^(#+ |\* |\(meta data\) [A-Z ]+: )", "", item) for item in page] for page in pages]


def read_qamr(data: Path) -> Docs:
    """Return the sentences of each Wikinews or Wikipedia article, in order (some are missing between them)."""
    found: dict[tuple[str, str], dict[tuple[int, int], str]] = {}
    for part in (1, 2):
        for line in (data / "qamr" / f"part{part}.jsonl").read_text("utf-8").splitlines():
            record = json.loads(line)
            _, site, article, paragraph, sentence = record["id"].split("|")[0].split(":")
            found.setdefault((site, article), {})[int(paragraph), int(sentence)] = record["context"]
    return [[sentences[place] for place in sorted(sentences)] for _, sentences in sorted(found.items())]


def stripped(docs: Docs) -> Docs:
    """Return the documents with all but letters and digits made spaces, and items left empty dropped."""
    bare = [[" ".join(WORD.findall(sentence)) for sentence in doc] for doc in docs]
    return [[sentence for sentence in doc if sentence] for doc in bare]


def joined(doc: Sequence[str]) -> tuple[str, list[int]]:
    """Return the text, items joined by one space, and where each item starts."""
    items = [" ".join(item.split()) for item in doc]
    starts, place = [], 0
    for item in items:
        starts.append(place)
        place += len(item) + 1
    return " ".join(items), starts


@dataclass(frozen=True, slots=True)
class Stream:
    """Documents end to end, one row a word; ``ends`` is 1 where a sentence ends after the word."""

    words: npt.NDArray[np.int64]
    shapes: Floats
    lower_shapes: Floats
    gaps: Floats
    ends: Floats

    @classmethod
    def from_docs(cls, docs: Docs, vocabulary: dict[str, int]) -> Stream:
        shape = cache(lambda word: np.array(segmenting.shape_features(word), np.float32))
        gap = cache(lambda between: np.array(segmenting.gap_features(between), np.float32))
        rows: list[tuple[int, Floats, Floats, Floats, float]] = []
        for doc in docs:
            text, starts = joined([item for item in doc if item.strip()])
            words = list(WORD.finditer(text))
            sentence_of = np.searchsorted(starts, [word.start() for word in words], side="right")
            for place, match in enumerate(words):
                word = match.group()[:KNOWN_LETTERS]
                last = place + 1 == len(words)
                between = text[match.end() :] + " " if last else text[match.end() : words[place + 1].start()]
                end = last or sentence_of[place] != sentence_of[place + 1]
                number = vocabulary.setdefault(word.lower(), len(vocabulary))
                rows.append((number, shape(word), shape(word.lower()), gap(between), float(end)))
        words_, *features, ends = zip(*rows, strict=True)
        return cls(np.array(words_), *(np.stack(feature) for feature in features), np.array(ends, np.float32))  # type: ignore[arg-type]

    def window(
        self, start: int, size: int, rng: np.random.Generator, recipe: Recipe
    ) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
        """Return words, features and labels of a window, some of its marks or its letter case taken away."""
        part = slice(start, start + size)
        shapes = (self.lower_shapes if rng.random() < recipe.lower_cased else self.shapes)[part]
        gaps = self.gaps[part].copy()
        mode = rng.choice(len(recipe.modes), p=recipe.modes)
        if mode == STRIPPED:
            gaps[:] = 0
        elif mode == THINNED:
            gaps *= rng.random(GAP_FEATURES) < 0.5
        elif mode == SWITCHING:
            cut = rng.integers(size)
            gaps[slice(cut) if rng.random() < 0.5 else slice(cut, None)] = 0
        return self.words[part], np.concatenate([shapes, gaps], axis=1), self.ends[part]


# ---------------------------------------------------------------- training


class TrainedNet(nn.Module):
    """The network of ``segmenting.BoundaryNet``, with dropout."""

    def __init__(self, table: Floats, recipe: Recipe) -> None:
        super().__init__()
        self.table = torch.from_numpy(table)
        self.recipe = recipe
        hidden = recipe.hidden
        self.projection = nn.Linear(table.shape[1], recipe.vector_dim, bias=False)
        self.inp = nn.Linear(recipe.vector_dim + SHAPE_FEATURES + GAP_FEATURES, hidden)
        self.convs = nn.ModuleList(
            nn.Conv1d(hidden, 2 * hidden, 5, padding=2 * dilation, dilation=dilation)
            for dilation in segmenting.DILATIONS
        )
        self.hid = nn.Linear(2 * hidden, hidden)
        self.out = nn.Linear(hidden, 1)
        self.drop = nn.Dropout(recipe.dropout)

    def forward(self, words: Tensor, features: Tensor) -> Tensor:
        """Return (batch, window - 1) logits: a sentence ends after the word."""
        vectors = self.table[words]
        if self.training:
            vectors = vectors * (torch.rand(words.shape) > self.recipe.word_dropout).unsqueeze(-1)
        x = self.inp(torch.cat([self.projection(vectors), features], -1))
        for conv in self.convs:
            x = x + self.drop(functional.glu(conv(x.transpose(1, 2)), 1).transpose(1, 2))
        x = self.drop(x)
        top = torch.relu(self.hid(torch.cat([x[:, :-1], x[:, 1:]], -1)))
        logits: Tensor = self.out(self.drop(top)).squeeze(-1)
        return logits


def batches(
    streams: Sequence[Stream], recipe: Recipe, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield one epoch: every stream cut into windows at a random phase, shuffled together."""
    size = recipe.window_words
    places = [
        (stream, start)
        for stream in streams
        for start in range(int(rng.integers(size)), len(stream.words) - size, size)
    ]
    order = rng.permutation(len(places))
    for first in range(0, len(order) - recipe.batch + 1, recipe.batch):
        windows = [places[at][0].window(places[at][1], size, rng, recipe) for at in order[first : first + recipe.batch]]
        words, features, ends = (torch.from_numpy(np.stack(column)) for column in zip(*windows, strict=True))
        yield words, features, ends


def train(gold: Stream, silver: Sequence[Stream], table: Floats, recipe: Recipe, seed: int) -> dict[str, Floats]:
    """Return the averaged weights, named as ``segmenting.BoundaryNet`` wants them."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    plan = [[gold, *silver]] * recipe.mixed_epochs + [[gold]] * recipe.gold_epochs
    window_words = recipe.window_words * recipe.batch
    steps = sum(sum(len(stream.words) for stream in streams) // window_words for streams in plan)

    def loss(net: TrainedNet, words: Tensor, features: Tensor, ends: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):  # 1.8 times as fast, no worse
            logits = net(words, features)
        return functional.binary_cross_entropy_with_logits(logits.float(), ends[:, :-1])

    epochs = [batches(streams, recipe, rng) for streams in plan]
    return fit(TrainedNet(table, recipe), epochs, loss, steps=steps)


def fit(
    net: TrainedNet,
    epochs: Sequence[Iterable[tuple[Tensor, Tensor, Tensor]]],
    loss_of: Callable[[TrainedNet, Tensor, Tensor, Tensor], Tensor],
    *,
    steps: int,
) -> dict[str, Floats]:
    """Train a network and return its averaged weights, named as ``segmenting.BoundaryNet`` wants them.

    Args:
        net: as it begins.
        epochs: batches of words, features and labels.
        loss_of: of a batch.
        steps: how many batches there are, for the learning rate: linear warm-up, then a cosine.
    """
    recipe = net.recipe
    average = {name: value.detach().clone() for name, value in net.state_dict().items()}
    optimizer = torch.optim.AdamW(net.parameters(), lr=recipe.learning_rate, weight_decay=0.01)
    step, began = 0, time.monotonic()
    for number, epoch in enumerate(epochs, 1):
        losses = []
        for batch in epoch:
            warm = min(1.0, (step + 1) / 100)
            optimizer.param_groups[0]["lr"] = (
                recipe.learning_rate * warm * 0.5 * (1 + np.cos(np.pi * min(1.0, step / steps)))
            )
            loss = loss_of(net, *batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            step += 1
            keep = min(recipe.averaging, step / (step + 10))
            for name, value in net.state_dict().items():
                average[name].lerp_(value, 1 - keep)
            losses.append(loss.item())
        print(f"epoch {number}/{len(epochs)}: loss {np.mean(losses):.4f}, {time.monotonic() - began:.0f} s", flush=True)
    return {
        name.removesuffix(".weight") if name.startswith("projection") else name: value.numpy()
        for name, value in average.items()
    }


# ---------------------------------------------------------------- evaluation


@dataclass(frozen=True, slots=True)
class Score:
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def boundary_score(docs: Docs, predict: Callable[[str], Sequence[int]]) -> Score:
    """Return precision and recall of sentence starts inside documents; a document's first start is not counted."""
    right = found = wanted = 0
    for doc in docs:
        text, starts = joined(doc)
        gold, predicted = set(starts) - {0}, set(predict(text)) - {0}
        right, found, wanted = right + len(gold & predicted), found + len(predicted), wanted + len(gold)
    return Score(right / found if found else 0.0, right / wanted if wanted else 0.0)


def by_segmenter(segmenter: Segmenter) -> Callable[[str], list[int]]:
    return lambda text: [span.start for span in segmenter.segment(text)]


def by_capitals(text: str) -> list[int]:
    """A sentence starts at every capitalised word that follows a word in lower case, and is not ``I``."""
    words = list(re.finditer(r"\S+", text))
    return [
        b.start() for a, b in pairwise(words) if a.group()[0].islower() and b.group()[0].isupper() and b.group() != "I"
    ]


def by_rules(text: str) -> list[int]:
    """The marks alone, without the network."""
    words = list(WORD.finditer(text))
    starts = []
    for a, b in pairwise(words):
        gap = text[a.end() : b.start()]
        before = segmenting._before(text, segmenting.Span(*a.span()))
        if " " in gap and segmenting.rule_ends_sentence(before, gap, b.group()):
            kept = segmenting.split_in_gap(gap)
            starts.append(a.end() + kept + len(gap[kept:]) - len(gap[kept:].lstrip()))
    return starts


def every(words: int) -> Callable[[str], list[int]]:
    return lambda text: [match.start() for match in re.finditer(r"\S+", text)][::words]


def never(_: str) -> list[int]:
    return []


class RememberingNet:
    """Gives a network's answers again without computing them, while thresholds are tried."""

    def __init__(self, net: segmenting.BoundaryNet) -> None:
        self._net = net
        self._known: dict[tuple[str, ...], Floats] = {}

    def probabilities(self, words: Sequence[str], gaps: Sequence[str]) -> Floats:
        key = (*words, *gaps)
        if key not in self._known:
            self._known[key] = self._net.probabilities(words, gaps)
        return self._known[key]


def choose_thresholds(net: segmenting.BoundaryNet, dev: Docs) -> Thresholds:
    """Return the thresholds with the best F1 on the development split, one after the other."""
    remembering = RememberingNet(net)
    best = Thresholds(stripped=0.4, ordinary=0.6, ruled=0.2)

    def quality(docs: Docs, thresholds: Thresholds) -> float:
        return boundary_score(docs, by_segmenter(Segmenter(remembering, thresholds))).f1  # type: ignore[arg-type]

    bare, grid = stripped(dev), [number / 20 for number in range(4, 17)]
    best = max((replace(best, stripped=value) for value in grid), key=lambda each: quality(bare, each))
    best = max((replace(best, ordinary=value) for value in grid), key=lambda each: quality(dev, each))
    return max(
        (replace(best, ruled=v) for v in (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)), key=lambda each: quality(dev, each)
    )


def print_table(data: Path, segmenter: Segmenter) -> None:
    train_docs = stripped(read_ud(data, "train"))
    mean_words = round(sum(len(s.split()) for d in train_docs for s in d) / sum(map(len, train_docs)))
    print(f"thresholds: {segmenter.thresholds}; fixed length: {mean_words} words")
    print("| UD-EWT | text | method | precision | recall | F1 |\n|---|---|---|---|---|---|")
    for split in ("dev", "test"):
        docs = read_ud(data, split)
        bare = stripped(docs)
        texts = {
            "ordinary": docs,
            "ordinary, marked": [
                [s for s in doc if MARKED.search(s)] for doc in docs
            ],  # only sentences that end in a mark
            "stripped": bare,
            "stripped, lower case": [[s.lower() for s in doc] for doc in bare],
        }
        for name, variant in texts.items():
            methods = {
                "segment()": by_segmenter(segmenter),
                "rules alone": by_rules,
                "capital-letter rule": by_capitals,
                "fixed length": every(mean_words),
                "every gap": every(1),
                "no boundary": never,
            }
            for method, predict in methods.items():
                if (method == "rules alone") <= name.startswith("ordinary"):
                    score = boundary_score(variant, predict)
                    print(
                        f"| {split} | {name} | {method} | {score.precision:.3f} | {score.recall:.3f} | {score.f1:.3f} |"
                    )
    print_speed(docs, segmenter)


def print_speed(docs: Docs, segmenter: Segmenter) -> None:
    for name, variant in {"ordinary": docs, "stripped": stripped(docs)}.items():
        text = "\n\n".join(joined(doc)[0] for doc in variant) * 5
        began = time.perf_counter()
        segmenter.segment(text)
        print(f"speed, {name}: {len(text.split()) / (time.perf_counter() - began):,.0f} words/s")


# ---------------------------------------------------------------- the command


def assemble(weights: dict[str, Floats], thresholds: Thresholds) -> Segmenter:
    return Segmenter(segmenting.BoundaryNet.from_tensors(weights), thresholds)


def train_and_save(data: Path, out: Path, recipe: Recipe, seed: int) -> Segmenter:
    vocabulary: dict[str, int] = {}
    gold = Stream.from_docs(read_ud(data, "train"), vocabulary)
    silver = [Stream.from_docs(docs, vocabulary) for docs in (read_wice(data), read_qamr(data))]
    print(f"words: gold {len(gold.words):,}, silver {sum(len(stream.words) for stream in silver):,}", flush=True)
    tokenizer, table = segmenting.encoder_table()
    vectors = segmenting.WordVectors(tokenizer, table)(list(vocabulary))
    weights = {name: value.astype(np.float16) for name, value in train(gold, silver, vectors, recipe, seed).items()}
    thresholds = choose_thresholds(assemble(weights, Thresholds(0.5, 0.5, 0.5))._net, read_ud(data, "dev"))
    stored = np.array([thresholds.stripped, thresholds.ordinary, thresholds.ruled], np.float32)
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file({**weights, "thresholds": stored}, out)
    print(f"{out}: {out.stat().st_size:,} bytes, SHA-256 {hashlib.sha256(out.read_bytes()).hexdigest()}")
    return assemble(weights, thresholds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with ud_ewt/, wice/ and qamr/")
    parser.add_argument("--out", type=Path, default=segmenting.WEIGHTS, help="weights to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="the same number gives the same weights")
    parser.add_argument(
        "--evaluate", action="store_true", help="print the table for the shipped weights; train nothing"
    )
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    shipped = args.evaluate
    segmenter = segmenting.load_segmenter() if shipped else train_and_save(args.data, args.out, Recipe(), args.seed)
    print_table(args.data, segmenter)


if __name__ == "__main__":
    main()
