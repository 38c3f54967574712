"""Layers in PyTorch, as a GPU runs them, here on the processor: the same vectors as ONNX Runtime's, and a way back."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import SEEDS

from index import gpu, minilm
from index.embedding import load_encoder
from index.gpu import GpuLayers

pytestmark = pytest.mark.model

WORDS = (SEEDS / "000_fd202e94ced50b5a.txt").read_text(encoding="utf-8").split()
TEXTS = [" ".join(WORDS[at : at + 1 + 17 * at % 170]) for at in range(40)] + ["", "x " * 2000]


class OnProcessor(GpuLayers):
    used = 0

    def __init__(self, weights: minilm.Weights) -> None:
        super().__init__(weights, device="cpu")

    def mean_states(self, texts):  # type: ignore[no-untyped-def]
        OnProcessor.used += 1
        return super().mean_states(texts)


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "has_gpu", lambda: True)
    monkeypatch.setattr(gpu, "WORTH_IT", len(TEXTS))
    monkeypatch.setattr(gpu, "_TOKENS_AT_ONCE", 600)
    monkeypatch.setattr("index.gpu.GpuLayers", OnProcessor)
    monkeypatch.setattr(OnProcessor, "used", 0)


def test_many_texts_at_once_get_the_vectors_that_each_gets_alone(with_gpu: None) -> None:
    encoder = load_encoder()
    vectors = encoder.encode_documents(TEXTS)
    assert OnProcessor.used == 1
    alone = np.stack([encoder.encode_documents([text])[0] for text in TEXTS])
    assert OnProcessor.used == 1
    cosines = (vectors * alone).sum(axis=1)
    assert cosines.min() > 0.995
    assert cosines.mean() > 0.999
    assert vectors.shape == alone.shape


def test_a_gpu_that_fails_is_given_up_and_the_processor_goes_on(
    with_gpu: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = []

    def fail(*_: object) -> None:
        tried.append(True)
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(OnProcessor, "mean_states", fail)
    encoder = load_encoder()
    assert len(encoder.encode_documents(TEXTS)) == len(encoder.encode_documents(TEXTS)) == len(TEXTS)
    assert len(tried) == 1
    assert "CUDA out of memory" in caplog.text


def test_no_gpu_is_seen_where_all_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not gpu.has_gpu()
