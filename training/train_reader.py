"""Train the reader's weights from the bundled encoder: ``python -m training.train_reader --data FOLDER --out FOLDER``.

Several runs (``RUNS``), one after another, and the mean of their weights, which reads better than any of them (Wortsman
et al. 2022, "Model soups"). That mean then learns to say of a text without its marks what it says of the same text
with them (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network"): again several runs (``TAUGHT``) and
their mean. Last, a narrower network is made of that (`training.narrow`) and taught by it, in rounds (``NARROW``): each
goes on from the mean of what the round before began with and made, but the first from the network before it is taught.

Resumable (run the same command again) and, on one processor, the same weights for the same seeds: each batch is cut
into fixed pieces whose gradients are added in order, so it does not matter which thread computed which. An NVIDIA GPU
is used when PyTorch sees one; its sums may differ from run to run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from index import minilm
from index.minilm import WIDTH
from qa.span_network import Network, load_weights
from training.items import Item, example_pairs, taught, tokenised
from training.narrow import narrowed
from training.network import Batch, has_bfloat16_matrices, make_batch, score_tokens
from training.reader_data import Example, Mixture, training_examples

FROZEN = ("words.weight", "positions.weight")
READER = "reader.safetensors"
CHECKPOINT_EVERY = 50


@dataclass(frozen=True, slots=True)
class Config:
    """What decides the weights of one run, besides the data.

    Attributes:
        as_written, varied_marks: see `training.items.taught`; for runs that are taught.
        limit: examples per stage, of both stages together for runs that are taught; 0 for all.
        batches: end after so many; 0 for all.
    """

    seed: int
    mixture: Mixture = field(default_factory=Mixture)
    batch_size: int = 24
    pieces: int = 4
    learning_rate: float = 2e-4
    warmup_fraction: float = 0.06
    weight_decay: float = 0.01
    drop: float = 0.1
    relevance_weight: float = 0.5
    average: float = 0.995
    as_written: float = 0.3
    varied_marks: bool = False
    limit: int = 0
    batches: int = 0


RUNS = (
    Config(seed=7),
    Config(seed=8, mixture=Mixture(stripped_fraction=0.65)),
)
_TAUGHT = Config(
    seed=21,
    mixture=Mixture(stripped_fraction=0.0),
    learning_rate=5e-5,
    warmup_fraction=0.08,
    average=0.99,
    limit=36_000,
)
TAUGHT = (
    _TAUGHT,
    replace(_TAUGHT, seed=22, limit=24_000, varied_marks=True),
    replace(_TAUGHT, seed=23, limit=24_000, varied_marks=True),
)
_NARROW = replace(_TAUGHT, varied_marks=True, drop=0.05, learning_rate=1e-4)
NARROW = (
    (
        replace(_NARROW, seed=31, limit=30_000, learning_rate=1.5e-4),
        replace(_NARROW, seed=32, limit=24_000, learning_rate=1.5e-4),
    ),
    (replace(_NARROW, seed=33, limit=36_000),),
    (
        replace(_NARROW, seed=34, limit=14_000, learning_rate=8e-5, as_written=0.65),
        replace(_NARROW, seed=35, limit=30_000, as_written=0.4),
    ),
)
HEADS, HIDDEN = 10, 768  # of 12 and 1536
FITTED_ON, FITTED_SEED = 600, 5  # examples, half of them without their marks


def batches(stages: Sequence[Sequence[Item]], config: Config) -> Iterator[list[Item]]:
    """Yield batches of like length, in random order within a stage: sorted within runs of 64 batches."""
    rng = random.Random(config.seed)
    for stage in stages:
        run = config.batch_size * 64
        cut = []
        for at in range(0, len(stage), run):
            chunk = sorted(stage[at : at + run], key=lambda item: len(item.pair))
            found = [chunk[i : i + config.batch_size] for i in range(0, len(chunk), config.batch_size)]
            rng.shuffle(found)
            cut += found
        yield from cut


def initial_weights(seed: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return (frozen, trained) weights: the bundled encoder and small random new outputs."""
    weights = {name: torch.from_numpy(array) for name, array in minilm.load_weights().items()}
    generator = torch.Generator().manual_seed(seed)
    weights["match.weight"] = torch.zeros(1, WIDTH)
    for name, rows in (("span", 2), ("relevance", 1)):
        weights[f"{name}.weight"] = torch.randn(rows, WIDTH, generator=generator) * 0.02
        weights[f"{name}.bias"] = torch.zeros(rows)
    frozen = {name: weights.pop(name) for name in FROZEN}
    return frozen, {name: weights[name].clone() for name in sorted(weights)}


