"""Text -> unit vectors: the `Encoder` protocol, the bundled model, and any sentence-transformers model."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from index import minilm
from index.errors import ModelError
from index.gpu import Gpu
from index.hub import load_named
from index.layers import ARITHMETIC, Layers, in_parallel

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Floats = npt.NDArray[np.float32]

BUNDLED_MODEL = minilm.MODEL_NAME
BUNDLED_SHA256 = hashlib.sha256(f"{minilm.WEIGHTS_SHA256} {ARITHMETIC}".encode()).hexdigest()
BATCH_SIZE = 32


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What vectors depend on. Two encoders of equal fingerprint give vectors that may be mixed.

    Attributes:
        model: the name it was asked for by.
        weights_sha256: hash of the weights, and of how they are multiplied; the name alone proves nothing.
        dimension: numbers per vector.
        max_tokens: what the encoder reads of a text, special tokens included; the rest it would drop.
    """

    model: str
    weights_sha256: str
    dimension: int
    max_tokens: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Encoder(Protocol):
    """Turns texts into vectors whose inner product is their similarity."""

    @property
    def fingerprint(self) -> Fingerprint: ...

    def token_starts(self, text: str) -> npt.NDArray[np.int64]:
        """Return the offsets at which the encoder's tokens start in ``text``, ascending, none left out."""
        ...

    def encode_documents(self, texts: Sequence[str]) -> Floats:
        """Return (n, dimension) float32, rows of unit length; (0, dimension) for no texts."""
        ...

    def encode_question(self, text: str) -> Floats:
        """Return (dimension,) float32 of unit length."""
        ...


def load_encoder(model: str = BUNDLED_MODEL) -> Encoder:
    """Return the encoder of that name; the default one is bundled and needs no network.

    The weights are read at first use; a model that cannot be loaded raises ModelError then.

    Args:
        model: ``all-MiniLM-L6-v2`` (bundled), or any other sentence-transformers model: a folder or a hub name.
    """
    return _BundledEncoder() if model == BUNDLED_MODEL else _SentenceTransformersEncoder(model)


class _BundledEncoder:
    """The bundled model, loaded at first use: the mean of its last hidden states, scaled to unit length.

    Many texts at once go to a GPU where there is one, everything else to the processor; vectors of both mix.
    """

    fingerprint = Fingerprint(BUNDLED_MODEL, BUNDLED_SHA256, minilm.WIDTH, minilm.MAX_TOKENS)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: tuple[minilm.Weights, Layers] | None = None
        self._gpu = Gpu()

    def token_starts(self, text: str) -> npt.NDArray[np.int64]:
        offsets = minilm.load_tokenizer().encode(text, add_special_tokens=False).offsets
        return np.fromiter((start for start, _ in offsets), dtype=np.int64, count=len(offsets))

    def encode_documents(self, texts: Sequence[str]) -> Floats:
        encodings = minilm.load_tokenizer().encode_batch(list(texts), add_special_tokens=False)
        tokens = [[minilm.CLS, *encoding.ids[: minilm.MAX_TOKENS - 2], minilm.SEP] for encoding in encodings]
        means = self._gpu.mean_states(tokens)
        return unit_rows(self._means(tokens) if means is None else means)

    def _means(self, texts: Sequence[Sequence[int]]) -> Floats:
        tables, layers = self._model()

        def mean_state(tokens: Sequence[int]) -> Floats:
            mean: Floats = layers(minilm.embedded(tables, tokens)).mean(axis=0)
            return mean

        return np.reshape(in_parallel(mean_state, texts), (len(texts), minilm.WIDTH))

    def encode_question(self, text: str) -> Floats:
        question: Floats = self.encode_documents([text])[0]
        return question

    def _model(self) -> tuple[minilm.Weights, Layers]:
        with self._lock:
            if self._loaded is None:
                weights = minilm.load_weights()
                self._loaded = minilm.without_layers(weights), Layers(weights)
            return self._loaded


class _SentenceTransformersEncoder:
    """A sentence-transformers model, loaded at first use. Prompts are the model's own; normalisation is done here."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.RLock()  # the tokenizers of that library fail when two threads use one at once
        self._loaded: SentenceTransformer | None = None

    @cached_property
    def fingerprint(self) -> Fingerprint:
        dimension = self._model.get_embedding_dimension()
        if dimension is None:
            raise ModelError(f"Model {self._name!r} does not say how many numbers its vectors have.")
        return Fingerprint(self._name, _weights_sha256(self._model), dimension, self._model.max_seq_length or 512)

    def token_starts(self, text: str) -> npt.NDArray[np.int64]:
        with self._lock:
            offsets = self._model.tokenizer(
                text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
            )["offset_mapping"]
        return np.fromiter((start for start, _ in offsets), dtype=np.int64, count=len(offsets))

    def encode_documents(self, texts: Sequence[str]) -> Floats:
        if not texts:
            return np.empty((0, self.fingerprint.dimension), dtype=np.float32)
        with self._lock:
            vectors = self._model.encode_document(list(texts), batch_size=BATCH_SIZE, show_progress_bar=False)
        return self._checked(np.asarray(vectors), len(texts))

    def encode_question(self, text: str) -> Floats:
        with self._lock:
            vectors = self._model.encode_query([text], show_progress_bar=False)
        question: Floats = self._checked(np.asarray(vectors), 1)[0]
        return question

    @property
    def _model(self) -> SentenceTransformer:
        with self._lock:
            if self._loaded is None:
                self._loaded = _load_model(self._name)
            return self._loaded

    def _checked(self, vectors: npt.NDArray[Any], count: int) -> Floats:
        expected = (count, self.fingerprint.dimension)
        if vectors.shape != expected:
            raise ModelError(f"The model returned {vectors.shape[-1]} numbers, expected {expected[1]}.")
        return unit_rows(vectors)


def unit_rows(vectors: npt.NDArray[Any]) -> Floats:
    """Return the rows scaled to unit length, float32; zero and non-finite rows stay as they are."""
    rows = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    scaled: Floats = np.divide(rows, lengths, out=rows.copy(), where=lengths > 0)
    return scaled


def _load_model(name: str) -> SentenceTransformer:
    def load(*, local_files_only: bool) -> SentenceTransformer:
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(name, local_files_only=local_files_only)

    advice = f"Give {BUNDLED_MODEL}, which is bundled, the folder of a sentence-transformers model, or the name of one"
    return load_named(name, load, advice=f"{advice} that can be downloaded.")


def _weights_sha256(model: SentenceTransformer) -> str:
    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()
