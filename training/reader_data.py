"""Examples for training the reader: questions paired with passages that answer them, and with passages that do not.

Every set is public and lies outside the repository (``--data``). Three kinds of example without an answer are made:
questions of SQuAD 2.0 that people wrote to be unanswerable, questions put to another passage (a near one, found by
words in common, or any one), and questions in which a name, number or opposite was exchanged.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

HELD_OUT_SEED = 2026
N_TEST_ARTICLES = 4
N_DEV_ARTICLES = 2
N_OTHER_ARTICLES = 10

_WORD = re.compile(r"\w+")
_NAME = re.compile(r"(?<=\s)(?:[A-Z][\w'’-]+)(?: (?:of |the )?[A-Z][\w'’-]+)*")
_NOT_NAMES = set(
    "The This That These Those It Its He She They We You His Her In On At What Who When Where Why How".split()
)
_NUMBER = re.compile(r"\b\d[\d,.]*\b(?<![.,])")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"“(])")
_OPPOSITES = (
    "first last,most least,more less,largest smallest,highest lowest,before after,north south,east west,early late,"
    "increase decrease,increased decreased,win lose,won lost,begin end,began ended,start stop,open close,old new,"
    "major minor,maximum minimum,best worst,always never,above below,inside outside,allow prevent,allowed prohibited,"
    "support oppose,supported opposed,male female,positive negative,same different,many few,long short,arrive leave,"
    "gain loss,rise fall,rose fell,buy sell,public private,northern southern,eastern western,internal external,"
    "strong weak,rich poor,accept reject,accepted rejected,create destroy,created destroyed,larger smaller,"
    "higher lower,earlier later,oldest newest,former current,can cannot,did didn't,does doesn't,is isn't,was wasn't,"
    "were weren't,are aren't,will won't,has hasn't,had hadn't,would wouldn't"
)
_SWAPS = {a: b for pair in _OPPOSITES.split(",") for a, b in (pair.split(), pair.split()[::-1])}


@dataclass(frozen=True, slots=True)
class Example:
    """A question, a passage, and where the answer stands in it.

    Attributes:
        answers: half-open code-point ranges of the passage, any of them right; empty when the passage does not say.
        kind: the set, and how a negative was made (``squad2``, ``qamr/near``, ...).
        group: article or document, for splitting.
    """

    question: str
    passage: str
    answers: tuple[tuple[int, int], ...]
    kind: str
    group: str


@dataclass(frozen=True, slots=True)
class Split:
    """Titles of SQuAD 2.0 articles: ``test`` is only reported on, ``dev`` fits calibration, ``train`` is trained on."""

    train: tuple[str, ...]
    dev: tuple[str, ...]
    test: tuple[str, ...]


def split_articles(titles: Iterable[str]) -> Split:
    """Return the split of the articles, the same for ever: it depends on their names and one constant only."""
    order = _shuffled(titles)
    held = N_TEST_ARTICLES + N_DEV_ARTICLES
    return Split(
        train=tuple(sorted(order[held:])),
        dev=tuple(sorted(order[N_TEST_ARTICLES:held])),
        test=tuple(sorted(order[:N_TEST_ARTICLES])),
    )


def _shuffled(titles: Iterable[str]) -> list[str]:
    order = sorted(titles)
    random.Random(HELD_OUT_SEED).shuffle(order)
    return order


def read_xquad(data: Path, squad: Iterable[Example]) -> tuple[list[Example], list[Example]]:
    """Return XQuAD's English examples to train on, and those of ten articles that are only reported on.

    Articles that SQuAD 2.0's half, ``squad``, has too are left out, so its split holds.
    """
    known = {e.group for e in squad}
    examples = [e for e in read_squad(data / "xquad" / "xquad.en.json", "xquad") if e.group not in known]
    held = set(_shuffled({e.group for e in examples})[:N_OTHER_ARTICLES])
    return [e for e in examples if e.group not in held], [e for e in examples if e.group in held]


def strip_text(text: str) -> tuple[str, list[int]]:
    """Return text without punctuation, and for each position of the old text (and its end) the position in the new.

    Every character that is not a letter or a digit becomes a space, runs of spaces become one, case is kept.
    """
    out: list[str] = []
    place: list[int] = []
    for char in text:
        place.append(len(out))
        if char.isalnum():
            out.append(char)
        elif out and out[-1] != " ":
            out.append(" ")
    place.append(len(out))
    return "".join(out), place


def stripped(example: Example) -> Example:
    """Return the example as scraped text would have it, with the answers carried over."""
    passage, place = strip_text(example.passage)
    moved = []
    for start, end in example.answers:
        a, b = place[start], place[end]
        while a < b and passage[a] == " ":
            a += 1
        while b > a and passage[b - 1] == " ":
            b -= 1
        if a < b:
            moved.append((a, b))
    return replace(example, passage=passage, answers=tuple(moved))


def rephrased(example: Example, rng: random.Random) -> Example:
    """Return the example with its question as people type it: sometimes without capitals or question mark."""
    question = " ".join(example.question.split())
    if rng.random() < 0.3:
        question = question.rstrip("?. ")
    if rng.random() < 0.15:
        question = strip_text(question)[0].strip()
    return replace(example, question=question)


# --- the sets -------------------------------------------------------------------------------------------------------


def read_squad(path: Path, kind: str) -> list[Example]:
    """Return the examples of a SQuAD-format file, whole paragraphs as passages."""
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    examples = []
    for number, article in enumerate(articles):
        for paragraph in article["paragraphs"]:
            text = paragraph["context"]
            for qa in paragraph["qas"]:
                gold = [] if qa.get("is_impossible") else qa["answers"]
                spans = tuple((a["answer_start"], a["answer_start"] + len(a["text"])) for a in gold)
                group = article.get("title") or str(number)
                examples.append(Example(qa["question"], text, trim_spans(text, spans), kind, group))
    return examples


def trim_spans(text: str, spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return spans without white space and sentence punctuation at their ends."""
    trimmed = []
    for start, end in spans:
        while start < end and text[start].isspace():
            start += 1
        while end > start and (text[end - 1].isspace() or text[end - 1] in ".,;:"):
            end -= 1
        if start < end:
            trimmed.append((start, end))
    return tuple(trimmed)


