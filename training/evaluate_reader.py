"""Calibrate the reader on the dev articles, and measure it on the test articles, which nothing was fitted on.

python -m training.evaluate_reader calibrate --data FOLDER --weights qa/weights
python -m training.evaluate_reader report    --data FOLDER --weights qa/weights
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path

import numpy as np

from index import minilm
from index.documents import Document, Source, Span
from index.embedding import load_encoder
from index.lexical import LexicalIndex, Words
from index.lexical import terms as index_terms
from index.segmenting import segment
from qa.answers import whole_answer
from qa.fusion import convex_combination
from qa.metrics import exact_match, token_f1
from qa.reader import Query, Readable, Term
from qa.results import Citation, Passage
from qa.retrieval import RetrievalConfig, content_terms
from qa.roles import asked_name, asked_speaker
from qa.span_network import Candidate, Network, load_weights
from qa.span_reader import (
    Calibration,
    Evidence,
    Prospect,
    Regression,
    SpanReader,
    load_calibration,
    promising,
    prospects,
    weigh,
)
from training.reader_data import Example, read_qamr, read_squad, read_xquad, split_articles, strip_text, stripped
from training.train_reader import file_sha256

PASSAGES_READ = 8
KEPT_FRACTION = 0.9
RIGHT_F1 = 0.5
KEPT_BY_PROSPECT = 0.995
PROSPECTS = tuple(field.name for field in fields(Prospect))
# fitted apart, on QAMR, since the dev articles have no such question: what it is evidence for, by what is asked
FITTED_APART: dict[str, Callable[[str], str]] = {"description": asked_name, "spoken": asked_speaker}
APART_QUESTIONS = 260
FEATURES = tuple(field.name for field in fields(Evidence) if field.name not in {*FITTED_APART, "together"})


# --- metrics --------------------------------------------------------------------------------------------------------


def exact_and_f1(answer: str, gold: Sequence[str]) -> tuple[float, float]:
    """Return the best exact match and word F1 of an answer over the gold ones."""
    return exact_match(answer, gold), token_f1(answer, gold)


def area_under_curve(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Return the probability that a positive scores above a negative; ties count half."""
    low = np.sort(np.asarray(negative))
    values = np.asarray(positive)
    wins = np.searchsorted(low, values, "left") + np.searchsorted(low, values, "right")
    return float(wins.mean() / 2 / len(low))


# --- a corpus of paragraphs -----------------------------------------------------------------------------------------


def embed(texts: Sequence[str]) -> np.ndarray:
    """Return the bundled encoder's embeddings, unit length, (n, 384) float32."""
    return load_encoder().encode_documents(texts)