def piece_gradients(
    frozen: dict[str, Tensor], trained: dict[str, Tensor], items: list[Item], seed: int, config: Config
) -> tuple[float, list[Tensor]]:
    """Return the summed loss of one piece of a batch, and its gradients in the order of ``trained``."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(seed)
    device = trained["norm.weight"].device.type
    kind = torch.bfloat16 if has_bfloat16_matrices(device) else torch.float32
    leaves = {name: tensor.detach().to(kind).requires_grad_() for name, tensor in trained.items()}

    def drop(x: Tensor) -> Tensor:
        kept = torch.rand(x.shape[0], 1, x.shape[2], generator=generator) >= config.drop
        return x * (kept / (1 - config.drop)).to(x)

    # a processor's fused kernel is slow backwards in bfloat16, 42 % of a step; in float32 a step takes two thirds
    slow = device == "cpu" and kind == torch.bfloat16
    kernels = [SDPBackend.MATH] if slow else [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]
    with sdpa_kernel(kernels):
        batch = make_batch([item.pair for item in items], device)
        loss = batch_loss({**frozen, **leaves}, batch, items, config, drop=drop)
        gradients = torch.autograd.grad(loss, list(leaves.values()))
    return float(loss.detach()), list(gradients)


def batch_loss(
    weights: dict[str, Tensor], batch: Batch, items: list[Item], config: Config, *, drop: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return cross-entropy of start and end, plus that of relevance, summed over examples."""
    marks, relevance = score_tokens(weights, batch, drop=drop)
    likely = torch.tensor([item.relevance for item in items], device=marks.device)
    relevance_loss = F.binary_cross_entropy_with_logits(relevance, likely, reduction="sum")
    return span_loss(marks, items) / 2 + config.relevance_weight * relevance_loss


def span_loss(marks: Tensor, items: Sequence[Item]) -> Tensor:
    """Return cross-entropy of start plus that of end, (n, length, 2) logits against each item's labels."""
    if all(item.labels is None for item in items):
        starts, ends = torch.tensor([[i.start for i in items], [i.end for i in items]], device=marks.device)
        return F.cross_entropy(marks[..., 0], starts, reduction="sum") + F.cross_entropy(
            marks[..., 1], ends, reduction="sum"
        )
    labels = torch.zeros_like(marks)
    for row, item in enumerate(items):
        labels[row, : len(item.pair)] = torch.from_numpy(item.labels).to(marks)
    return -(labels * marks.log_softmax(1)).sum()


def rate(step: int, steps: int, config: Config) -> float:
    """Return the learning rate: linear warm-up, then linear decay to zero."""
    warm = max(1, int(steps * config.warmup_fraction))
    return config.learning_rate * min((step + 1) / warm, max(0.0, (steps - step) / (steps - warm)))