def windows(example: Example, rng: random.Random, *, words: int) -> tuple[Example, Example | None]:
    """Return a window of a long passage that holds the first answer, and one that does not (or None)."""
    bounds = [0, *(m.end() for m in _SENTENCE_END.finditer(example.passage)), len(example.passage)]
    start, end = example.answers[0]
    first = max(i for i, at in enumerate(bounds[:-1]) if at <= start)
    last = next(i for i, at in enumerate(bounds) if at >= end)
    while len(example.passage[bounds[first] : bounds[last]].split()) < words and (first or last < len(bounds) - 1):
        if first and (last == len(bounds) - 1 or rng.random() < 0.5):
            first -= 1
        else:
            last += 1
    low, high = bounds[first], bounds[last]
    near = replace(example, passage=example.passage[low:high].rstrip(), answers=((start - low, end - low),))
    for _ in range(4):
        at = rng.randrange(max(1, len(bounds) - 8))
        text = example.passage[bounds[at] : bounds[min(at + 7, len(bounds) - 1)]]
        text = " ".join(text.split()[:words])
        if text and (bounds[min(at + 7, len(bounds) - 1)] <= low or bounds[at] >= high):
            return near, replace(example, passage=text, answers=(), kind=example.kind + "/near")
    return near, None


def read_covid(path: Path, rng: random.Random) -> list[Example]:
    """Return windows of COVID-QA papers around the answers, and others that do not hold them."""
    examples = []
    for example in read_squad(path, "covid_qa"):
        if example.answers and example.answers[0][1] - example.answers[0][0] <= 200:
            near, other = windows(example, rng, words=rng.randint(60, 150))
            examples.append(near)
            if other is not None and rng.random() < 0.5:
                examples.append(other)
    return examples


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    document: str
    order: tuple[int, int]


def read_qamr(folder: Path, rng: random.Random) -> list[Example]:
    """Return QAMR's questions on pseudo-paragraphs: the sentence among its neighbours of the same document.

    The span is the one most annotators gave, the longer one when they differ. A few paragraphs leave the sentence out.
    """
    rows = [json.loads(line) for name in ("part1", "part2") for line in (folder / f"{name}.jsonl").open()]
    sentences: dict[str, _Sentence] = {}
    for row in rows:
        parts = row["id"].split("|")[0].split(":")
        sentences[row["context"]] = _Sentence(row["context"], ":".join(parts[:3]), (int(parts[3]), int(parts[4])))
    documents = defaultdict(list)
    for sentence in sorted(sentences.values(), key=lambda s: (s.document, s.order)):
        documents[sentence.document].append(sentence.text)
    names = sorted(documents)
    examples = []
    for row in rows:
        here = sentences[row["context"]].document
        examples += _qamr_examples(row, documents[here], documents[rng.choice(names)], here, rng)
    return examples