class Paragraphs:
    """Paragraphs to retrieve from, with the product's lexical index, fusion and question words."""

    def __init__(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        self.texts = list(texts)
        self.vectors = vectors
        self._folder = tempfile.TemporaryDirectory()
        self._lexical = LexicalIndex(Path(self._folder.name))
        self._lexical.update(added=[Words(i, t) for i, t in enumerate(texts)], removed=[])
        self._citations = [
            Citation.from_document(Document.from_raw(t, Source(str(i))), Span(0, len(t))) for i, t in enumerate(texts)
        ]

    def retrieve(
        self, question: str, vector: np.ndarray, *, k: int, without: frozenset[int] = frozenset()
    ) -> list[Passage]:
        """Return the best paragraphs, best first; ``without`` leaves some out, before anything is normalised."""
        allowed = np.array([i for i in range(len(self.texts)) if i not in without])
        dense, lexical = self._scores(question, vector)
        fused = convex_combination(dense[allowed], lexical[allowed], dense_weight=RetrievalConfig().dense_weight)
        best = allowed[np.argsort(-fused, kind="stable")[:k]]
        return [self._passage(rank, int(i), dense, lexical) for rank, i in enumerate(best, 1)]

    def passage(self, question: str, vector: np.ndarray, number: int) -> Passage:
        """Return one paragraph as the only passage."""
        return self._passage(1, number, *self._scores(question, vector))

    @cache  # noqa: B019 - as many as there are paragraphs, and they live as long as this does
    def segments(self, number: int) -> tuple[Span, ...]:
        """Return the segments of one paragraph."""
        return tuple(segment(self.texts[number]))

    def terms(self, question: str) -> tuple[Term, ...]:
        """Return the question's content words with their rarity here."""
        return content_terms(question, self._lexical)

    def number(self, passage: Passage) -> int:
        """Return which paragraph a passage is."""
        return int(passage.citation.path)

    def _scores(self, question: str, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        words = [term for word in self.terms(question) for term in index_terms(word.word)]
        ids, scores = self._lexical.search(words, k=len(self.texts))
        lexical = np.zeros(len(self.texts), dtype=np.float32)
        lexical[ids] = scores
        return (self.vectors @ vector).astype(np.float32), lexical

    def _passage(self, rank: int, number: int, dense: np.ndarray, lexical: np.ndarray) -> Passage:
        citation = self._citations[number]
        return Passage(rank, 0.0, float(dense[number]), float(lexical[number]), citation)


# --- asking ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, its gold answers as text, its own paragraph's number, and the passages it is asked of, best first."""

    question: str
    gold: tuple[str, ...]
    paragraph: int
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A candidate with its text, the paragraph it stands in, and the evidence for it."""

    text: str
    paragraph: int
    evidence: Evidence


def answer_all(
    network: Network, corpus: Paragraphs, asked: Sequence[Asked], calibration: Calibration | None = None
) -> list[list[Found]]:
    """Return the candidates for each question, in passage order: of all its passages, or of those the product reads."""
    chosen = [_chosen(corpus, one, calibration) for one in asked]
    flat = [(one.question, readable) for one, some in zip(asked, chosen, strict=True) for readable, _ in some]
    marked = iter(
        network.candidates(
            [question for question, _ in flat],
            [readable.passage.text for _, readable in flat],
            breaks=[readable.breaks for _, readable in flat],
        )
    )
    found = []
    for one, some in zip(asked, chosen, strict=True):
        terms = corpus.terms(one.question)
        found.append(
            [
                Found(_whole_text(one.question, readable, c), corpus.number(readable.passage), evidence)
                for readable, prospect, cs in [(*passage, next(marked)) for passage in some]
                for c, evidence in zip(cs, weigh(one.question, cs, readable, prospect, terms), strict=True)
            ]
        )
    return found


def _chosen(corpus: Paragraphs, asked: Asked, calibration: Calibration | None) -> list[tuple[Readable, Prospect]]:
    readables = [Readable(passage, corpus.segments(corpus.number(passage))) for passage in asked.passages]
    terms = corpus.terms(asked.question)
    if calibration is None:
        return list(zip(readables, prospects(readables, terms), strict=True))
    return promising(readables, terms, calibration)


def _answer_each_alone(
    network: Network, pairs: Sequence[tuple[str, str, tuple[str, ...]]]
) -> list[tuple[Asked, list[Found]]]:
    """Return each question with its candidates, given a question, its one passage, and its gold answers."""
    corpus = Paragraphs([passage for _, passage, _ in pairs], embed([passage for _, passage, _ in pairs]))
    vectors = embed([question for question, _, _ in pairs])
    asked = [
        Asked(question, gold, number, (corpus.passage(question, vectors[number], number),))
        for number, (question, _, gold) in enumerate(pairs)
    ]
    return list(zip(asked, answer_all(network, corpus, asked), strict=True))


def _whole_text(question: str, readable: Readable, candidate: Candidate) -> str:
    """Return the answer as the product gives it; a paragraph's offsets are those of its document."""
    text = readable.passage.text
    return whole_answer(text, Span(candidate.start, candidate.end), readable.segments, question=question).of(text)


def is_right(found: Found, asked: Asked) -> bool:
    """Tell whether the words answer: half the words right in the gold paragraph, all of them elsewhere."""
    exact, f1 = exact_and_f1(found.text, asked.gold) if asked.gold else (0.0, 0.0)
    return exact == 1 or (f1 >= RIGHT_F1 and found.paragraph == asked.paragraph)


def fit(rows: np.ndarray, right: np.ndarray, *, ridge: float = 1.0, rounds: int = 30) -> tuple[np.ndarray, float]:
    """Return weights and intercept of a logistic regression, by Newton's method on standardised columns."""
    mean, scale = rows.mean(0), rows.std(0) + 1e-9
    x = np.c_[(rows - mean) / scale, np.ones(len(rows))]
    w = np.zeros(x.shape[1])
    penalty = np.diag([ridge] * rows.shape[1] + [1e-6])
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-x @ w))
        w -= np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + penalty, x.T @ (p - right) + penalty @ w)
    weights = w[:-1] / scale
    return weights, float(w[-1] - weights @ mean)


