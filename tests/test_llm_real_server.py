"""Once against an implementation of the protocol that is not ours: `transformers serve`, a model made on the spot."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SEEDS

from qa.corpus import Corpus
from qa.followups import Asked
from qa.llm.client import Endpoint
from qa.llm.composing import Composer, State
from qa.llm.settings import Settings

pytestmark = pytest.mark.long

TEMPLATE = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:"


def make_model(folder: Path) -> None:
    """Write a Llama of a few thousand random numbers, and a tokenizer made of the seed text."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    pieces = ByteLevelBPETokenizer()
    pieces.train([str(path) for path in SEEDS.glob("*.txt")], vocab_size=600, special_tokens=["<s>", "</s>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces._tokenizer, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=8192, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    make_model(tmp_path / "model")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(tmp_path / "model")]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            [*command, "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)],
            stdout=log,
            stderr=log,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        try:
            _wait(f"http://127.0.0.1:{port}/health", process, tmp_path / "log")
            yield Settings(
                f"http://127.0.0.1:{port}/v1", str(tmp_path / "model"), prompt_tokens=900, answer_tokens=40, seconds=240
            )
        finally:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url)
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"the server did not start: {log.read_text()}")


def test_a_real_server_streams_and_its_random_words_are_never_shown_as_supported(
    corpus: Corpus, settings: Settings
) -> None:
    composer = Composer(corpus, Endpoint(settings))
    *_, composed = composer.compose(corpus.ask("Which river flows through Vienna?"))
    assert (composed.state, composed.problem) == (State.DONE, "")
    assert composed.sentences, "a random model writes something"
    assert not composed.supported
    assert composer.rewrite("where does it end?", Asked("Which river flows through Vienna?", ("The Danube",))) is None


def test_a_model_that_it_does_not_hold_is_one_sentence(corpus: Corpus, settings: Settings) -> None:
    other = Settings(settings.url, "no/such-model", seconds=60)
    *_, composed = Composer(corpus, Endpoint(other)).compose(corpus.ask("Which river flows through Vienna?"))
    assert composed.state is State.FAILED
    assert composed.problem
