"""Ask every question of a data set, score what comes back, and gather the figures into one report."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from index.documents import Document, Span, canonical_text, content_hash
from index.errors import IndexMismatch
from qa.datasets import Dataset, DatasetQuestion, content_name, read_dataset, strip_dataset, write_documents
from qa.errors import AnsweringError, QuestionError
from qa.metrics import (
    Grades,
    Ranking,
    RiskPoint,
    exact_match,
    first_relevant_rank,
    hit_at_k,
    mean,
    ndcg_at_k,
    precision,
    recall,
    recall_at_k,
    reciprocal_rank_at_k,
    risk_coverage,
    token_f1,
)
from qa.results import Answer, Citation, Passage, Verdict

if TYPE_CHECKING:
    from index.committing import Progress as BuildProgress
    from index.embedding import Encoder
    from qa.reader import Reader

RETRIEVAL_METRICS: Mapping[str, Callable[[Ranking, Grades], float]] = {
    "recall@1": partial(recall_at_k, k=1),
    "recall@5": partial(recall_at_k, k=5),
    "recall@10": partial(recall_at_k, k=10),
    "recall@50": partial(recall_at_k, k=50),
    "nDCG@10": partial(ndcg_at_k, k=10),
    "MRR@10": partial(reciprocal_rank_at_k, k=10),
    "hit@1": partial(hit_at_k, k=1),
}

_CACHED_TEXTS = 4096

RISK_THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
RIGHT_F1 = 0.5  # an answer that shares so many words with a gold one counts as right in the risk-coverage table

SPAN_EXACTNESS = "span_exactness"

Scores = Mapping[str, float | None]
Progress = Callable[[int, int], None]


class EvaluationError(AnsweringError, ValueError):
    """The index does not hold the documents of the data set."""


class IndexStatus(Protocol):
    """What names the index that is evaluated."""

    @property
    def index_id(self) -> str: ...


class EvaluatedCorpus(Protocol):
    """What is evaluated: ``qa.corpus.Corpus``, or anything that retrieves and answers like it."""

    def retrieve(self, question: str, k: int) -> Sequence[Passage]:
        """Return up to k passages, best first."""
        ...

    def ask(self, question: str) -> Answer: ...

    def document(self, doc_id: str) -> Document: ...

    def status(self) -> IndexStatus: ...


IndexOf = Callable[[Path, Path], EvaluatedCorpus]


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """How questions are put.

    Attributes:
        passages: how many are retrieved to rank documents; several may stand in one document.
        documents: how many ranked documents are kept.
        limit: how many of the questions are put, in file order; None for all. All documents are indexed either way.
        answers: score answers too, where they are known; asking takes several times as long as retrieving.
        reader: the name of what answers; told in the report and nothing else.
    """

    passages: int = 200
    documents: int = 100
    limit: int | None = None
    answers: bool = True
    reader: str = "bundled"

    def __post_init__(self) -> None:
        if min(self.passages, self.documents, 1 if self.limit is None else self.limit) < 1:
            raise ValueError("passages, documents and limit count from 1")


@dataclass(frozen=True, slots=True)
class AnswerResult:
    """What was answered to one question whose answer is known.

    Attributes:
        prediction: the text of the first claim; "" when there is none.
        score: of the first claim, in 0..1; 0.0 when there is none.
    """

    prediction: str
    golds: tuple[str, ...]
    verdict: Verdict
    score: float
    em: float
    f1: float

    @property
    def abstained(self) -> bool:
        return self.verdict is Verdict.NOT_FOUND


@dataclass(frozen=True, slots=True)
class QuestionResult:
    """What came back for one question.

    Attributes:
        ranking: ids of documents in the data set's own terms, best first, without repeats.
        retrieval: metric -> value; None when no document is known to be relevant.
        answer: None when its answer is not known.
        refused: the corpus does not take such a question.
        spans: places that were shown or retrieved, and how many of them hold exactly the words quoted.
    """

    question: DatasetQuestion
    ranking: tuple[str, ...]
    retrieval: Mapping[str, float] | None
    answer: AnswerResult | None
    refused: bool
    spans: int
    exact_spans: int

    def to_dict(self) -> dict[str, Any]:
        answer = self.answer
        return {
            "id": self.question.id,
            "question": self.question.text,
            "ranking": list(self.ranking),
            "first_relevant_rank": first_relevant_rank(self.ranking, self.question.grades),
            "prediction": answer.prediction if answer else None,
            "golds": list(answer.golds) if answer else None,
            "EM": answer.em if answer else None,
            "F1": answer.f1 if answer else None,
            "verdict": answer.verdict.value if answer else None,
            "score": answer.score if answer else None,
        }


@dataclass(frozen=True, slots=True)
class Counts:
    """How much was evaluated.

    Attributes:
        judged: questions with a relevant document.
        answerable: questions with a gold answer.
        unanswerable: questions known to have none.
        refused: questions the corpus does not take, empty or too long; scored as nothing found and not answered.
    """

    documents: int
    questions: int
    judged: int
    answerable: int
    unanswerable: int
    refused: int


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """The figures of one run, fractions in 0..1, None where one is undefined.

    Attributes:
        retrieval: means over all questions with a relevant document, unanswerable ones included.
        answerable_retrieval: the same over those of them that have an answer; None when answers are not known.
        answers: None when answers are not known.
        risk_coverage: share of all questions answered, and share of those right, at several thresholds of the score.
        span_exactness: share of quoted and retrieved places where the document holds exactly those words; must be 1.
        results: one per question, in file order.
    """

    dataset: str
    stripped: bool
    index_id: str
    counts: Counts
    retrieval: Scores | None
    answerable_retrieval: Scores | None
    answers: Scores | None
    risk_coverage: tuple[RiskPoint, ...]
    span_exactness: float | None
    config: EvaluationConfig
    seconds: float
    results: tuple[QuestionResult, ...]

    def to_dict(self, *, questions: bool = False) -> dict[str, Any]:
        """Return the JSON form, with one row per question when asked for."""
        retrieval = self.retrieval
        return {
            "dataset": self.dataset,
            "stripped": self.stripped,
            "index_id": self.index_id,
            "counts": asdict(self.counts),
            "retrieval": {**retrieval, "answerable_only": self.answerable_retrieval} if retrieval else None,
            "answers": self.answers,
            "risk_coverage": [asdict(point) for point in self.risk_coverage],
            "span_exactness": self.span_exactness,
            "settings": asdict(self.config),
            "seconds": round(self.seconds, 3),
            **({"results": [result.to_dict() for result in self.results]} if questions else {}),
        }


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One line of the printed table: a group of figures, a metric, its value, and over how many questions."""

    group: str
    metric: str
    value: float | None
    questions: int