class Setting:
    """The SQuAD 2.0 paragraphs, plain or stripped, and questions of some articles asked of them."""

    def __init__(self, examples: Sequence[Example], *, bare: bool) -> None:
        self.bare = bare
        originals = list(dict.fromkeys(e.passage for e in examples))
        groups = {e.passage: e.group for e in examples}
        texts = [strip_text(t)[0] if bare else t for t in originals]
        self.corpus = Paragraphs(texts, embed(texts))
        self._place = {t: i for i, t in enumerate(originals)}
        self._members = {
            g: frozenset(i for i, t in enumerate(originals) if groups[t] == g) for g in set(groups.values())
        }

    def ask(
        self, examples: Sequence[Example], where: str, vectors: np.ndarray, rng: random.Random | None = None
    ) -> list[Asked]:
        """Return the questions put to ``gold``: their paragraph; ``all``: the best 8; ``other``: of other articles."""
        asked = []
        for example, vector in zip(examples, vectors, strict=True):
            home = self._place[example.passage]
            shown = stripped(example) if self.bare else example
            gold = tuple(shown.passage[a:b] for a, b in shown.answers)
            without = self._members[example.group] if where == "other" else frozenset()
            question = example.question
            if where == "gold":
                passages = [self.corpus.passage(question, vector, home)]
            elif where == "random" and rng is not None:
                outside = sorted(set(range(len(self.corpus.texts))) - self._members[example.group])
                passages = [self.corpus.passage(question, vector, rng.choice(outside))]
            else:
                passages = self.corpus.retrieve(question, vector, k=PASSAGES_READ, without=without)
            asked.append(Asked(question, gold, home, tuple(passages)))
        return asked


def calibrate(network: Network, examples: list[Example], data: Path, seed: int) -> tuple[Calibration, dict[str, float]]:
    """Return the calibration fitted on the dev articles, and what it gives there.

    They hold no question of the form "who is X?" or "what did X say?", so what evidence for their answers adds is
    fitted on QAMR.
    """
    dev = [e for e in examples if e.group in split_articles({e.group for e in examples}).dev]
    vectors = embed([e.question for e in dev])
    rows, right, best, off, every = [], [], [], [], []
    half = [random.Random(f"{seed} {e.question}").random() < 0.5 for e in dev]
    for bare in (False, True):
        setting = Setting(examples, bare=bare)
        mine = [i for i in range(len(dev)) if half[i] == bare]
        for where in ("all", "other"):
            some = [i for i in mine if where == "all" or dev[i].answers]
            asked = setting.ask([dev[i] for i in some], where, vectors[some])
            for one, found in zip(asked, answer_all(network, setting.corpus, asked), strict=True):
                mark = [is_right(f, one) and where == "all" for f in found]
                rows += [_values(f.evidence, FEATURES) for f in found]
                right += mark
                every.append(found)
                if one.gold:
                    (best if where == "all" else off).append((found, mark))
    answers = _regression(FEATURES, rows, right)
    top = [max((answers.probability(f.evidence), m) for f, m in zip(found, mark, strict=True)) for found, mark in best]
    threshold = float(np.quantile([p for p, _ in top], 1 - KEPT_FRACTION))
    refused = np.mean([max(answers.probability(f.evidence) for f in found) < threshold for found, _ in off])
    numbers = {"first_is_right": float(np.mean([m for _, m in top])), "off_topic_refused": float(refused)}
    apart = {name: _weight_apart(name, asks, network, answers, data, seed) for name, asks in FITTED_APART.items()}
    answers = replace(answers, weights={**answers.weights, **apart})
    likely, least, read = _fit_prospects(every, answers, threshold)
    calibration = Calibration(answers, threshold, likely, least, PASSAGES_READ)
    return calibration, {**numbers, "candidates": float(len(rows)), "worth_reading": read}


