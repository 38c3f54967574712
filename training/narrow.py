"""A narrower network out of a trained one: fewer heads and hidden units in each layer, the rest made up for.

What is removed is what the rest can best replace, and the rest's outputs are fitted to what the whole layer gave, by
least squares over real pairs: the optimal brain surgeon (Hassibi and Stork 1993) for whole structures (Kurtić et al.
2023, "ZipLM"). The narrow network is then taught by the wide one, see `training.train_reader`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from index.minilm import HEAD_WIDTH, LAYERS
from qa.span_network import Pair
from training.network import Weights, last_states, make_batch

DAMPING = 1e-3  # of the mean of the diagonal, added to it


def narrowed(weights: Weights, pairs: Sequence[Pair], *, heads: int, hidden: int) -> dict[str, Tensor]:
    """Return weights whose layers have so many heads and hidden units, float32.

    Args:
        weights: of the reader, with the embedding tables, float32.
        pairs: what the layers' outputs are fitted on.
    """
    sums = _inner_products(weights, pairs)
    found = {name: tensor.clone() for name, tensor in weights.items()}
    for layer in range(LAYERS):
        name = f"layer.{layer}."
        kept, found[name + "down.weight"] = fitted(weights[name + "down.weight"], sums[name + "down"], hidden, 1)
        for end in ("up.weight", "up.bias"):
            found[name + end] = weights[name + end][kept]
        kept, found[name + "out.weight"] = fitted(weights[name + "out.weight"], sums[name + "out"], heads, HEAD_WIDTH)
        rows = weights[name + "out.weight"].shape[1]
        for end in ("qkv.weight", "qkv.bias"):
            found[name + end] = torch.cat([part[kept] for part in weights[name + end].split(rows)])
    return found


def fitted(matrix: Tensor, products: Tensor, groups: int, size: int) -> tuple[Tensor, Tensor]:
    """Return which inputs of a matrix are kept, ascending, and the matrix for these alone, (outputs, kept).

    Groups of ``size`` inputs leave one by one, each time the one whose loss changes the outputs least in the squared
    mean once the other inputs' columns have been refitted.

    Args:
        matrix: (outputs, inputs).
        products: (inputs, inputs), the sum over tokens of each input times each.
        groups: how many groups of inputs are kept.
    """
    columns = matrix.double().T.reshape(-1, size, len(matrix))
    count = len(columns)
    damped = products.double() + DAMPING * products.double().diagonal().mean() * torch.eye(len(products))
    inverse = torch.linalg.inv(damped).view(count, size, count, size)
    left = torch.ones(count, dtype=torch.bool)
    for _ in range(count - groups):
        own = torch.linalg.inv(torch.einsum("gigj->gij", inverse) + (~left)[:, None, None] * torch.eye(size))
        error = torch.einsum("gio,gij,gjo->g", columns, own, columns)
        leaves = int(error.masked_fill(~left, torch.inf).argmin())
        shares = torch.einsum("gisj,jk->gisk", inverse[:, :, leaves : leaves + 1], own[leaves])[:, :, 0]
        columns = columns - torch.einsum("gik,ko->gio", shares, columns[leaves])
        inverse = inverse - torch.einsum("gik,khj->gihj", shares, inverse[leaves])
        left[leaves] = False
        columns[leaves] = 0
        inverse[leaves], inverse[:, :, leaves] = 0, 0
    kept = left.repeat_interleave(size).nonzero()[:, 0]
    return kept, columns[left].reshape(-1, len(matrix)).T.float()


def _inner_products(weights: Weights, pairs: Sequence[Pair]) -> dict[str, Tensor]:
    """Return, for the inputs of each layer's ``out`` and ``down``, the sum over tokens of each times each."""
    sums: dict[str, Tensor] = {}
    with torch.no_grad():
        for pair in pairs:

            def add(name: str, inputs: Tensor, tokens: int = len(pair)) -> None:
                own = inputs[0, :tokens]
                sums[name] = sums.get(name, 0) + own.T @ own

            last_states(weights, make_batch([pair]), see=add)
    return sums
