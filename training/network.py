"""The reader's network in PyTorch, for training: gradients, dropout, padded batches.

The product runs the same network with `index.layers`; `tests/test_training.py` holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from index.layers import EPSILON
from index.minilm import HEAD_WIDTH, WIDTH, layer_count
from qa.span_network import Pair

PAD = 0

Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Batch:
    """Question and passage pairs, padded on the right; each attribute is (n, length), all on one device.

    Attributes:
        tokens, types: int64; see `Pair`.
        matches: bool; see `Pair`.
        mask: bool, False on padding.
    """

    tokens: Tensor
    types: Tensor
    matches: Tensor
    mask: Tensor


def make_batch(pairs: Sequence[Pair], device: str = "cpu") -> Batch:
    """Return pairs as one batch on a device, padded to a multiple of 8 tokens."""
    length = -(-max(map(len, pairs)) // 8) * 8
    tokens = torch.full((len(pairs), length), PAD)
    types, matches = torch.zeros_like(tokens), torch.zeros_like(tokens, dtype=torch.bool)
    for row, pair in enumerate(pairs):
        tokens[row, : len(pair)] = torch.tensor(pair.tokens)
        types[row, : len(pair)] = torch.tensor(pair.types)
        matches[row, : len(pair)] = torch.tensor(pair.matches)
    return Batch(*(tensor.to(device) for tensor in (tokens, types, matches, tokens != PAD)))


def score_tokens(
    weights: Weights, batch: Batch, *, drop: Callable[[Tensor], Tensor] = lambda x: x
) -> tuple[Tensor, Tensor]:
    """Return start and end logits, (n, length, 2) float32, and relevance logits, (n,) float32.

    Tokens of the question and padding get -10,000; the first token stands for "no answer here".
    """
    hidden = last_states(weights, batch, drop=drop)
    marks = linear(weights, "span", hidden).float()
    readable = batch.mask & (batch.types == 1)
    readable[:, 0] = True
    relevance = linear(weights, "relevance", hidden[:, 0]).float()[:, 0]
    return marks.masked_fill(~readable[..., None], -1e4), relevance


def last_states(
    weights: Weights,
    batch: Batch,
    *,
    drop: Callable[[Tensor], Tensor] = lambda x: x,
    see: Callable[[str, Tensor], None] = lambda name, x: None,
) -> Tensor:
    """Return the last hidden states, (n, length, 384), in the precision of ``weights``.

    Args:
        drop: dropout.
        see: is shown what the matrices ``out`` and ``down`` of each layer read, by their names.
    """
    kind = weights["norm.weight"].dtype
    x = F.embedding(batch.tokens, weights["words.weight"]) + weights["positions.weight"][: batch.tokens.shape[1]]
    x = x.to(kind) + weights["types.weight"][batch.types]
    x = x + batch.matches[..., None].to(kind) * weights["match.weight"]
    return through_layers(weights, x, batch.mask, drop=drop, see=see)


def through_layers(
    weights: Weights,
    x: Tensor,
    mask: Tensor,
    *,
    drop: Callable[[Tensor], Tensor],
    see: Callable[[str, Tensor], None] = lambda name, x: None,
) -> Tensor:
    """Return what all layers that there are weights of make of (n, length, 384) embedded tokens; see `last_states`.

    ``mask``: (n, length) bool, False on padding.
    """
    n, length, _ = x.shape
    x = drop(norm(weights, "norm", x))
    readable = mask[:, None, None, :]
    for layer in range(layer_count(weights)):
        name = f"layer.{layer}."
        q, k, v = linear(weights, name + "qkv", x).view(n, length, 3, -1, HEAD_WIDTH).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=readable).transpose(1, 2).flatten(2)
        see(name + "out", seen)
        x = norm(weights, name + "norm1", x + drop(linear(weights, name + "out", seen)))
        raised = F.gelu(linear(weights, name + "up", x))
        see(name + "down", raised)
        x = norm(weights, name + "norm2", x + drop(linear(weights, name + "down", raised)))
    return x


def linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    """Return ``x @ W.T + b`` of a named matrix."""
    return F.linear(x, weights[name + ".weight"], weights[name + ".bias"])


def norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    """Return the layer norm of that name."""
    return F.layer_norm(x, (WIDTH,), weights[name + ".weight"], weights[name + ".bias"], EPSILON)


def has_bfloat16_matrices(device: str) -> bool:
    """Tell whether a device multiplies bfloat16 matrices faster than float32 ones.

    A processor does with AMX. With AVX-512 alone a step takes 1.6 times as long (9.2 against 15.2 examples a second).
    """
    return device == "cuda" or bool(torch.cpu._is_amx_tile_supported())