def _qamr_examples(
    row: dict[str, object], siblings: list[str], others: list[str], group: str, rng: random.Random
) -> Iterator[Example]:
    text, question = str(row["context"]), str(row["question"])
    counts = Counter((s[0], s[1]) for s in row["spans"])  # type: ignore[attr-defined]
    span = max(counts, key=lambda s: (counts[s], s[1] - s[0] <= 60, s[1] - s[0]))
    at = siblings.index(text)
    order = sorted((s for s in siblings if s != text), key=lambda s: abs(siblings.index(s) - at))
    wanted = rng.randint(30, 130)
    chosen = [text]
    for sentence in [*order, *others]:
        if sum(len(s.split()) for s in chosen) >= wanted:
            break
        chosen.append(sentence)
    place = {s: i for i, s in enumerate([*siblings, *others])}
    chosen.sort(key=place.__getitem__)
    if rng.random() < 0.3:
        chosen = chosen[1:] + chosen[:1]
    start = len(" ".join([*chosen[: chosen.index(text)], ""]))
    spans = trim_spans(passage := " ".join(chosen), [(start + span[0], start + span[1])])
    if spans:
        yield Example(question, passage, spans, "qamr", group)
    rest = [s for s in chosen if s != text]
    if rest and rng.random() < 0.15 and len(question.split()) >= 4:
        yield Example(question, " ".join(rest), (), "qamr/near", group)


# --- negatives ------------------------------------------------------------------------------------------------------


class NearPassages:
    """Finds passages that share rare words with a question: BM25 (k1 .9, b .4) over unstemmed lower-cased words."""

    def __init__(self, passages: Sequence[str]) -> None:
        self.passages = list(passages)
        counts = [Counter(_words(text)) for text in self.passages]
        mean = sum(sum(c.values()) for c in counts) / len(counts)
        frequency = Counter(word for c in counts for word in c)
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, count in enumerate(counts):
            norm = 0.9 * (0.6 + 0.4 * sum(count.values()) / mean)
            for word, n in count.items():
                idf = math.log(1 + (len(counts) - frequency[word] + 0.5) / (frequency[word] + 0.5))
                self._postings[word].append((number, idf * n / (n + norm)))

    def scores(self, question: str) -> list[float]:
        """Return one BM25 score per passage."""
        total = [0.0] * len(self.passages)
        for word in set(_words(question)):
            for number, score in self._postings.get(word, ()):
                total[number] += score
        return total

    def near(self, question: str, *, k: int) -> list[str]:
        """Return the k passages with the highest scores, best first."""
        scores = self.scores(question)
        return [self.passages[i] for i in sorted(range(len(scores)), key=lambda i: -scores[i])[:k]]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def near_negatives(
    examples: Sequence[Example], rng: random.Random, *, fraction: float, pool: Sequence[Example] | None = None
) -> list[Example]:
    """Return answerable questions put to passages that look right and do not hold any of the answers' words."""
    passages = sorted({e.passage for e in pool or examples})
    finder = NearPassages(passages)
    found = []
    for example in examples:
        if not example.answers or rng.random() >= fraction:
            continue
        gold = {example.passage[a:b].lower() for a, b in example.answers}
        near = [
            p
            for p in finder.near(example.question, k=8)
            if p != example.passage and not any(g in p.lower() for g in gold)
        ]
        if near:
            passage = rng.choice(near[:4])
            found.append(replace(example, passage=passage, answers=(), kind=f"{example.kind}/near"))
    return found


def random_negatives(
    examples: Sequence[Example], pool: Sequence[Example], rng: random.Random, *, n: int
) -> list[Example]:
    """Return n questions put to passages of other articles."""
    answerable = [e for e in examples if e.answers]
    found = []
    while len(found) < n:
        example, other = rng.choice(answerable), rng.choice(pool)
        if other.group != example.group and other.kind.split("/")[0] != "policyqa":
            found.append(replace(example, passage=other.passage, answers=(), kind="random"))
    return found


