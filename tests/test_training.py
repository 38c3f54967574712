"""The network that is trained is the one that reads."""

from __future__ import annotations

import json

import numpy as np
import pytest
from test_span_reader import TEXT

from index import minilm
from qa.span_network import Network, load_weights, make_pairs
from qa.span_reader import WEIGHTS

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
