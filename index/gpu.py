"""Many texts at once on an NVIDIA GPU, with PyTorch, in the arithmetic of `index.layers`: their vectors may be mixed.

The same integers are multiplied, and float32 holds their sums exactly; the rest differs in the last digits, which now
and then moves a number by one step of 8 bits. Vectors are nearer to the processor's than those are to float32's
(docs/decisions/0014-embedding.md). A machine without NVIDIA's driver never imports PyTorch for this.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from index.layers import EPSILON, LARGEST_INPUT, in_7_bits
from index.minilm import HEAD_WIDTH, LAYERS, WIDTH, load_weights

if TYPE_CHECKING:
    from torch import Tensor

    from index.minilm import Floats, Weights

WORTH_IT = 128
"""So many texts at once mean a long build; fewer are done before PyTorch is imported."""
_TOKENS_AT_ONCE = 32_768
_DRIVER = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}

_log = logging.getLogger(__name__)


def has_gpu() -> bool:
    """Tell whether NVIDIA's driver is here and shows a GPU; ``CUDA_VISIBLE_DEVICES`` empty hides all."""
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL(_DRIVER[sys.platform])
        failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    except (KeyError, OSError, AttributeError):
        return False
    return not failed and count.value > 0


class Gpu:
    """The bundled encoder on a GPU, if there is one, from the first long build on. Threads may share one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._layers: GpuLayers | None = None
        self._failed = False

    def mean_states(self, texts: Sequence[Sequence[int]]) -> Floats | None:
        """Return what `GpuLayers.mean_states` does; None for few texts, without a GPU, and once it has failed."""
        if len(texts) < WORTH_IT:
            return None
        with self._lock:
            if self._failed or not (self._layers or has_gpu()):
                return None
            try:
                self._layers = self._layers or GpuLayers(load_weights())
                return self._layers.mean_states(texts)
            except (RuntimeError, AssertionError) as error:
                _log.warning("The GPU is not used (%s); embedding goes on with the processor.", error)
                self._failed, self._layers = True, None
                return None


class GpuLayers:
    """The encoder's layers on a device. One thread at a time."""

    def __init__(self, weights: Weights, device: str = "cuda") -> None:
        """Move the weights there.

        Raises:
            RuntimeError, AssertionError: the device cannot be used, PyTorch was built without CUDA.
        """
        import torch

        self._device = device
        self._weights = {name: torch.tensor(tensor, device=device) for name, tensor in weights.items()}
        self._scales: dict[str, Tensor] = {}
        for name, matrix in weights.items():
            if name.startswith("layer.") and matrix.ndim == 2:
                whole, scales = in_7_bits(matrix)
                self._weights[name] = torch.tensor(whole, device=device).float()
                self._scales[name] = torch.tensor(scales, device=device)

    def mean_states(self, texts: Sequence[Sequence[int]]) -> Floats:
        """Return the mean of each text's last hidden states, (n, 384) float32; a text is its word pieces.

        Raises:
            RuntimeError: the device failed, or has too little memory.
        """
        import torch

        means = np.empty((len(texts), WIDTH), dtype=np.float32)
        with torch.inference_mode():
            for batch in _batches([len(text) for text in texts]):
                means[batch] = self._means([texts[place] for place in batch]).cpu().numpy()
        return means

    def _means(self, texts: Sequence[Sequence[int]]) -> Tensor:
        import torch

        lengths = torch.tensor([len(text) for text in texts], device=self._device)
        longest = max(map(len, texts))
        tokens = torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts], device=self._device)
        there = torch.arange(longest, device=self._device) < lengths[:, None]
        tables = [self._weights[f"{name}.weight"] for name in ("words", "positions", "types")]
        x = self._norm("norm", tables[0][tokens] + tables[1][:longest] + tables[2][0])
        for layer in range(LAYERS):
            x = self._layer(f"layer.{layer}.", x, there)
        return (x * there[..., None]).sum(dim=1) / lengths[:, None]

    def _layer(self, name: str, x: Tensor, there: Tensor) -> Tensor:
        from torch.nn import functional as F

        texts, length, _ = x.shape
        q, k, v = self._linear(f"{name}qkv", x).view(texts, length, 3, -1, HEAD_WIDTH).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=there[:, None, None, :])
        x = self._norm(f"{name}norm1", self._linear(f"{name}out", seen.transpose(1, 2).reshape(x.shape)) + x)
        return self._norm(f"{name}norm2", self._linear(f"{name}down", F.gelu(self._linear(f"{name}up", x))) + x)

    def _linear(self, name: str, x: Tensor) -> Tensor:
        """Return ``x @ W.T + b`` of a named matrix, x in 8 bits with a scale for each token."""
        scales = x.abs().amax(dim=-1, keepdim=True) * (1 / LARGEST_INPUT)
        product = (x / scales).round() @ self._weights[f"{name}.weight"].T
        return product * self._scales[f"{name}.weight"] * scales + self._weights[f"{name}.bias"]

    def _norm(self, name: str, x: Tensor) -> Tensor:
        from torch.nn import functional as F

        return F.layer_norm(x, (WIDTH,), self._weights[f"{name}.weight"], self._weights[f"{name}.bias"], EPSILON)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the places of texts of like length, so many that a batch has at most `_TOKENS_AT_ONCE` tokens, padded."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[place] > _TOKENS_AT_ONCE:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