def run_evaluation(
    data: Path,
    index_of: IndexOf,
    *,
    index_dir: Path | None = None,
    stripped: bool = False,
    config: EvaluationConfig | None = None,
    on_progress: Progress | None = None,
) -> EvaluationReport:
    """Return the figures of a data set on disk, its documents indexed on the way.

    Args:
        data: a SQuAD-format JSON file or a BEIR folder.
        index_of: builds or updates an index and opens it; ``index_of_documents`` with an encoder bound to it.
        index_dir: where indexes are kept for the next run; None for a temporary one.
        stripped: remove the punctuation of documents and gold answers first.
        on_progress: called with questions done and questions in all.

    Raises:
        DatasetError: the data cannot be read.
        EvaluationError: the index does not hold the documents of the data.
    """
    dataset = read_dataset(data)
    dataset = strip_dataset(dataset) if stripped else dataset
    with indexed_corpus(dataset, index_of, index_dir=index_dir) as corpus:
        return evaluate(corpus, dataset, config=config, on_progress=on_progress)


def evaluate(
    corpus: EvaluatedCorpus,
    dataset: Dataset,
    *,
    config: EvaluationConfig | None = None,
    on_progress: Progress | None = None,
) -> EvaluationReport:
    """Return the figures of a corpus that holds the data set's documents.

    Each question is put once for its ranking, and once more for its answer where the answer is known.

    Raises:
        EvaluationError: a retrieved passage is of no document of the data set.
    """
    config = config or EvaluationConfig()
    started = time.monotonic()
    doc_ids = frozenset(document.id for document in dataset.documents)
    text_of = lru_cache(_CACHED_TEXTS)(lambda doc_id: corpus.document(doc_id).text)
    questions = dataset.questions[: config.limit]
    results = []
    for done, question in enumerate(questions, 1):
        results.append(_question_result(corpus, question, doc_ids, text_of=text_of, config=config))
        if on_progress is not None:
            on_progress(done, len(questions))
    return _report(dataset, corpus.status().index_id, config, time.monotonic() - started, tuple(results))


def report_rows(report: EvaluationReport) -> list[ReportRow]:
    """Return the lines of the printed table, in the order in which they are read."""
    judged, judged_answerable = report.counts.judged, len(_answerable_judged(report.results))
    return [
        *(ReportRow("retrieval", name, value, judged) for name, value in (report.retrieval or {}).items()),
        *(
            ReportRow("retrieval, answerable only", name, value, judged_answerable)
            for name, value in (report.answerable_retrieval or {}).items()
        ),
        *(
            ReportRow("answers", name, value, _questions_behind(name, report))
            for name, value in (report.answers or {}).items()
            if name != SPAN_EXACTNESS
        ),
        *_risk_rows(report),
        ReportRow("all that is shown", SPAN_EXACTNESS, report.span_exactness, report.counts.questions),
    ]


