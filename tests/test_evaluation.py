"""Evaluation over a small corpus that is no index: every figure can be done by hand."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import StubEncoder

from index.documents import Document, Source, Span
from index.store import FILE_NAME, Store
from qa.datasets import (
    Dataset,
    DatasetDocument,
    DatasetError,
    DatasetQuestion,
    content_name,
    strip_dataset,
    write_documents,
)
from qa.errors import QuestionError
from qa.evaluation import (
    EvaluationConfig,
    EvaluationError,
    evaluate,
    index_of_documents,
    indexed_corpus,
    report_rows,
    run_evaluation,
)
from qa.results import Answer, Citation, Claim, Passage, Quote, Verdict

TEXTS = {"d1": "Kabul is in Afghanistan.", "d2": "Idlib is in Syria.", "d3": "Oslo is in Norway, far north."}
DOCUMENTS = {
    doc_id: Document.from_raw(text, Source(f"documents/corpus-0000.jsonl#{doc_id}")) for doc_id, text in TEXTS.items()
}


def passage(document: Document, rank: int = 1, span: Span | None = None) -> Passage:
    citation = Citation.from_document(document, span or Span(0, len(document.text)))
    return Passage(rank=rank, score=1 / rank, dense_score=0.0, lexical_score=0.0, citation=citation)


class FakeCorpus:
    """Ranks and answers what it was told to; ``answers`` maps a question to document, words and score."""

    def __init__(
        self,
        rankings: dict[str, Sequence[Passage]] | None = None,
        answers: dict[str, tuple[Document, str, float]] | None = None,
    ) -> None:
        self.rankings, self.answers, self.asked, self.depths = rankings or {}, answers or {}, [], []

    def retrieve(self, question: str, k: int) -> Sequence[Passage]:
        self.depths.append(k)
        return self.rankings.get(question, ())[:k]

    def ask(self, question: str) -> Answer:
        self.asked.append(question)
        claims: tuple[Claim, ...] = ()
        if question in self.answers:
            document, words, score = self.answers[question]
            start = document.text.index(words)
            citation = Citation.from_document(document, Span(0, len(document.text)))
            claims = (Claim(words, (Quote(citation, Span(start, start + len(words)), score),)),)
        verdict = Verdict.ANSWERED if claims else Verdict.NOT_FOUND
        return Answer(question, verdict, claims, (), (), "index-1")

    def document(self, doc_id: str) -> Document:
        return next(document for document in DOCUMENTS.values() if document.doc_id == doc_id)

    def status(self) -> SimpleNamespace:
        return SimpleNamespace(index_id="index-1")


def dataset_of(*questions: DatasetQuestion, name: str = "places") -> Dataset:
    documents = tuple(DatasetDocument(doc_id, "", text) for doc_id, text in TEXTS.items())
    return Dataset(name, documents, questions)


def ranked(*doc_ids: str) -> list[Passage]:
    return [passage(DOCUMENTS[doc_id], rank) for rank, doc_id in enumerate(doc_ids, 1)]


FOUR = dataset_of(
    DatasetQuestion("q1", "Where is Kabul?", {"d1": 1}, ("Afghanistan", "in Afghanistan")),
    DatasetQuestion("q2", "Where is Idlib?", {"d2": 1}, ("Syria",)),
    DatasetQuestion("q3", "Where is Lima?", {"d3": 1}, ()),
    DatasetQuestion("q4", "Where is Quito?", {"d3": 1}, ()),
)
FOUR_CORPUS = FakeCorpus(
    {
        "Where is Kabul?": ranked("d1", "d2"),
        "Where is Idlib?": ranked("d1", "d2"),
        "Where is Lima?": ranked("d1", "d2", "d3"),
    },
    {
        "Where is Kabul?": (DOCUMENTS["d1"], "Afghanistan", 0.9),
        "Where is Quito?": (DOCUMENTS["d3"], "Norway", 0.6),
    },
)


def test_retrieval_is_averaged_over_all_judged_questions_and_over_the_answerable_ones() -> None:
    report = evaluate(FOUR_CORPUS, FOUR)
    # ranks of the relevant document: 1, 2, 3, never
    assert report.retrieval is not None
    assert report.retrieval["hit@1"] == 1 / 4
    assert report.retrieval["MRR@10"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 0) / 4)
    assert report.retrieval["nDCG@10"] == pytest.approx((1 + 0.6309297535714575 + 0.5 + 0) / 4)  # 1/log2(2), 3, 4
    assert report.retrieval["recall@5"] == 3 / 4
    assert report.answerable_retrieval is not None
    assert report.answerable_retrieval["hit@1"] == 1 / 2
    assert report.answerable_retrieval["MRR@10"] == (1 + 1 / 2) / 2


def test_answers_follow_the_squad_2_conventions() -> None:
    report = evaluate(FOUR_CORPUS, FOUR)
    # q1 right; q2 abstained though answerable; q3 abstained rightly; q4 answered though unanswerable
    assert report.answers == {
        "EM": 2 / 4,
        "F1": 2 / 4,
        "has_answer_EM": 1 / 2,
        "has_answer_F1": 1 / 2,
        "no_answer_F1": 1 / 2,
        "abstention_precision": 1 / 2,
        "abstention_recall": 1 / 2,
        "span_exactness": 1.0,
    }


def test_each_question_is_ranked_deep_and_asked_once() -> None:
    corpus = FakeCorpus()
    evaluate(corpus, FOUR)
    assert corpus.depths == [200] * 4
    assert corpus.asked == [question.text for question in FOUR.questions]


def test_a_question_whose_answer_is_not_known_is_not_asked() -> None:
    corpus = FakeCorpus({"Idlib": ranked("d2")})
    report = evaluate(corpus, dataset_of(DatasetQuestion("q", "Idlib", {"d2": 1}, None)))
    assert corpus.asked == []
    assert report.answers is None
    assert report.answerable_retrieval is None
    assert report.span_exactness == 1.0
    assert report.retrieval is not None
    assert report.retrieval["hit@1"] == 1.0


def test_answers_can_be_left_out() -> None:
    report = evaluate(FOUR_CORPUS, FOUR, config=EvaluationConfig(answers=False))
    assert report.answers is None
    assert report.retrieval == evaluate(FOUR_CORPUS, FOUR).retrieval
    assert report.answerable_retrieval is not None


def test_a_question_without_a_relevant_document_is_asked_but_not_ranked() -> None:
    corpus = FakeCorpus()
    judged = DatasetQuestion("q1", "Idlib", {"d2": 1}, ("Syria",))
    report = evaluate(corpus, dataset_of(judged, DatasetQuestion("q2", "Lima", {}, ())))
    assert report.counts.judged == 1
    assert report.counts.unanswerable == 1
    assert report.results[1].retrieval is None
    only_answers = evaluate(corpus, dataset_of(DatasetQuestion("q2", "Lima", {}, ())))
    assert only_answers.retrieval is None
    assert only_answers.answerable_retrieval is None


class PickyCorpus(FakeCorpus):
    """Takes no empty question, as the real one."""

    def retrieve(self, question: str, k: int) -> Sequence[Passage]:
        if not question.strip():
            raise QuestionError("Please type a question.")
        return super().retrieve(question, k)


def test_a_question_the_corpus_refuses_counts_as_nothing_found_and_not_answered() -> None:
    answerable, unanswerable = DatasetQuestion("q1", " ", {"d1": 1}, ("x",)), DatasetQuestion("q2", "", {"d1": 1}, ())
    unknown = DatasetQuestion("q3", "", {"d1": 1}, None)
    report = evaluate(PickyCorpus(), dataset_of(answerable, unanswerable, unknown))
    assert (report.counts.refused, report.counts.judged) == (3, 3)
    assert report.retrieval is not None
    assert report.retrieval["recall@50"] == 0.0
    assert report.answers is not None
    assert (report.answers["has_answer_F1"], report.answers["no_answer_F1"]) == (0.0, 1.0)
    assert report.results[2].answer is None


def test_undefined_figures_are_none() -> None:
    corpus = FakeCorpus(answers={"Where is Kabul?": (DOCUMENTS["d1"], "Afghanistan", 0.9)})
    answers = evaluate(corpus, dataset_of(FOUR.questions[0])).answers
    assert answers is not None
    assert answers["no_answer_F1"] is None
    assert answers["abstention_recall"] is None
    assert answers["abstention_precision"] is None
    assert answers["span_exactness"] == 1.0
    assert evaluate(FakeCorpus(), dataset_of(FOUR.questions[3])).span_exactness is None


def test_a_document_is_ranked_by_its_best_passage() -> None:
    oslo = DOCUMENTS["d3"]
    passages = [passage(oslo, 1, Span(0, 4)), passage(oslo, 2, Span(5, 7)), passage(DOCUMENTS["d1"], 3)]
    report = evaluate(FakeCorpus({"Idlib": passages}), dataset_of(DatasetQuestion("q", "Idlib", {"d1": 1}, None)))
    assert report.results[0].ranking == ("d3", "d1")


def test_a_text_that_stands_in_several_documents_counts_for_all_of_them_in_path_order() -> None:
    sources = tuple(Source(f"documents/corpus-0000.jsonl#{doc_id}") for doc_id in ("d1", "d9"))
    twin = Document(TEXTS["d1"], sources)
    dataset = dataset_of(DatasetQuestion("q", "Kabul", {"d9": 1}, None))
    dataset = dataclasses.replace(dataset, documents=(*dataset.documents, DatasetDocument("d9", "", TEXTS["d1"])))
    corpus = FakeCorpus({"Kabul": [passage(twin, 1), passage(DOCUMENTS["d2"], 2)]})
    assert evaluate(corpus, dataset).results[0].ranking == ("d1", "d9", "d2")


def test_the_ranking_is_cut_at_the_documents_asked_for() -> None:
    config = EvaluationConfig(passages=3, documents=2)
    corpus = FakeCorpus({"Where is Lima?": ranked("d1", "d2", "d3")})
    report = evaluate(corpus, dataset_of(FOUR.questions[2]), config=config)
    assert corpus.depths == [3]
    assert report.results[0].ranking == ("d1", "d2")


def test_an_index_of_other_documents_is_refused_rather_than_scored() -> None:
    foreign = Document.from_raw("x", Source("documents/corpus-0000.jsonl#elsewhere"))
    corpus = FakeCorpus({"Where is Kabul?": [passage(foreign)]})
    with pytest.raises(EvaluationError, match="'elsewhere', which is no document of the data set"):
        evaluate(corpus, FOUR)


def test_a_quote_that_is_not_what_stands_in_the_document_shows_in_span_exactness() -> None:
    good = passage(DOCUMENTS["d1"])
    wrong = dataclasses.replace(good, citation=dataclasses.replace(good.citation, quote="Kabul is in Syria."))
    corpus = FakeCorpus({"Where is Kabul?": [good, wrong]})
    report = evaluate(corpus, dataset_of(FOUR.questions[0]))
    assert report.span_exactness == 1 / 2
    assert report.answers is not None
    assert report.answers["span_exactness"] == 1 / 2


def test_limit_takes_the_first_questions_and_keeps_all_documents() -> None:
    report = evaluate(FOUR_CORPUS, FOUR, config=EvaluationConfig(limit=1))
    assert [result.question.id for result in report.results] == ["q1"]
    assert (report.counts.questions, report.counts.documents) == (1, 3)


@pytest.mark.parametrize("settings", [{"limit": 0}, {"limit": -1}, {"passages": 0}, {"documents": 0}])
def test_settings_below_one_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="count from 1"):
        EvaluationConfig(**settings)


def test_progress_counts_questions_to_the_end() -> None:
    seen = []
    evaluate(FOUR_CORPUS, FOUR, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_json_form_names_metrics_as_the_literature_does() -> None:
    record = json.loads(json.dumps(evaluate(FOUR_CORPUS, FOUR).to_dict()))
    names = ["recall@1", "recall@5", "recall@10", "recall@50", "nDCG@10", "MRR@10", "hit@1"]
    assert list(record["retrieval"]) == [*names, "answerable_only"]
    assert list(record["retrieval"]["answerable_only"]) == names
    assert record["counts"] == {
        "documents": 3,
        "questions": 4,
        "judged": 4,
        "answerable": 2,
        "unanswerable": 2,
        "refused": 0,
    }
    assert record["dataset"] == "places"
    assert record["index_id"] == "index-1"
    assert record["stripped"] is False
    assert record["settings"] == {
        "passages": 200,
        "documents": 100,
        "limit": None,
        "answers": True,
        "reader": "bundled",
    }
    assert "results" not in record


def test_the_json_form_carries_one_row_per_question_on_request() -> None:
    rows = evaluate(FOUR_CORPUS, FOUR).to_dict(questions=True)["results"]
    assert rows[0] == {
        "id": "q1",
        "question": "Where is Kabul?",
        "ranking": ["d1", "d2"],
        "first_relevant_rank": 1,
        "prediction": "Afghanistan",
        "golds": ["Afghanistan", "in Afghanistan"],
        "EM": 1.0,
        "F1": 1.0,
        "verdict": "answered",
        "score": 0.9,
    }
    assert (rows[2]["verdict"], rows[2]["score"], rows[2]["prediction"]) == ("not_found", 0.0, "")
    assert rows[3]["first_relevant_rank"] is None


def test_table_rows_say_over_how_many_questions_each_figure_is_taken() -> None:
    rows = {(row.group, row.metric): row for row in report_rows(evaluate(FOUR_CORPUS, FOUR))}
    assert rows["retrieval", "hit@1"].questions == 4
    assert rows["retrieval, answerable only", "hit@1"].questions == 2
    assert rows["answers", "EM"].questions == 4
    assert rows["answers", "has_answer_F1"].questions == 2
    assert rows["answers", "abstention_precision"].questions == 2  # q2 and q3
    assert rows["answers", "abstention_precision"].value == 1 / 2
    assert rows["all that is shown", "span_exactness"].value == 1.0


def test_answers_have_a_row_for_each_threshold_and_json_too() -> None:
    report = evaluate(FOUR_CORPUS, FOUR)
    answers = [result.answer for result in report.results if result.answer]
    given = [answer for answer in answers if answer.score >= 0.3]
    rows = {(row.group, row.metric): row for row in report_rows(report)}
    assert rows["share answered", "score >= 0.3"].value == len(given) / 4
    assert rows["share of these right", "score >= 0.3"].value == sum(a.f1 >= 0.5 for a in given if a.golds) / len(given)
    assert rows["share of these right", "score >= 0.3"].questions == len(given)
    assert [point["threshold"] for point in report.to_dict()["risk_coverage"]] == [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9]


# Preparing the index


class RecordingIndex:
    """Stands in for building and opening an index; keeps what it was given."""

    def __init__(self) -> None:
        self.calls: list[tuple[Path, Path, list[dict]]] = []

    def __call__(self, index_dir: Path, documents: Path) -> FakeCorpus:
        lines = [line for path in sorted(documents.iterdir()) for line in path.read_text().splitlines()]
        self.calls.append((index_dir, documents, [json.loads(line) for line in lines]))
        return FOUR_CORPUS


def test_plain_and_stripped_copies_share_a_folder_without_mixing(tmp_path: Path) -> None:
    index_of = RecordingIndex()
    for dataset in (FOUR, strip_dataset(FOUR), FOUR):
        with indexed_corpus(dataset, index_of, index_dir=tmp_path) as corpus:
            assert corpus is FOUR_CORPUS
    plain, stripped, again = index_of.calls
    assert plain == again
    assert plain[0] != stripped[0]
    assert plain[0] == tmp_path / content_name(FOUR) / "index"
    assert plain[2][0]["text"] == "Kabul is in Afghanistan."
    assert stripped[2][0]["text"] == "Kabul is in Afghanistan "


def test_without_a_folder_to_keep_the_index_goes_away_again() -> None:
    index_of = RecordingIndex()
    with indexed_corpus(FOUR, index_of):
        assert index_of.calls[0][1].is_dir()
    assert not index_of.calls[0][1].exists()


def test_each_encoder_has_an_index_of_its_own_and_a_kept_one_embeds_nothing_again(tmp_path: Path) -> None:
    write_documents(FOUR, tmp_path / "documents")
    one, other = StubEncoder("one"), StubEncoder("other")
    for encoder in (one, other):
        index_of_documents(tmp_path / "index", tmp_path / "documents", encoder=encoder)
        assert len(encoder.embedded) == len(FOUR.documents)
    index_of_documents(tmp_path / "index", tmp_path / "documents", encoder=one)
    assert len(one.embedded) == len(FOUR.documents)
    assert len(list((tmp_path / "index").iterdir())) == 2


def test_a_kept_index_that_was_cut_differently_is_built_anew(tmp_path: Path) -> None:
    write_documents(FOUR, tmp_path / "documents")
    encoder = StubEncoder()
    first = index_of_documents(tmp_path / "index", tmp_path / "documents", encoder=encoder).status()
    (path,) = (tmp_path / "index").glob(f"*/{FILE_NAME}")
    store = Store.create_or_open(path)
    with store.transaction():
        store.set_meta(segmenter="another")
    store.close()
    again = index_of_documents(tmp_path / "index", tmp_path / "documents", encoder=encoder).status()
    assert (again.generation, again.index_id) == (first.generation + 1, first.index_id)


def test_equal_texts_are_one_document_and_an_index_that_lost_one_is_refused(tmp_path: Path) -> None:
    twins = (DatasetDocument("d4", "", "Lima.\r\nPeru."), DatasetDocument("d5", "Other title", "Lima.\nPeru."))
    dataset = dataclasses.replace(FOUR, documents=(*FOUR.documents, *twins))
    write_documents(dataset, tmp_path / "documents")
    corpus = index_of_documents(tmp_path / "index", tmp_path / "documents", encoder=StubEncoder())
    distinct = len({document.text for document in FOUR.documents}) + 1
    assert corpus.status().documents == distinct
    (file,) = (tmp_path / "documents").iterdir()
    file.write_bytes(b"")
    with pytest.raises(EvaluationError, match=f"holds {distinct} of the 0 different texts"):
        index_of_documents(tmp_path / "index", tmp_path / "documents", encoder=StubEncoder())


class FirstLineCorpus(FakeCorpus):
    """Holds the documents it was told to index, ranks them in file order, and answers with all of the first."""

    def __init__(self, documents: Path) -> None:
        super().__init__()
        self.held = [
            Document.from_raw(record["text"], Source(f"documents/{path.name}#{record['_id']}"))
            for path in sorted(documents.iterdir())
            for record in map(json.loads, path.read_text().splitlines())
        ]

    def retrieve(self, question: str, k: int) -> Sequence[Passage]:
        return [passage(document, rank) for rank, document in enumerate(self.held, 1)][:k]

    def ask(self, question: str) -> Answer:
        self.answers[question] = (self.held[0], self.held[0].text, 0.5)
        return super().ask(question)

    def document(self, doc_id: str) -> Document:
        return next(document for document in self.held if document.doc_id == doc_id)


@pytest.mark.parametrize("stripped", [False, True])
def test_a_data_set_on_disk_is_read_indexed_and_scored(tmp_path: Path, stripped: bool) -> None:
    text, gold = TEXTS["d1"], {"text": TEXTS["d1"], "answer_start": 0}
    record = {"id": "q", "question": "Where's Kabul?", "answers": [gold]}
    paragraphs = [{"context": "Oslo.", "qas": []}, {"context": text, "qas": [record]}]
    path = tmp_path / "places.json"
    path.write_text(json.dumps({"data": [{"title": "Places", "paragraphs": paragraphs[::-1]}]}))
    report = run_evaluation(path, lambda _, documents: FirstLineCorpus(documents), stripped=stripped)
    assert (report.dataset, report.stripped) == ("places", stripped)
    assert report.results[0].ranking == ("1", "2")
    assert report.results[0].question.text == "Where's Kabul?"
    answer = report.results[0].answer
    assert answer is not None
    assert answer.prediction == ("Kabul is in Afghanistan " if stripped else "Kabul is in Afghanistan.")
    assert (answer.em, report.span_exactness) == (1.0, 1.0)


def test_data_that_cannot_be_read_is_never_indexed(tmp_path: Path) -> None:
    index_of = RecordingIndex()
    with pytest.raises(DatasetError):
        run_evaluation(tmp_path / "absent", index_of, index_dir=tmp_path / "kept")
    assert index_of.calls == []
    assert not (tmp_path / "kept").exists()
