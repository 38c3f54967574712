"""The network that is trained is the one that reads."""

from __future__ import annotations

import json
import math
import random
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from conftest import SEEDS
from safetensors.numpy import load_file
from test_span_reader import TEXT

from index import minilm
from index.layers import Layers
from index.minilm import layer_count
from qa.mark_network import SHARED, WINDOW, MarkNetwork, packed, pieces_of, unpacked
from qa.restoring import WEIGHTS as MARKS
from qa.restoring import Mark
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


def test_a_teachers_answer_labels_the_same_words_of_the_stripped_text() -> None:
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

    bare = stripped(asked).passage
    one, other = items.taught(teacher, [asked, unanswered], random.Random(1), as_written=0.0)
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


def test_as_many_of_a_teachers_examples_as_asked_keep_their_marks_the_others_are_restored_alike_or_not() -> None:
    from training import items

    def teacher(pair) -> tuple[np.ndarray, float]:
        return np.zeros((len(pair), 2), np.float32), 0.0

    text = "The bridge (stone, wide) over the Aar: it was built by Ida Marlow; a road, once. Later, Bern closed it."
    examples = [Example("Who built it?", text, ((55, 65),), "test", "one")] * 12
    (whole,) = {len(pair) for pair in items.example_pairs(examples)}

    def lengths(as_written: float, *, varied: bool = False) -> Counter[int]:
        made = items.taught(teacher, examples, random.Random(1), as_written=as_written, varied_marks=varied)
        return Counter(len(item.pair) for item in made)

    assert lengths(1.0) == {whole: 12}
    assert len(lengths(0.0)) == 1
    assert whole not in lengths(0.0)
    assert len(lengths(0.0, varied=True)) > 1
    assert 0 < lengths(0.5)[whole] < 12


def test_inputs_that_the_others_can_replace_leave_and_the_outputs_stay() -> None:
    torch = pytest.importorskip("torch")
    from training.narrow import fitted

    generator = torch.Generator().manual_seed(1)
    own = torch.randn(500, 4, generator=generator)
    groups = {0: own[:, :2], 1: own[:, :2] @ torch.tensor([[1.0, 2.0], [0.0, 1.0]]), 2: own[:, 2:]}
    inputs = torch.cat([groups[0], groups[1], groups[2]], dim=1)
    matrix = torch.randn(3, 6, generator=generator)
    kept, narrow = fitted(matrix, inputs.T @ inputs, groups=2, size=2)
    assert kept.tolist() in ([0, 1, 4, 5], [2, 3, 4, 5])
    torch.testing.assert_close(inputs[:, kept] @ narrow.T, inputs @ matrix.T, atol=0.02, rtol=0)
    weak = matrix * torch.tensor([1.0, 1.0, 1.0, 1.0, 0.01, 0.01])
    assert fitted(weak, torch.eye(6), groups=2, size=2)[0].tolist() == [0, 1, 2, 3]


def test_a_narrower_network_says_nearly_what_the_wide_one_says() -> None:
    torch = pytest.importorskip("torch")
    from training.narrow import narrowed

    wide = {name: torch.from_numpy(array) for name, array in minilm.load_weights().items()}
    wide["match.weight"] = torch.zeros(1, minilm.WIDTH)
    pairs = make_pairs(minilm.load_tokenizer(), ["Who built the bridge?"] * 3, [TEXT, TEXT[40:], TEXT[:80]])
    narrow = narrowed(wide, pairs, heads=11, hidden=1500)
    assert narrow["layer.3.qkv.weight"].shape == (3 * 11 * 32, 384)
    assert narrow["layer.3.out.weight"].shape == (384, 11 * 32)
    assert narrow["layer.3.up.weight"].shape == narrow["layer.3.down.weight"].T.shape == (1500, 384)
    read = minilm.embedded({name: w.numpy() for name, w in wide.items()}, pairs[0].tokens, pairs[0].types)
    said, expected = (
        Layers({name: tensor.numpy() for name, tensor in weights.items()}, exact=True)(read)
        for weights in (narrow, wide)
    )
    assert 0 < np.linalg.norm(said - expected) < 0.1 * np.linalg.norm(expected)