def _regression(names: Sequence[str], rows: Sequence[Sequence[float]], right: Sequence[bool]) -> Regression:
    weights, intercept = fit(np.array(rows), np.array(right, dtype=float))
    return Regression(dict(zip(names, weights.tolist(), strict=True)), intercept)


def _values(known: Prospect, names: Sequence[str]) -> list[float]:
    return [getattr(known, name) for name in names]


def _fit_prospects(
    every: Sequence[Sequence[Found]], answers: Regression, threshold: float
) -> tuple[Regression, float, float]:
    """Return how likely a passage holds an answer, the least at which it is read, and the fraction that is read.

    Each of ``every`` is what was found for one question. A passage holds an answer when one of its candidates is at
    least as likely as ``threshold``.
    """
    rows, hold = [], []
    for found in every:
        best = {f.paragraph: f for f in sorted(found, key=lambda f: answers.probability(f.evidence))}
        rows += [_values(f.evidence, PROSPECTS) for f in best.values()]
        hold += [answers.probability(f.evidence) >= threshold for f in best.values()]
    regression = _regression(PROSPECTS, rows, hold)
    likely = np.array([regression.probability(Prospect(*row)) for row in rows])
    least = float(np.quantile(likely[np.array(hold)], 1 - KEPT_BY_PROSPECT))
    return regression, least, float(np.mean(likely >= least))


def _weight_apart(
    name: str, asks: Callable[[str], str], network: Network, answers: Regression, data: Path, seed: int
) -> float:
    """Return what one kind of evidence adds to the calibrated logit, on questions of QAMR that ask for it."""
    rng = random.Random(seed)
    examples = [e for e in read_qamr(data / "qamr", rng) if e.answers and asks(e.question)]
    some = rng.sample(examples, min(APART_QUESTIONS, len(examples)))
    pairs = [(e.question, e.passage, tuple(e.passage[a:b] for a, b in e.answers)) for e in some]
    found = [(f, one) for one, fs in _answer_each_alone(network, pairs) for f in fs]
    sure = np.array([answers.probability(f.evidence) for f, _ in found])
    rows = np.c_[np.log(sure / (1 - sure)), [getattr(f.evidence, name) for f, _ in found]]
    weights, _ = fit(rows, np.array([is_right(f, one) for f, one in found], dtype=float))
    return float(weights[1])


# --- the report -----------------------------------------------------------------------------------------------------


