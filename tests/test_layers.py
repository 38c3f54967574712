"""The layers, run by ONNX Runtime: BERT's to the last digit where that is asked for, close to it in 8 bits."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest
from conftest import PROJECT, SEEDS
from faults import in_child

from index import layers, minilm
from index.embedding import load_encoder
from index.layers import Layers, in_parallel

pytestmark = pytest.mark.model

WORDS = (SEEDS / "000_fd202e94ced50b5a.txt").read_text(encoding="utf-8").split()
TEXTS = [" ".join(WORDS[at : at + size]) for at, size in ((0, 150), (100, 90), (300, 20), (40, 5))]


def tokens_of(text: str) -> list[int]:
    return [minilm.CLS, *minilm.load_tokenizer().encode(text, add_special_tokens=False).ids, minilm.SEP]


def test_exact_layers_agree_with_transformers_for_one_text_and_for_two() -> None:
    import torch
    from transformers import BertModel

    theirs = BertModel.from_pretrained(str(minilm.model_folder()), local_files_only=True).eval()
    weights = minilm.load_weights()
    ours = Layers(weights, exact=True)
    for text in TEXTS[1:]:
        tokens = tokens_of(text)
        for first in (len(tokens), 4):
            types = [0] * first + [1] * (len(tokens) - first)
            with torch.inference_mode():
                expected = theirs(torch.tensor([tokens]), token_type_ids=torch.tensor([types])).last_hidden_state[0]
            found = ours(minilm.embedded(weights, tokens, types))
            np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


def test_vectors_in_8_bits_point_where_exact_ones_do() -> None:
    weights = minilm.load_weights()
    exact = Layers(weights, exact=True)
    for text, vector in zip(TEXTS, load_encoder().encode_documents(TEXTS), strict=True):
        mean = exact(minilm.embedded(weights, tokens_of(text))).mean(axis=0)
        assert vector @ mean / np.linalg.norm(mean) > 0.99


def test_two_products_of_the_largest_numbers_fit_into_16_bits() -> None:
    largest_input = layers.ZERO_INPUT + layers.LARGEST_INPUT
    assert 2 * largest_input * layers.LARGEST_WEIGHT < 2**15


def test_a_vector_does_not_depend_on_the_texts_beside_it() -> None:
    encoder = load_encoder()
    together = encoder.encode_documents([*TEXTS, "x " * 2000])
    for text, vector in zip(TEXTS, together, strict=False):
        np.testing.assert_array_equal(encoder.encode_documents([text])[0], vector)


def test_results_come_in_the_order_of_the_items_and_a_failure_comes_through() -> None:
    assert in_parallel(lambda n: n * n, range(50)) == [n * n for n in range(50)]
    assert in_parallel(str, []) == []
    with pytest.raises(ZeroDivisionError):
        in_parallel(lambda n: 1 // n, [2, 1, 0])


def test_who_has_little_to_do_does_not_wait_for_who_has_much() -> None:
    begun, done = threading.Event(), []

    def much(number: int) -> None:
        begun.set()
        time.sleep(0.01)
        done.append(number)

    other = threading.Thread(target=in_parallel, args=(much, range(200)))
    other.start()
    begun.wait()
    in_parallel(len, ["a", "question", "of four", "passages"])
    assert len(done) < 100
    other.join()
    assert sorted(done) == list(range(200))


def test_a_forked_process_can_encode() -> None:
    encoder = load_encoder()
    expected = encoder.encode_documents(TEXTS[2:])

    def encode() -> np.ndarray:
        signal.alarm(60)  # ends a child that waits for threads it does not have
        return encoder.encode_documents(TEXTS[2:])

    child = in_child(encode)
    np.testing.assert_array_equal(child.value, expected)


def loaded_by(code: str) -> Sequence[str]:
    """Return which of the large libraries a new process has loaded after running the code."""
    libraries = {"torch", "transformers", "sentence_transformers", "onnx"}
    ask = f"import sys; {code}; print(*({libraries} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, cwd=PROJECT, check=True)
    return done.stdout.split()


def test_embedding_and_reading_load_neither_pytorch_nor_transformers() -> None:
    code = "from index.embedding import load_encoder; from qa.span_reader import SpanReader; "
    code += "load_encoder().encode_question('who?'); SpanReader.load()"
    assert loaded_by(code) == ["onnx"]
