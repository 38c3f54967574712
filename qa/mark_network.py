"""The trained network of `qa/restoring.py`: words in, what may have stood after each of them out.

Four layers of the encoder's kind, trained further, read the words' pieces and their letter case; two linear maps read
the last piece before a gap and the first one after it. Its word pieces come from the bundled package, the rest is
``weights/marks.safetensors``. How it was trained, and what it gets right: ``weights/marks.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from index import minilm
from index.graphs import Graph
from index.layers import Layers, in_7_bits
from index.segmenting import KNOWN_LETTERS, SHAPE_FEATURES, UNKNOWN_PIECE, shape_features

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from tokenizers import Tokenizer

    Floats = npt.NDArray[np.float32]

WINDOW, SHARED = 168, 32  # words read at once, and how many of them the next window reads again
MOST_PIECES = 3  # of a word; a window then fits the encoder's 512 positions


@dataclass(frozen=True, slots=True)
class Pieces:
    """Words as the network reads them.

    Attributes:
        tokens: ``[CLS]``, the words' pieces, ``[SEP]``.
        shapes: (length, 16) float32, the letter case of each token's word.
        firsts, lasts: where each word's first and last piece stands in ``tokens``.
    """

    tokens: list[int]
    shapes: Floats
    firsts: list[int]
    lasts: list[int]


def pieces_of(words: Sequence[str], tokenizer: Tokenizer) -> Pieces:
    """Return words, at least one, as pieces; of a long one only the beginning."""
    import numpy as np

    shown = [word[:KNOWN_LETTERS] for word in words]
    tokens, firsts, lasts, shapes = [minilm.CLS], [], [], [[False] * SHAPE_FEATURES]
    for word, encoding in zip(shown, tokenizer.encode_batch(shown, add_special_tokens=False), strict=True):
        pieces = encoding.ids[:MOST_PIECES] or [UNKNOWN_PIECE]
        firsts.append(len(tokens))
        tokens += pieces
        lasts.append(len(tokens) - 1)
        shapes += [shape_features(word)] * len(pieces)
    return Pieces([*tokens, minilm.SEP], np.array([*shapes, shapes[0]], np.float32), firsts, lasts)


class MarkNetwork:
    """Scores the gap after each word but the last. Any number of threads may use one."""

    def __init__(self, tensors: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Make it of the tensors of ``marks.safetensors``.

        Raises:
            ModelError: the encoder is not installed, or its weights are not the published ones.
        """
        weights = {**minilm.load_tables(), **unpacked(tensors)}
        self._weights = minilm.without_layers(weights)
        self._layers = Layers(weights)
        self._tokenizer = minilm.load_tokenizer()
        # in a graph too: NumPy would multiply on several threads, beside those that read other passages
        graph = Graph()
        hidden = graph.op("Relu", _linear(graph, "sides", weights, "hid"))
        self._outputs = _linear(graph, hidden, weights, "out")
        self._session = graph.session(("sides", 2 * minilm.WIDTH), (self._outputs, len(weights["out.bias"])))

    def logits(self, words: Sequence[str]) -> Floats:
        """Return (n_words - 1, n_marks) float32: what the network says of each gap, before any normalisation.

        A gap that two windows read counts as the one says that reads more around it.
        """
        import numpy as np

        starts = [*range(0, max(1, len(words) - WINDOW), WINDOW - SHARED), max(0, len(words) - WINDOW)]
        found = np.zeros((max(0, len(words) - 1), len(self._weights["out.bias"])), np.float32)
        for start in dict.fromkeys(starts):
            skipped = SHARED // 2 if start else 0
            found[start + skipped : start + WINDOW - 1] = self._window(words[start : start + WINDOW])[skipped:]
        return found

    def _window(self, words: Sequence[str]) -> Floats:
        import numpy as np

        pieces = pieces_of(words, self._tokenizer)
        # a few kinds of words, so that this product is too small for threads too
        shapes, places = np.unique(pieces.shapes, axis=0, return_inverse=True)
        cased = (shapes @ self._weights["shape.weight"].T)[places]
        states = self._layers(minilm.embedded(self._weights, pieces.tokens, 1) + cased)
        sides = np.concatenate([states[pieces.lasts[:-1]], states[pieces.firsts[1:]]], axis=1)
        logits: Floats = self._session.run([self._outputs], {"sides": sides})[0]
        return logits


def _linear(graph: Graph, x: str, weights: Mapping[str, Floats], name: str) -> str:
    """Return ``x @ W.T + b`` of a named matrix."""
    matrix = graph.constant(f"{name}.weight", weights[f"{name}.weight"].T, "float32")
    return graph.op(
        "Add", graph.op("MatMul", x, matrix), graph.constant(f"{name}.bias", weights[f"{name}.bias"], "float32")
    )


def packed(weights: Mapping[str, Floats]) -> dict[str, npt.NDArray[np.generic]]:
    """Return weights as they are stored: matrices of layers in the 8 bits they are multiplied in, others in float16."""
    stored: dict[str, npt.NDArray[np.generic]] = {}
    for name, tensor in weights.items():
        if name.startswith("layer.") and tensor.ndim == 2:
            stored[name], stored[f"{name} scales"] = in_7_bits(tensor)
        else:
            stored[name] = tensor.astype("float16")
    return stored


def unpacked(stored: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, Floats]:
    """Return what `packed` got, float32, as nearly as it is stored."""
    weights = {name: tensor.astype("float32") for name, tensor in stored.items()}
    for name in [name for name in weights if f"{name} scales" in weights]:
        weights[name] *= weights.pop(f"{name} scales")[:, None]
    return weights