def _risk_rows(report: EvaluationReport) -> Iterator[ReportRow]:
    asked = report.counts.answerable + report.counts.unanswerable
    for point in report.risk_coverage:
        name = f"score >= {point.threshold}"
        yield ReportRow("share answered", name, point.answered, asked)
        yield ReportRow("share of these right", name, point.precision, round(point.answered * asked))


@contextmanager
def indexed_corpus(dataset: Dataset, index_of: IndexOf, *, index_dir: Path | None = None) -> Iterator[EvaluatedCorpus]:
    """Yield a corpus of exactly the data set's documents.

    Args:
        index_of: gets a folder for the index and the folder of documents to index.
        index_dir: kept between runs; each content has a folder of its own in it, named by its hash, so plain and
            stripped copies of many sets can share one. None for a temporary folder, deleted at the end.
    """
    if index_dir is None:
        with tempfile.TemporaryDirectory(prefix="pincite-eval-") as folder:
            yield _corpus_in(Path(folder), dataset, index_of)
    else:
        yield _corpus_in(index_dir, dataset, index_of)


def index_of_documents(
    index_dir: Path,
    documents: Path,
    *,
    encoder: Encoder,
    reader: Reader | None = None,
    on_progress: BuildProgress = lambda stage, done, total: None,
) -> EvaluatedCorpus:
    """Build or update an index and return it opened. Each encoder has an index of its own in ``index_dir``.

    ``reader``: finds the answers; None takes the one this project brings.

    Raises:
        EvaluationError: the index does not hold all documents.
        IndexingError: as from ``index.build.build_index``.
    """
    from index.build import BuildConfig, build_index
    from qa.corpus import Corpus

    own_dir = index_dir / encoder.fingerprint.weights_sha256[:16]
    build = partial(build_index, own_dir, [documents], encoder=encoder, on_progress=on_progress)
    try:
        report = build()
    except IndexMismatch:  # kept by an earlier version, which cut documents differently
        report = build(config=BuildConfig(rebuild=True))
    expected = _distinct_texts(documents)
    if report.documents != expected:
        raise EvaluationError(f"The index holds {report.documents:,} of the {expected:,} different texts of the data.")
    return Corpus.open(own_dir, encoder=encoder, reader=reader)


def _distinct_texts(documents: Path) -> int:
    """Return how many different texts a folder of JSONL files holds; the index folds equal ones."""
    records = (json.loads(line) for path in documents.glob("*.jsonl") for line in path.open(encoding="ascii"))
    texts = (record["text"] if record["text"].strip() else " ".join(record["title"].split()) for record in records)
    return len({content_hash(canonical_text(text)) for text in texts})


def _corpus_in(index_dir: Path, dataset: Dataset, index_of: IndexOf) -> EvaluatedCorpus:
    folder = index_dir / content_name(dataset)
    write_documents(dataset, folder / "documents")
    return index_of(folder / "index", folder / "documents")


# One question


def _question_result(
    corpus: EvaluatedCorpus,
    question: DatasetQuestion,
    doc_ids: frozenset[str],
    *,
    text_of: Callable[[str], str],
    config: EvaluationConfig,
) -> QuestionResult:
    passages: Sequence[Passage] = ()
    answer, refused = None, False
    golds = question.answers if config.answers else None
    try:
        passages = corpus.retrieve(question.text, k=config.passages)
        answer = corpus.ask(question.text) if golds is not None else None
    except QuestionError:
        refused = True
    ranking = _ranking(passages, doc_ids)[: config.documents]
    places = list(_quoted_places(passages, answer))
    return QuestionResult(
        question=question,
        ranking=ranking,
        retrieval=_retrieval_scores(ranking, question),
        answer=_answer_result(answer, golds) if golds is not None else None,
        refused=refused,
        spans=len(places),
        exact_spans=sum(span.of(text_of(doc_id)) == words for doc_id, span, words in places),
    )


def _ranking(passages: Sequence[Passage], doc_ids: frozenset[str]) -> tuple[str, ...]:
    """Return the data set's ids of the documents, each ranked by its best passage.

    A text that stands in several documents of the data set counts for all of them, in the order of their paths.
    """
    found = dict.fromkeys(
        path.partition("#")[2] for passage in passages for path in (passage.citation.path, *passage.citation.also_in)
    )
    foreign = found.keys() - doc_ids
    if foreign:
        raise EvaluationError(f"The index holds {min(foreign)!r}, which is no document of the data set.")
    return tuple(found)