def train(stages: Sequence[Sequence[Item]], out: Path, config: Config, begin: dict[str, Tensor] | None = None) -> None:
    """Train, saving a checkpoint now and then; continues from the checkpoint when there is one.

    ``begin`` are the weights to begin with, by default `initial_weights`.
    """
    torch.set_num_threads(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    order = list(batches(stages, config))[: config.batches or None]
    frozen, initial = initial_weights(config.seed)
    frozen, trained = ({n: t.to(device) for n, t in weights.items()} for weights in (frozen, begin or initial))
    average = {name: tensor.clone() for name, tensor in trained.items()}
    for tensor in trained.values():
        tensor.requires_grad_()
    groups = [
        {"params": [t for t in trained.values() if t.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [t for t in trained.values() if t.dim() == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98), eps=1e-6, fused=True)
    state = out / "checkpoint.pt"
    first = 0
    if state.exists():
        saved = torch.load(state, map_location=device)
        first = saved["step"]
        for name, tensor in trained.items():
            tensor.data.copy_(saved["trained"][name])
        average, _ = saved["average"], optimizer.load_state_dict(saved["optimizer"])
    print(f"{len(order)} batches on {device}, starting at {first}", flush=True)
    began, losses = time.perf_counter(), []
    with ThreadPoolExecutor(2 if device == "cpu" else 1) as pool:
        for step in range(first, len(order)):
            items = order[step]
            size = -(-len(items) // config.pieces)
            pieces = [items[i : i + size] for i in range(0, len(items), size)]
            detached = {name: tensor.detach() for name, tensor in trained.items()}
            seeds = [(config.seed * 1_000_003 + step) * 16 + i for i in range(len(pieces))]
            done = list(
                pool.map(lambda p, s: piece_gradients(frozen, detached, p, s, config), pieces, seeds)  # noqa: B023
            )
            for index, tensor in enumerate(trained.values()):
                tensor.grad = sum(g[index].float() for _, g in done) / len(items)
            torch.nn.utils.clip_grad_norm_(list(trained.values()), 1.0)
            for group in optimizer.param_groups:
                group["lr"] = rate(step, len(order), config)
            optimizer.step()
            decay = min(config.average, (1 + step) / (10 + step))
            for name, tensor in trained.items():
                average[name].lerp_(tensor.detach(), 1 - decay)
            losses.append(sum(loss for loss, _ in done) / len(items))
            if (step + 1) % 10 == 0:
                speed = (step + 1 - first) * config.batch_size / (time.perf_counter() - began)
                print(f"{step + 1}/{len(order)} loss {sum(losses[-10:]) / 10:.3f} {speed:.1f} examples/s", flush=True)
            if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == len(order):
                _save(state, step + 1, trained, average, optimizer)
    save_weights(average, out / READER)


def _save(
    path: Path, step: int, trained: dict[str, Tensor], average: dict[str, Tensor], optimizer: torch.optim.Optimizer
) -> None:
    kept = {name: tensor.detach() for name, tensor in trained.items()}
    part = path.with_suffix(".part")
    torch.save({"step": step, "trained": kept, "average": average, "optimizer": optimizer.state_dict()}, part)
    os.replace(part, path)


def save_mean(folders: Sequence[Path], out: Path) -> Path:
    """Write the mean of the weights in several folders, taken in float32, into another, and return that."""
    runs = [load_file(str(folder / READER)) for folder in folders]
    out.mkdir(exist_ok=True)
    save_weights({name: torch.stack([run[name].float() for run in runs]).mean(0) for name in runs[0]}, out / READER)
    return out


def save_weights(weights: dict[str, Tensor], path: Path) -> None:
    """Write weights in float16, names in order, so that equal weights are equal bytes."""
    save_file({name: weights[name].half().cpu().contiguous() for name in sorted(weights)}, str(path))


def file_sha256(folder: Path) -> str:
    """Return the hash of the reader's weights in a folder."""
    return hashlib.sha256((folder / READER).read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=0, help="examples per stage, for a quick try")
    parser.add_argument("--batches", type=int, default=0, help="end each run after so many batches; 0 is all")
    args = parser.parse_args()

    def shortened(run: Config) -> Config:
        return replace(run, limit=args.limit or run.limit, batches=args.batches)

    data, out = args.data, args.out
    runs = [train_run(data, out / f"seed-{run.seed}", shortened(run)) for run in RUNS]
    teacher = save_mean(runs, out / "teacher")
    runs = [teach(data, teacher, teacher, out / f"taught-{run.seed}", shortened(run)) for run in TAUGHT]
    wide = save_mean(runs, out / "wide")
    begin = narrow(data, wide, out / "narrow")
    for number, configs in enumerate(NARROW, 1):
        runs = [teach(data, wide, begin, out / f"taught-{run.seed}", shortened(run)) for run in configs]
        begin = save_mean(runs if number == 1 else [begin, *runs], out / f"narrow-{number}")
    save_mean([begin], out)


def train_run(data: Path, out: Path, config: Config) -> Path:
    """Train one run, unless the folder holds its weights, and return the folder.

    ``config.json`` there says how they were made.
    """
    if not _is_made(out, asdict(config)):
        stages = [stage[: config.limit or None] for stage in training_examples(data, config.seed, config.mixture)]
        train([tokenised(stage) for stage in stages], out, config)
    return out


def teach(data: Path, teacher: Path, begin: Path, out: Path, config: Config) -> Path:
    """Train weights on with labels that a teacher gave (`training.items.taught`), unless ``out`` holds the result.

    Args:
        teacher, begin: folders with the weights that label, and with those to begin with.

    Returns:
        ``out``.
    """
    sha256s = {"teacher": file_sha256(teacher), "begin": file_sha256(begin)}
    if not _is_made(out, {**asdict(config), **sha256s}):
        rng = random.Random(config.seed)
        examples = _shuffled(training_examples(data, config.seed, config.mixture), rng)
        network = Network(load_weights(teacher, sha256s["teacher"]), minilm.load_tokenizer())
        items = taught(
            network.score,
            examples[: config.limit or None],
            rng,
            as_written=config.as_written,
            varied_marks=config.varied_marks,
        )
        weights = {name: tensor.float() for name, tensor in sorted(load_file(str(begin / READER)).items())}
        train([items], out, config, weights)
    return out


def narrow(data: Path, wide: Path, out: Path) -> Path:
    """Make a narrower network of the weights in a folder, to be taught, unless ``out`` holds it; return ``out``."""
    sha256 = file_sha256(wide)
    how = {"wide": sha256, "heads": HEADS, "hidden": HIDDEN, "examples": FITTED_ON, "seed": FITTED_SEED}
    if not _is_made(out, how):
        stages = training_examples(data, FITTED_SEED, Mixture(stripped_fraction=0.5))
        examples = _shuffled(stages, random.Random(FITTED_SEED))[:FITTED_ON]
        weights = {name: torch.from_numpy(array) for name, array in load_weights(wide, sha256).items()}
        made = narrowed(weights, example_pairs(examples), heads=HEADS, hidden=HIDDEN)
        save_weights({name: tensor for name, tensor in made.items() if name not in FROZEN}, out / READER)
    return out


def _shuffled(stages: Sequence[Sequence[Example]], rng: random.Random) -> list[Example]:
    examples = [example for stage in stages for example in stage]
    rng.shuffle(examples)
    return examples


def _is_made(out: Path, config: dict[str, object]) -> bool:
    """Tell whether a folder holds weights made in this way; it is made ready for them when it is new."""
    made, how = out / "config.json", json.dumps(config, indent=1)
    if made.exists() and made.read_text() != how:
        raise SystemExit(f"{out} holds weights made in another way. Name another --out, or delete it.")
    out.mkdir(parents=True, exist_ok=True)
    made.write_text(how)
    return (out / READER).exists()


if __name__ == "__main__":
    main()
