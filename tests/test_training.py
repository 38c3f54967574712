"""The network that is trained is the one that reads."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from test_span_reader import TEXT

from index import minilm
from qa.span_network import Network, load_weights, make_pairs
from qa.span_reader import WEIGHTS
from training.reader_data import Example

pytestmark = pytest.mark.model


def test_the_network_in_pytorch_gives_the_logits_of_the_one_that_reads_also_beside_longer_pairs() -> None:
    torch = pytest.importorskip("torch")
    from training.network import make_batch, score_tokens

    weights = load_weights(WEIGHTS, json.loads((WEIGHTS / "reader.json").read_text())["sha256"])
    network = Network(weights, minilm.load_tokenizer(), exact=True)
    pairs = make_pairs(minilm.load_tokenizer(), ["Who built the bridge?", "Why?"], [TEXT, TEXT[:40]])
    batch = make_batch(pairs)
    with torch.inference_mode():
        marks, relevance = score_tokens({name: torch.from_numpy(w) for name, w in weights.items()}, batch)
    for row, pair in enumerate(pairs):
        found, answers = network.score(pair)
        markable = np.array(pair.types) == 1
        markable[0] = True
        np.testing.assert_allclose(found[markable], marks[row, : len(pair)].numpy()[markable], atol=1e-3)
        assert answers == pytest.approx(float(relevance[row]), abs=1e-3)
        assert (marks[row, : len(pair)].numpy()[~markable] < -9999).all()
    assert (marks[~batch.mask] < -9999).all()


def test_training_again_or_in_two_goes_gives_the_same_weights(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from training import train_reader

    monkeypatch.setattr(train_reader, "CHECKPOINT_EVERY", 2)
    examples = [Example(question, TEXT, ((4, 9),), "test", "one") for question in ("who?", "what?", "why?", "when?")]
    examples.append(Example("where is Rome?", TEXT, (), "test", "one"))
    stage, config = train_reader.tokenised(examples * 2), train_reader.Config(seed=7, batch_size=2, pieces=2)

    class Stopped(Exception):
        pass

    def stop(*args: object) -> None:
        save(*args)
        raise Stopped

    for name in ("whole", "again", "halves"):
        (tmp_path / name).mkdir()
    save = train_reader._save
    train_reader.train([stage], tmp_path / "whole", config)
    train_reader.train([stage], tmp_path / "again", config)
    with monkeypatch.context() as patch:
        patch.setattr(train_reader, "_save", stop)
        with pytest.raises(Stopped):
            train_reader.train([stage], tmp_path / "halves", config)
    train_reader.train([stage], tmp_path / "halves", config)

    whole, again, halves = (train_reader.file_sha256(tmp_path / name) for name in ("whole", "again", "halves"))
    assert whole == again == halves
    untrained = train_reader.initial_weights(config.seed)[1]
    train_reader.save_weights(untrained, tmp_path / "again" / train_reader.READER)
    assert train_reader.file_sha256(tmp_path / "again") != whole


def test_the_weights_are_the_mean_of_the_runs_which_are_not_made_twice(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from safetensors.numpy import load_file

    from training import train_reader

    runs = tuple(train_reader.Config(seed=seed, batch_size=2, pieces=2) for seed in (1, 2))
    stages = [[Example("who?", TEXT, ((4, 9),), "test", "one"), Example("where is Rome?", TEXT, (), "test", "one")] * 2]
    monkeypatch.setattr(train_reader, "RUNS", runs)
    monkeypatch.setattr(train_reader, "training_examples", lambda *_: stages)
    monkeypatch.setattr(sys, "argv", ["train_reader", "--data", str(tmp_path), "--out", str(tmp_path)])
    train_reader.main()
    one, two, mean = (load_file(tmp_path / place / train_reader.READER) for place in ("seed-1", "seed-2", "."))
    for name, tensor in mean.items():
        np.testing.assert_array_equal(tensor, ((one[name].astype("f4") + two[name]) / 2).astype("f2"))
    assert (one["span.weight"] != two["span.weight"]).any()

    made = train_reader.file_sha256(tmp_path)
    monkeypatch.setattr(train_reader, "training_examples", None)
    train_reader.main()
    assert train_reader.file_sha256(tmp_path) == made
    monkeypatch.setattr(train_reader, "RUNS", (runs[0], train_reader.Config(seed=2)))
    with pytest.raises(SystemExit, match=r"seed-2 holds weights made in another way"):
        train_reader.main()