def _retrieval_scores(ranking: Ranking, question: DatasetQuestion) -> dict[str, float] | None:
    if not question.is_judged:
        return None
    return {name: metric(ranking, question.grades) for name, metric in RETRIEVAL_METRICS.items()}


def _answer_result(answer: Answer | None, golds: tuple[str, ...]) -> AnswerResult:
    """Return the score of an answer; None stands for a question that was refused, and so not answered."""
    first = answer.claims[0] if answer and answer.claims else None
    prediction = first.text if first else ""
    return AnswerResult(
        prediction=prediction,
        golds=golds,
        verdict=answer.verdict if answer else Verdict.NOT_FOUND,
        score=first.score if first else 0.0,
        em=exact_match(prediction, golds),
        f1=token_f1(prediction, golds),
    )


def _quoted_places(passages: Sequence[Passage], answer: Answer | None) -> Iterator[tuple[str, Span, str]]:
    """Yield document id, span and words of all that is shown to stand in a document."""
    citations: list[Citation] = [passage.citation for passage in passages]
    if answer is not None:
        citations += [passage.citation for passage in answer.related]
        citations += [quote.citation for quote in answer.quotes]
        yield from ((quote.citation.doc_id, quote.answer, quote.answer_text) for quote in answer.quotes)
    yield from ((citation.doc_id, citation.span, citation.quote) for citation in citations)


# The report


def _report(
    dataset: Dataset, index_id: str, config: EvaluationConfig, seconds: float, results: tuple[QuestionResult, ...]
) -> EvaluationReport:
    answers = [result.answer for result in results if result.answer is not None]
    span_exactness = _share(sum(result.exact_spans for result in results), sum(result.spans for result in results))
    golds = [result.question.answers for result in results if result.question.answers is not None]
    answerable = sum(map(bool, golds))
    judged = [result.retrieval for result in results if result.retrieval is not None]
    return EvaluationReport(
        dataset=dataset.name,
        stripped=dataset.stripped,
        index_id=index_id,
        counts=Counts(
            documents=len(dataset.documents),
            questions=len(results),
            judged=len(judged),
            answerable=answerable,
            unanswerable=len(golds) - answerable,
            refused=sum(result.refused for result in results),
        ),
        retrieval=_means(judged) if judged else None,
        answerable_retrieval=_means(_answerable_judged(results)) if judged and golds else None,
        answers={**_answer_scores(answers), SPAN_EXACTNESS: span_exactness} if answers else None,
        risk_coverage=_risk_coverage(answers) if answers else (),
        span_exactness=span_exactness,
        config=config,
        seconds=seconds,
        results=results,
    )


def _risk_coverage(answers: Sequence[AnswerResult]) -> tuple[RiskPoint, ...]:
    scores = [answer.score for answer in answers]
    right = [answer.f1 >= RIGHT_F1 and bool(answer.golds) for answer in answers]
    return tuple(risk_coverage(scores, right, RISK_THRESHOLDS))


def _answerable_judged(results: Sequence[QuestionResult]) -> list[Mapping[str, float]]:
    return [result.retrieval for result in results if result.retrieval and result.question.is_answerable]


def _means(scores: Sequence[Mapping[str, float]]) -> dict[str, float | None]:
    return {name: mean([one[name] for one in scores]) for name in RETRIEVAL_METRICS}


def _answer_scores(answers: Sequence[AnswerResult]) -> dict[str, float | None]:
    with_answer = [answer for answer in answers if answer.golds]
    without_answer = [answer for answer in answers if not answer.golds]
    abstained = [answer.abstained for answer in answers]
    unanswerable = [not answer.golds for answer in answers]
    return {
        "EM": mean([answer.em for answer in answers]),
        "F1": mean([answer.f1 for answer in answers]),
        "has_answer_EM": mean([answer.em for answer in with_answer]),
        "has_answer_F1": mean([answer.f1 for answer in with_answer]),
        "no_answer_F1": mean([answer.f1 for answer in without_answer]),
        "abstention_precision": precision(abstained, unanswerable),
        "abstention_recall": recall(abstained, unanswerable),
    }


def _questions_behind(metric: str, report: EvaluationReport) -> int:
    """Return over how many questions an answer metric is taken."""
    counts = report.counts
    if metric.startswith("has_answer"):
        return counts.answerable
    if metric in ("no_answer_F1", "abstention_recall"):
        return counts.unanswerable
    if metric == "abstention_precision":
        return sum(result.answer is not None and result.answer.abstained for result in report.results)
    return counts.answerable + counts.unanswerable


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