def test_a_wide_network_is_the_mean_of_runs_taught_once_more_and_teaches_a_narrow_one(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from safetensors.numpy import load_file

    from training import train_reader

    runs = tuple(train_reader.Config(seed=seed, batch_size=2, pieces=2) for seed in (1, 2))
    taught, first_round, second_round = (
        tuple(train_reader.Config(seed=seed, batch_size=2, pieces=2, limit=3) for seed in seeds)
        for seeds in ((3, 4), (5, 6), (7,))
    )
    stages = [[Example("who?", TEXT, ((4, 9),), "test", "one"), Example("where is Rome?", TEXT, (), "test", "one")] * 2]
    monkeypatch.setattr(train_reader, "RUNS", runs)
    monkeypatch.setattr(train_reader, "TAUGHT", taught)
    monkeypatch.setattr(train_reader, "NARROW", (first_round, second_round))
    monkeypatch.setattr(train_reader, "HEADS", 11)
    monkeypatch.setattr(train_reader, "HIDDEN", 1530)
    monkeypatch.setattr(train_reader, "training_examples", lambda *_: stages)
    monkeypatch.setattr(sys, "argv", ["train_reader", "--data", str(tmp_path), "--out", str(tmp_path)])
    train_reader.main()
    folders = {
        ("seed-1", "seed-2"): "teacher",
        ("taught-3", "taught-4"): "wide",
        ("taught-5", "taught-6"): "narrow-1",
        ("narrow-1", "taught-7"): ".",
    }
    for (first, second), mean in folders.items():
        one, two, both = (load_file(tmp_path / place / train_reader.READER) for place in (first, second, mean))
        for name, tensor in both.items():
            np.testing.assert_array_equal(tensor, ((one[name].astype("f4") + two[name]) / 2).astype("f2"))
        assert (one["span.weight"] != two["span.weight"]).any()
    for begun, made in (("teacher", "wide"), ("narrow", ".")):
        before, after = (load_file(tmp_path / place / train_reader.READER) for place in (begun, made))
        assert 0 < abs(after["span.weight"].astype("f4") - before["span.weight"]).max() < 0.01
    assert after["layer.5.up.weight"].shape == before["layer.5.up.weight"].shape == (1530, 384)

    whole = replace(second_round[0], as_written=1.0)
    train_reader.teach(tmp_path, tmp_path / "wide", tmp_path / "narrow-1", tmp_path / "whole", whole)
    assert train_reader.file_sha256(tmp_path / "whole") != train_reader.file_sha256(tmp_path / "taught-7")

    made = train_reader.file_sha256(tmp_path)
    monkeypatch.setattr(train_reader, "training_examples", None)
    train_reader.main()
    assert train_reader.file_sha256(tmp_path) == made
    monkeypatch.setattr(train_reader, "RUNS", (runs[0], train_reader.Config(seed=2)))
    with pytest.raises(SystemExit, match=r"seed-2 holds weights made in another way"):
        train_reader.main()


def test_the_network_that_scores_gaps_is_the_one_that_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from training import train_marks

    stored = load_file(MARKS)
    weights = {name: torch.from_numpy(array) for name, array in {**minilm.load_tables(), **unpacked(stored)}.items()}
    words = (SEEDS / "000_fd202e94ced50b5a.txt").read_text().split()
    monkeypatch.setattr(train_marks, "DROP", 0.0)
    window = pieces_of(words[:WINDOW], minilm.load_tokenizer())
    trained = train_marks.logits(weights, [window], torch.Generator())[0].numpy()
    found = MarkNetwork(stored).logits(words)
    assert found.shape == (len(words) - 1, len(Mark))
    whole = slice(0, WINDOW - 1 - SHARED)  # what only the first window reads
    apart = np.abs(found[whole] - trained[whole]).mean(axis=1)
    assert apart.mean() < 0.1  # the product multiplies in 8 bits
    assert apart.max() < 0.5


def test_mark_networks_are_stored_as_they_are_multiplied_and_read_any_words() -> None:
    stored = load_file(MARKS)
    again = packed(unpacked(stored))
    assert again.keys() == stored.keys()
    whole = [name for name, tensor in stored.items() if tensor.dtype == np.int8]
    assert len(whole) == 4 * layer_count(stored)
    assert all((again[name] == stored[name]).all() for name in whole)
    network = MarkNetwork(stored)
    for words in (["Donaudampfschifffahrtsgesellschaft"] * 400, ["\u200b", "x" * 500, "日本語"], ["one", "two"]):
        assert network.logits(words).shape == (len(words) - 1, len(Mark))


def test_marks_of_a_long_text_are_those_of_its_parts() -> None:
    words = (SEEDS / "000_fd202e94ced50b5a.txt").read_text().split()
    network = MarkNetwork(load_file(MARKS))
    whole, part = network.logits(words).argmax(axis=1), network.logits(words[300:400]).argmax(axis=1)
    same = whole[300 + SHARED : 399 - SHARED] == part[SHARED:-SHARED]
    assert same.mean() > 0.9
    assert (part > 0).sum() > 5