def report(network: Network, calibration: Calibration, examples: list[Example], data: Path) -> dict[str, float]:
    """Return every figure on the test articles."""
    test = [e for e in examples if e.group in split_articles({e.group for e in examples}).test]
    vectors = embed([e.question for e in test])
    answerable = [i for i, e in enumerate(test) if e.answers]
    figures: dict[str, float] = {"test_questions": len(test), "test_answerable": len(answerable)}

    def probability(found: Found) -> float:
        return calibration.answers.probability(found.evidence)

    for bare in (False, True):
        suffix = "_stripped" if bare else ""
        setting = Setting(examples, bare=bare)
        asked = setting.ask(test, "gold", vectors)
        found = answer_all(network, setting.corpus, asked)
        first = [(asked[i], found[i]) for i in answerable]
        figures.update(_exactness(first, f"paragraph_given_{{}}{suffix}"))
        for name, key in (("margin", lambda f: f.evidence.margin), ("relevance", lambda f: f.evidence.relevance)):
            values = [max(map(key, f), default=-99.0) for f in found]
            figures[f"no_answer_auc_{name}{suffix}"] = _auc(values, test)
        figures[f"no_answer_auc{suffix}"] = _auc([max(map(probability, f), default=0.0) for f in found], test)
        if not bare:
            some = [test[i] for i in answerable]
            figures.update(_whole_way(network, calibration, setting, some, vectors[answerable]))
        print(json.dumps({name: round(value, 4) for name, value in figures.items()}), flush=True)
    figures.update(_other_articles(network, examples, data))
    figures.update(_clapnq(network, calibration, data))
    return figures


def _exactness(answered: Sequence[tuple[Asked, list[Found]]], name: str) -> dict[str, float]:
    """Return mean exact match and F1 of the first candidates, none for 0; ``name`` has a place for "em" and "f1"."""
    scores = [exact_and_f1(found[0].text, one.gold) if found else (0.0, 0.0) for one, found in answered]
    em, f1 = np.mean(scores, axis=0)
    return {name.format("em"): float(em), name.format("f1"): float(f1)}


def _other_articles(network: Network, squad: Sequence[Example], data: Path) -> dict[str, float]:
    """Return exact match and F1, paragraph given, on the articles of XQuAD that are only reported on."""
    _, held = read_xquad(data, squad)
    figures = {}
    for suffix, shown in (("", held), ("_stripped", [stripped(e) for e in held])):
        pairs = [(e.question, e.passage, tuple(e.passage[a:b] for a, b in e.answers)) for e in shown]
        figures.update(_exactness(_answer_each_alone(network, pairs), f"other_articles_{{}}{suffix}"))
    return figures


def _auc(values: Sequence[float], examples: Sequence[Example]) -> float:
    yes = [v for v, e in zip(values, examples, strict=True) if e.answers]
    no = [v for v, e in zip(values, examples, strict=True) if not e.answers]
    return area_under_curve(yes, no)


def _whole_way(
    network: Network, calibration: Calibration, setting: Setting, test: list[Example], vectors: np.ndarray
) -> dict[str, float]:
    """Return figures over all paragraphs: first answer, paragraph order, refusal of other topics."""
    asked = setting.ask(test, "all", vectors)
    found = answer_all(network, setting.corpus, asked, calibration)
    best = [max(f, key=lambda c: calibration.answers.probability(c.evidence)) for f in found]
    scores = [exact_and_f1(b.text, a.gold) for b, a in zip(best, asked, strict=True)]
    sure = np.array([calibration.answers.probability(b.evidence) for b in best])
    at_90 = float(np.quantile(sure, 1 - KEPT_FRACTION))
    figures = {
        "whole_em": float(np.mean([s[0] for s in scores])),
        "whole_f1": float(np.mean([s[1] for s in scores])),
        "hit1_retrieval": float(np.mean([setting.corpus.number(a.passages[0]) == a.paragraph for a in asked])),
        "hit8_retrieval": float(np.mean([a.paragraph in map(setting.corpus.number, a.passages) for a in asked])),
        "hit1_reader": float(np.mean([b.paragraph == a.paragraph for b, a in zip(best, asked, strict=True)])),
        "passages_read": float(np.mean([len({c.paragraph for c in f}) for f in found])),
        "kept_at_threshold": float(np.mean(sure >= calibration.threshold)),
    }
    for where in ("other", "random"):
        off = setting.ask(test, where, vectors, random.Random(1))
        worst = [
            max((calibration.answers.probability(c.evidence) for c in f), default=0.0)
            for f in answer_all(network, setting.corpus, off, calibration)
        ]
        figures[f"{where}_topics_refused_at_90"] = float(np.mean(np.array(worst) < at_90))
        figures[f"{where}_topics_refused_at_threshold"] = float(np.mean(np.array(worst) < calibration.threshold))
    right = np.array([s[1] >= RIGHT_F1 for s in scores])[np.argsort(-sure)]
    for share in (0.25, 0.5, 0.75, 0.9):
        figures[f"right_among_surest_{share}"] = float(right[: int(share * len(right))].mean())
    return figures


