"""Examples as word pieces, with the labels that the network learns from."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index import minilm
from index.layers import in_parallel
from qa.restoring import Mark, load_restorer
from qa.span_network import Pair, make_pairs
from training.reader_data import Example, strip_text, stripped

ANNOTATED = 0.3  # of a label is the annotators' answer, the rest the teacher's
VARIED = {Mark.SENTENCE: (0.0, 1.5), Mark.NONE: (-1.0, 1.0)}  # by what a logit of the restorer is lowered, from and to

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Item:
    """A tokenised example.

    Attributes:
        start, end: the answer's first and last piece as positions in the pair, 0 and 0 for none.
        relevance: how likely the passage holds the answer.
        labels: how likely each token is the first and the last, (length, 2) float32; None for those two for certain.
    """

    pair: Pair
    start: int
    end: int
    relevance: float
    labels: Floats | None = None


def tokenised(examples: Sequence[Example]) -> list[Item]:
    """Return items; examples whose answer was cut off by the length limit are dropped."""
    items = (_item(example, pair) for example, pair in zip(examples, example_pairs(examples), strict=True))
    return [item for item in items if item]


def example_pairs(examples: Sequence[Example]) -> list[Pair]:
    """Return each example as the reader reads it: a passage without marks with those it most likely had."""
    tokenizer = minilm.load_tokenizer()
    return make_pairs(tokenizer, [e.question for e in examples], [e.passage for e in examples], load_restorer())


def _pairs_of_varied_marks(examples: Sequence[Example], rng: random.Random) -> list[Pair]:
    """Return pairs as `example_pairs` does, but with marks that another degree of sureness restores in each passage."""
    tokenizer, restorer = minilm.load_tokenizer(), load_restorer()
    levels = [{mark: rng.uniform(*reach) for mark, reach in VARIED.items()} for _ in examples]

    def pair(task: tuple[Example, dict[Mark, float]]) -> Pair:
        example, lowered = task
        return make_pairs(tokenizer, [example.question], [example.passage], restorer.lowering(lowered))[0]

    return in_parallel(pair, list(zip(examples, levels, strict=True)))


def _item(example: Example, pair: Pair) -> Item | None:
    if not example.answers:
        return Item(pair, 0, 0, 0.0)
    low, high = example.answers[0]
    inside = [i for i, (a, b) in enumerate(pair.offsets) if a < high and b > low]
    if not inside or pair.offsets[inside[-1]][1] < high:
        return None
    first = len(pair.question) + 2
    return Item(pair, inside[0] + first, inside[-1] + first, 1.0)


def taught(
    teacher: Callable[[Pair], tuple[Floats, float]],
    examples: Sequence[Example],
    rng: random.Random,
    *,
    as_written: float,
    varied_marks: bool = False,
) -> list[Item]:
    """Return items, some without their marks, labelled by what a teacher says of them as they are written.

    Args:
        teacher: start and end logit of each token, (length, 2) float32, and the logit that the passage answers
            (`qa.span_network.Network.score`).
        examples: as they are written.
        as_written: how many of them keep their marks, 0 to 1.
        varied_marks: whether marks are restored more readily in some passages than in others.
    """
    bare = [example if rng.random() < as_written else stripped(example) for example in examples]
    written = example_pairs(examples)
    said = in_parallel(teacher, written)
    read_pairs = _pairs_of_varied_marks(bare, rng) if varied_marks else example_pairs(bare)
    items = []
    for example, twin, pair, (logits, relevance), read in zip(examples, bare, written, said, read_pairs, strict=True):
        item = _item(twin, read)
        if item and bool(twin.answers) == bool(example.answers):
            places = range(len(example.passage) + 1) if twin is example else strip_text(example.passage)[1]
            labels = (1 - ANNOTATED) * _moved(_likely(pair, logits), example.passage, pair, read, places)
            labels[item.start, 0] += ANNOTATED
            labels[item.end, 1] += ANNOTATED
            relevant = (1 - ANNOTATED) / (1 + np.exp(-relevance)) + ANNOTATED * item.relevance
            items.append(Item(read, item.start, item.end, float(relevant), labels))
    return items


def _likely(pair: Pair, logits: Floats) -> Floats:
    """Return the probability that each token is the first and the last, (length, 2); the question's have none."""
    likely = np.zeros_like(logits)
    own = [0, *range(len(pair.question) + 2, len(pair) - 1)]
    raised = np.exp(logits[own] - logits[own].max(axis=0))
    likely[own] = raised / raised.sum(axis=0)
    return likely


def _moved(likely: Floats, text: str, written: Pair, read: Pair, places: Sequence[int]) -> Floats:
    """Return probabilities for the tokens of a passage from those of the same passage with other marks.

    ``places`` leads from each position of ``text``, which ``written`` was made of, to that of ``read``.
    """
    first, to = len(written.question) + 2, len(read.question) + 2
    starts = {start: to + i for i, (start, _) in reversed(list(enumerate(read.offsets)))}
    ends = {end: to + i for i, (_, end) in enumerate(read.offsets)}
    moved = np.zeros((len(read), 2), np.float32)
    moved[0] = likely[0]
    for number, (start, end) in enumerate(written.offsets, first):
        if any(map(str.isalnum, text[start:end])):
            for column, token in enumerate((starts.get(places[start]), ends.get(places[end - 1] + 1))):
                if token is not None:
                    moved[token, column] += likely[number, column]
    return moved / moved.sum(axis=0)
