"""Which weight mixes the dense and the lexical ranking best? The table of docs/decisions/0003-fusion.md.

    python -m benchmarks.fusion DATA... --index DIR [--stripped] [--limit N]

DATA is what `pincite eval` reads. DIR keeps the indexes, shared with `pincite eval --index DIR`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from index.embedding import load_encoder
from qa.corpus import Corpus
from qa.datasets import Dataset, read_dataset, strip_dataset
from qa.evaluation import index_of_documents, indexed_corpus
from qa.fusion import convex_combination
from qa.metrics import hit_at_k, ndcg_at_k
from qa.retrieval import RetrievalConfig, candidates, prepare

WEIGHTS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)
RRF_K = 60

Mix = Callable[[np.ndarray, np.ndarray], np.ndarray]


def reciprocal_ranks(dense: np.ndarray, lexical: np.ndarray) -> np.ndarray:
    """Return reciprocal rank fusion of two rankings, k = 60; a lexical score of 0 is no rank."""
    scores = np.zeros(len(dense))
    for ranking in (dense, lexical):
        order = np.argsort(-ranking, kind="stable")
        scores[order] += np.where(ranking[order] > 0, 1 / (RRF_K + 1 + np.arange(len(order))), 0)
    return scores


def mixes() -> dict[str, Mix]:
    by_weight = {f"convex {weight:.1f}": partial(convex_combination, dense_weight=weight) for weight in WEIGHTS}
    return {**by_weight, "RRF 60": reciprocal_ranks}


def rankings(corpus: Corpus, dataset: Dataset, limit: int | None) -> dict[str, list[tuple[float, float]]]:
    """Return (nDCG@10, hit@1) of every judged question by mix; documents rank by their best chunk."""
    opened = corpus._current()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in mixes()}
    for question in [q for q in dataset.questions if q.grades][:limit]:
        query = prepare(question.text, opened.snapshot, opened.encoder)
        chunk_ids, dense, lexical = candidates(query, opened.snapshot, RetrievalConfig().candidates, None)
        chunks = opened.snapshot.chunks(chunk_ids.tolist())
        names = [
            [source.path.partition("#")[2] for source in opened.snapshot.document(chunks[int(i)].doc_id).sources]
            for i in chunk_ids
        ]
        for name, mix in mixes().items():
            order = np.argsort(-mix(dense, lexical), kind="stable")
            ranking = list(dict.fromkeys(doc_id for at in order for doc_id in names[at]))
            found[name].append((ndcg_at_k(ranking, question.grades, k=10), hit_at_k(ranking, question.grades, k=1)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument("--stripped", action="store_true")
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    index_of = partial(index_of_documents, encoder=load_encoder())
    for path in arguments.data:
        dataset = read_dataset(path)
        dataset = strip_dataset(dataset) if arguments.stripped else dataset
        with indexed_corpus(dataset, index_of, index_dir=arguments.index) as corpus:
            found = rankings(corpus, dataset, arguments.limit)
        print(f"\n{path.name}{' stripped' if arguments.stripped else ''}: {len(found['RRF 60'])} questions")
        for name, scores in found.items():
            ndcg_mean, hit_mean = np.mean(scores, axis=0)
            print(f"{name:12} nDCG@10 {ndcg_mean:.3f}  hit@1 {hit_mean:.3f}", flush=True)


if __name__ == "__main__":
    main()