def altered(example: Example, names: Sequence[str], rng: random.Random) -> Example | None:
    """Return the example with a name, number or word of the question exchanged, so that the passage no longer answers.

    None when the question holds nothing to exchange. Names come from the same passage half the time, so that the
    question still sounds right.
    """
    question = example.question
    choices = []
    for match in _NAME.finditer(question):
        inside = _names(example.passage)
        pool = inside if inside and rng.random() < 0.4 else names
        gold = {example.passage[a:b] for a, b in example.answers}
        other = rng.choice(pool)
        if other not in question and match.group() not in other and other not in gold:
            choices.append((match.span(), other))
    for match in _NUMBER.finditer(question):
        digits = match.group()
        other = str(int(re.sub(r"\D", "", digits)[:9] or "0") + rng.choice((-7, -3, -2, -1, 1, 2, 4, 11)))
        if other not in example.passage:
            choices.append((match.span(), other))
    for match in _WORD.finditer(question):
        if match.group() in _SWAPS and rng.random() < 0.5:
            choices.append((match.span(), _SWAPS[match.group()]))
    if not choices:
        return None
    (start, end), other = rng.choice(choices)
    return replace(example, question=question[:start] + other + question[end:], answers=(), kind="altered")


def _names(text: str) -> list[str]:
    return [m.group() for m in _NAME.finditer(text) if m.group().split()[0] not in _NOT_NAMES]


def altered_negatives(examples: Sequence[Example], rng: random.Random, *, fraction: float) -> list[Example]:
    """Return altered copies of about a fraction of the answerable examples, where there is something to exchange."""
    names = sorted({name for e in examples for name in _names(e.question)})
    found = (altered(e, names, rng) for e in examples if e.answers and rng.random() < fraction)
    return [e for e in found if e is not None]


# --- the mixture ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mixture:
    """How much of what. Copies of SQuAD 2.0 and XQuAD differ in gold span, stripping, and the form of the question."""

    squad_copies: int = 6
    qamr_fraction: float = 0.6
    policy_fraction: float = 0.25
    covid_copies: int = 2
    near_fraction: float = 0.45
    altered_fraction: float = 0.3
    random_negatives: int = 3000
    stripped_fraction: float = 0.5


def training_examples(data: Path, seed: int, mixture: Mixture) -> list[list[Example]]:
    """Return the curriculum: two stages of shuffled examples, the second with most of SQuAD 2.0."""
    rng = random.Random(seed)
    squad = read_squad(data / "squad2" / "dev-half-v2.0.json", "squad2")
    split = split_articles({e.group for e in squad})
    hidden = {e.passage for e in squad if e.group not in split.train}
    xquad, held = read_xquad(data, squad)
    hidden |= {e.passage for e in held}
    squad = [e for e in squad if e.group in split.train] + xquad
    qamr = [e for e in read_qamr(data / "qamr", rng) if rng.random() < mixture.qamr_fraction]
    qamr = [e for e in qamr if not _shares_sentence(e.passage, hidden)]
    policy = [e for name in ("dev", "test") for e in read_squad(data / "policyqa" / f"{name}.json", "policyqa")]
    policy = [e for e in policy if rng.random() < mixture.policy_fraction and len(e.passage) < 1200]
    covid = [e for _ in range(mixture.covid_copies) for e in read_covid(data / "covid_qa" / "covid_qa.json", rng)]
    stages: list[list[Example]] = [[], []]
    for copy in range(mixture.squad_copies):
        near = near_negatives(squad, rng, fraction=mixture.near_fraction)
        changed = altered_negatives(squad, rng, fraction=mixture.altered_fraction)
        stages[min(copy, 1)] += [*squad, *near, *changed]
    other = qamr + altered_negatives(qamr, rng, fraction=0.12)
    other += random_negatives(squad + qamr, squad + qamr + covid, rng, n=mixture.random_negatives)
    for example in other:
        stages[rng.random() < 0.4].append(example)
    stages[0] += policy
    for example in covid:
        stages[rng.random() < 0.5].append(example)
    for stage in stages:
        rng.shuffle(stage)
        stage[:] = [_finished(e, rng, mixture) for e in stage]
    return stages


def _finished(example: Example, rng: random.Random, mixture: Mixture) -> Example:
    example = rephrased(example, rng)
    if example.answers:
        example = replace(example, answers=(rng.choice(example.answers),))
    if rng.random() >= mixture.stripped_fraction:
        return example
    bare = stripped(example)
    return bare if bool(bare.answers) == bool(example.answers) else example


def _shares_sentence(passage: str, hidden: set[str]) -> bool:
    """Tell whether a held-out paragraph holds a sentence of the passage (the pages of two sets can be the same)."""
    return any(len(s) > 40 and any(s in h for h in hidden) for s in _SENTENCE_END.split(passage))
