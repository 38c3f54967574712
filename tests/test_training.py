"""The network that is trained is the one that reads."""

from __future__ import annotations

import json
import math
import random
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
    from training.items import tokenised

    monkeypatch.setattr(train_reader, "CHECKPOINT_EVERY", 2)
    examples = [Example(question, TEXT, ((4, 9),), "test", "one") for question in ("who?", "what?", "why?", "when?")]
    examples.append(Example("where is Rome?", TEXT, (), "test", "one"))
    stage, config = tokenised(examples * 2), train_reader.Config(seed=7, batch_size=2, pieces=2)

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


def test_a_teachers_answer_labels_the_same_words_of_the_stripped_text(monkeypatch: pytest.MonkeyPatch) -> None:
    from training import items
    from training.reader_data import stripped

    text = 'A bridge (built in 1834) crosses the "Aar", 1,400 metres above the mill. It is closed.'
    asked = Example("When was it built?", text, ((19, 23),), "test", "one")
    unanswered = Example("Who pays?", text, (), "test", "one")

    def teacher(pair) -> tuple[np.ndarray, float]:
        logits = np.zeros((len(pair), 2), np.float32)
        first = len(pair.question) + 2
        told = [first + i for i, (start, end) in enumerate(pair.offsets) if text[start:end] in ("1", "metres")]
        logits[[told[0], told[1]], [0, 1]] = 20
        logits[1 : first - 1] = 200  # what the question's tokens get means nothing
        return logits, math.log(3)

    monkeypatch.setattr(items, "AS_WRITTEN", 0.0)
    bare = stripped(asked).passage
    one, other = items.taught(teacher, [asked, unanswered], random.Random(1))
    for item, annotated in ((one, "1834"), (other, None)):
        assert item.labels is not None
        assert item.labels.shape == (len(item.pair), 2)
        np.testing.assert_allclose(item.labels.sum(axis=0), 1, atol=1e-5)
        start, end = (item.pair.offsets[token - len(item.pair.question) - 2] for token in item.labels.argmax(axis=0))
        assert bare[start[0] : end[1]] == "1 400 metres"
        gold = [item.pair.offsets[token - len(item.pair.question) - 2] for token in (item.start, item.end) if token]
        assert (bare[gold[0][0] : gold[1][1]] if gold else None) == annotated
        assert item.relevance == pytest.approx((1 - items.ANNOTATED) * 0.75 + items.ANNOTATED * (annotated is not None))
        assert item.labels[[item.start, item.end], [0, 1]] == pytest.approx(items.ANNOTATED, abs=1e-3)


def test_a_teachers_stripped_examples_may_be_read_with_marks_restored_more_or_less_readily(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from training import items

    def teacher(pair) -> tuple[np.ndarray, float]:
        return np.zeros((len(pair), 2), np.float32), 0.0

    monkeypatch.setattr(items, "AS_WRITTEN", 0.0)
    text = "The bridge crosses the Aar. It was built in 1834 by Ida Marlow. Later, it was closed."
    examples = [Example("Who built it?", text, ((52, 62),), "test", "one")] * 12
    pieces = [
        {len(item.pair) for item in items.taught(teacher, examples, random.Random(1), varied_marks=varied)}
        for varied in (False, True)
    ]
    assert [len(lengths) for lengths in pieces] == [1, 2]


def test_the_weights_are_the_mean_of_the_runs_taught_once_more_and_nothing_is_made_twice(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from safetensors.numpy import load_file

    from training import train_reader

    runs = tuple(train_reader.Config(seed=seed, batch_size=2, pieces=2) for seed in (1, 2))
    taught = tuple(train_reader.Config(seed=seed, batch_size=2, pieces=2, limit=3) for seed in (3, 4))
    stages = [[Example("who?", TEXT, ((4, 9),), "test", "one"), Example("where is Rome?", TEXT, (), "test", "one")] * 2]
    monkeypatch.setattr(train_reader, "RUNS", runs)
    monkeypatch.setattr(train_reader, "TAUGHT", taught)
    monkeypatch.setattr(train_reader, "training_examples", lambda *_: stages)
    monkeypatch.setattr(sys, "argv", ["train_reader", "--data", str(tmp_path), "--out", str(tmp_path)])
    train_reader.main()
    folders = {("seed-1", "seed-2"): "teacher", ("taught-3", "taught-4"): "."}
    for (first, second), mean in folders.items():
        one, two, both = (load_file(tmp_path / place / train_reader.READER) for place in (first, second, mean))
        for name, tensor in both.items():
            np.testing.assert_array_equal(tensor, ((one[name].astype("f4") + two[name]) / 2).astype("f2"))
        assert (one["span.weight"] != two["span.weight"]).any()
    teacher = load_file(tmp_path / "teacher" / train_reader.READER)
    assert 0 < abs(both["span.weight"].astype("f4") - teacher["span.weight"]).max() < 0.01

    made = train_reader.file_sha256(tmp_path)
    monkeypatch.setattr(train_reader, "training_examples", None)
    train_reader.main()
    assert train_reader.file_sha256(tmp_path) == made
    monkeypatch.setattr(train_reader, "RUNS", (runs[0], train_reader.Config(seed=2)))
    with pytest.raises(SystemExit, match=r"seed-2 holds weights made in another way"):
        train_reader.main()
