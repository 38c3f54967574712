"""The encoder's layers: an ONNX graph made from weights in memory, run by ONNX Runtime on as many threads as cores.

A text is a pass of its own: nothing is padded, and its result depends on no other text. Matrices are multiplied in 8
bits. A matrix has a scale for each output, its inputs have one for each token: with one for all tokens the few that are
far larger than the rest leave the others too few steps. Figures: docs/decisions/0014-embedding.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from index.graphs import MICROSOFT, Graph
from index.minilm import HEAD_WIDTH, WIDTH, layer_count
from index.threads import threads, usable_cores

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from index.minilm import Floats, Weights

ARITHMETIC = "8 bits, version 1"
"""Names what vectors depend on besides the weights; to be changed with it."""

# Without instructions for sums of four products, x86 adds two of 8 bits each in 16: 2 * 255 * 63 fits, 127 does not.
LARGEST_WEIGHT = 63
LARGEST_INPUT = 127
ZERO_INPUT = 128  # inputs are unsigned
EPSILON = 1e-12  # of layer norms, as in BERT

Item = TypeVar("Item")
Result = TypeVar("Result")


class Layers:
    """Layers ready to run. Any number of threads may use them."""

    def __init__(self, weights: Weights, *, exact: bool = False) -> None:
        """``exact``: multiply in float32; half as fast. The weights are not needed afterwards."""
        graph = _EncoderGraph(weights, exact=exact)
        self._states = graph.states()
        self._session = graph.session(("embedded", WIDTH), (self._states, WIDTH))

    def __call__(self, embedded: Floats) -> Floats:
        """Return the last hidden states of one text, (length, 384) float32, from `index.minilm.embedded`."""
        states: Floats = self._session.run([self._states], {"embedded": embedded})[0]
        return states


def in_parallel(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return what ``work`` makes of each item, in order, on one thread per core, all callers together.

    Callers take turns: one with many items waits with most of them, so that a question asked during an update is read
    between its chunks and not after them. ``work`` must not call this.
    """
    if len(items) == 1:
        return [work(items[0])]
    results: list[Result] = []
    begun: deque[Future[Result]] = deque()
    most = 2 * usable_cores()  # those that run, and those that come next
    for item in items:
        if len(begun) == most:
            results.append(begun.popleft().result())
        begun.append(threads("inference").submit(work, item))
    return results + [future.result() for future in begun]


def in_7_bits(matrix: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """Return a matrix as multiples of a scale for each row, 7 bits and a sign, and the scales, float32."""
    import numpy as np

    scales = np.abs(matrix).max(axis=1, keepdims=True) / LARGEST_WEIGHT
    return np.round(matrix / np.maximum(scales, 1e-30)).astype(np.int8), scales[:, 0]


class _EncoderGraph(Graph):
    """From ``embedded`` to the last hidden states."""

    def __init__(self, weights: Weights, *, exact: bool) -> None:
        super().__init__()
        self._weights = weights
        self._exact = exact

    def states(self) -> str:
        """Return what the last layer gives, (length, 384) float32."""
        x = self._norm("norm", "embedded")
        for layer in range(layer_count(self._weights)):
            x = self._layer(f"layer.{layer}.", x)
        return x

    def _layer(self, name: str, x: str) -> str:
        seen = self._attention(name, self._product(f"{name}qkv", x))
        x = self._added(f"{name}norm1", self._product(f"{name}out", seen), x, self._weight(f"{name}out.bias"))
        raised = self.op("BiasGelu", self._product(f"{name}up", x), self._weight(f"{name}up.bias"), domain=MICROSOFT)
        return self._added(f"{name}norm2", self._product(f"{name}down", raised), x, self._weight(f"{name}down.bias"))

    def _attention(self, name: str, projected: str) -> str:
        """A layer has as many heads as its weights have rows for."""
        width = self._weights[f"{name}out.weight"].shape[1]
        first = self.constant("first axis", [0], "int64")
        widths = self.constant(f"{name}widths", [width] * 3, "int64")
        batch = self.op("Unsqueeze", projected, first)
        three = self.ops("Split", batch, widths, outputs=3, axis=2)
        bias = self._weight(f"{name}qkv.bias")
        seen = self.op("MultiHeadAttention", *three, bias, domain=MICROSOFT, num_heads=width // HEAD_WIDTH)
        return self.op("Squeeze", seen, first)

    def _added(self, norm: str, x: str, skipped: str, bias: str) -> str:
        """Return the layer norm of ``x + bias + skipped``."""
        return self._norm(norm, self.op("Add", self.op("Add", x, bias), skipped))

    def _norm(self, name: str, x: str) -> str:
        weight, shift = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self.op("LayerNormalization", x, weight, shift, epsilon=EPSILON)

    def _product(self, name: str, x: str) -> str:
        """Return ``x @ W.T`` of a named matrix."""
        matrix = self._weights[f"{name}.weight"]
        if self._exact:
            return self.op("MatMul", x, self.constant(name, matrix.T, "float32"))
        in_whole, scales = in_7_bits(matrix)
        whole = self.constant(f"{name} in 8 bits", in_whole.T, "int8")
        whole_scales = self.constant(f"{name} scales", scales, "float32")
        tokens, token_scales = self._in_8_bits(x)
        one, zero = self.constant("one", 1, "float32"), self.constant("zero input", ZERO_INPUT, "uint8")
        product = self.op("MatMulIntegerToFloat", tokens, whole, one, whole_scales, zero, domain=MICROSOFT)
        return self.op("Mul", product, token_scales)

    def _in_8_bits(self, x: str) -> tuple[str, str]:
        """Return each token's numbers as multiples of a scale, (length, n) uint8, and the scales, (length, 1)."""
        last = self.constant("last axis", [1], "int64")
        largest = self.op("ReduceMax", self.op("Abs", x), last)
        scales = self.op("Mul", largest, self.constant("step", 1 / LARGEST_INPUT, "float32"))
        zeros = self.op("Expand", self.constant("zeros", [ZERO_INPUT], "uint8"), self.op("Shape", x, start=0, end=1))
        return self.op("QuantizeLinear", x, self.op("Squeeze", scales, last), zeros, axis=0), scales

    def _weight(self, name: str) -> str:
        return self.constant(name, self._weights[name], "float32")