def _clapnq(network: Network, calibration: Calibration, data: Path) -> dict[str, float]:
    """Return the AUC of answerable against unanswerable questions, their passage given (Rosenthal et al. 2024)."""
    values: dict[str, list[list[Found]]] = {}
    for name in ("answerable", "unanswerable"):
        lines = (data / "clapnq" / f"dev_{name}.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        pairs = [(r["input"], r["passages"][0]["text"].strip(), ()) for r in rows]
        values[name] = [found for _, found in _answer_each_alone(network, pairs)]
    figures = {}
    for name in ("margin", "relevance"):
        scores = [
            [max(getattr(c.evidence, name) for c in f) for f in values[k]] for k in ("answerable", "unanswerable")
        ]
        figures[f"clapnq_auc_{name}"] = area_under_curve(*scores)
    sure = [[max(calibration.answers.probability(c.evidence) for c in f) for f in v] for v in values.values()]
    return {**figures, "clapnq_auc": area_under_curve(*sure)}


def ask_text(reader: SpanReader, text: str, questions: Sequence[str], *, words: int = 150, step: int = 100) -> None:
    """Print the first readings of each question over one text, cut into overlapping windows of words."""
    document = Document.from_raw(text, Source("text"))
    places = [m.span() for m in re.finditer(r"\S+", document.text)]
    spans = [
        Span(places[i][0], places[min(i + words, len(places)) - 1][1])
        for i in range(0, max(1, len(places) - (words - step)), step)
    ]
    corpus = Paragraphs([s.of(document.text) for s in spans], embed([s.of(document.text) for s in spans]))
    for question, vector in zip(questions, embed(questions), strict=True):
        readables = []
        for passage in corpus.retrieve(question, vector, k=reader.passages_read):
            span = spans[corpus.number(passage)]
            readables.append(Readable(replace(passage, citation=Citation.from_document(document, span)), (span,)))
        readings = reader.read(Query(question, vector, corpus.terms(question)), readables)
        seen = dict.fromkeys((r.answer, round(r.score, 3)) for r in readings)
        shown = [f"{score:.2f} {span.of(document.text)!r}" for span, score in list(seen)[:4]]
        print(f"{'answer ' if readings and readings[0].score >= reader.threshold else 'nothing'} {question}  {shown}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("calibrate", "report", "ask"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--questions", nargs="*", default=[])
    args = parser.parse_args()
    if args.action == "ask":
        ask_text(
            SpanReader.load(args.weights),
            args.text.read_text(encoding="utf-8"),
            args.questions,
        )
        return
    examples = read_squad(args.data / "squad2" / "dev-half-v2.0.json", "squad2")
    digest = file_sha256(args.weights)
    network = Network(load_weights(args.weights, digest), minilm.load_tokenizer())
    if args.action == "calibrate":
        calibration, figures = calibrate(network, examples, args.data, args.seed)
        card = {"sha256": digest, **asdict(calibration), "dev": figures}
        (args.weights / "reader.json").write_text(json.dumps(card, indent=2) + "\n")
    else:
        figures = report(network, load_calibration(args.weights), examples, args.data)
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}, indent=1))


if __name__ == "__main__":
    main()
