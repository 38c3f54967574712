"""One system behind JSON lines: runs in that system's environment, loads its adapter, does what it is told.

    python -P serve.py ADAPTER --model FOLDER --index DIR [--table]

A request is ``{"do": NAME, ...}``, its reply ``{"reply": ..., "cpu_s": ...}`` with the processor time it took, of all
threads. What a library prints goes to standard error. Time and memory are taken by the harness, outside.

With --table a batch of texts gets made vectors instead of embedded ones, so that what is beyond embedding can be
measured on many texts; a single text, a question or one added document, is embedded.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DIMENSION = 384


def made_vectors(texts: Sequence[str]) -> Any:
    """Return a unit vector drawn for each text from its hash, (n, 384) float32: the same in every process."""
    import numpy as np

    seeds = [int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) for text in texts]
    rows = np.stack([np.random.default_rng(seed).standard_normal(DIMENSION, dtype=np.float32) for seed in seeds])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def use_table(peer: Any) -> None:
    """Give batches vectors from the table: through the adapter where it has a way, else in sentence-transformers."""
    if hasattr(peer, "use_table"):
        peer.use_table(made_vectors)
        return
    from sentence_transformers import SentenceTransformer

    embed = SentenceTransformer.encode

    def encode(self: Any, sentences: Any, *args: Any, **options: Any) -> Any:
        if isinstance(sentences, str) or len(sentences) < 2:
            return embed(self, sentences, *args, **options)
        return made_vectors(sentences)

    SentenceTransformer.encode = encode


def tokens(texts: Sequence[str], model: Path, limit: int) -> dict[str, int]:
    """Return how many tokens the texts have and how many of them an encoder of that limit reads."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    lengths = [
        len(row.ids) for at in range(0, len(texts), 256) for row in tokenizer.encode_batch(list(texts[at : at + 256]))
    ]
    return {"chunks": len(texts), "tokens": sum(lengths), "embedded": sum(min(length, limit) for length in lengths)}


def reply_to(request: dict[str, Any], peer: Any, model: Path) -> Any:
    match request["do"]:
        case "ready":
            pass
        case "ingest":
            peer.ingest(Path(request["folder"]))
        case "tokens":
            return tokens(peer.embedded, model, getattr(peer, "max_tokens", 256))
        case "open":
            peer.open()
        case "retrieve":
            return peer.retrieve(request["question"], request["k"])
        case "ask":
            return peer.ask(request["question"])
        case "add":
            peer.add(request["name"], request["text"])
        case "rerun":
            peer.rerun(Path(request["folder"]))
        case name:
            raise ValueError(f"Nothing is called {name!r}.")
    return None


def load(adapter: Path) -> Any:
    spec = importlib.util.spec_from_file_location("adapter", adapter)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Peer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer = load(args.adapter)(args.model, args.index)
    if args.table:
        use_table(peer)
    for line in sys.stdin:
        start = time.process_time()
        reply = reply_to(json.loads(line), peer, args.model)
        print(json.dumps({"reply": reply, "cpu_s": time.process_time() - start}), file=replies, flush=True)


if __name__ == "__main__":
    main()
