"""Reading SQuAD files and BEIR folders, the stripped copy, and writing documents for the index."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.loading import load
from qa import datasets
from qa.datasets import (
    Dataset,
    DatasetDocument,
    DatasetError,
    DatasetQuestion,
    content_name,
    read_dataset,
    strip_dataset,
    strip_punctuation,
    write_documents,
)

NORMANS = "The Normans (Norman: Nourmands) gave their name to Normandy, a region in France."


def squad_file(path: Path, *paragraphs: dict, title: str = "Normans") -> Path:
    path.write_text(json.dumps({"version": "v2.0", "data": [{"title": title, "paragraphs": list(paragraphs)}]}))
    return path


def paragraph(context: str, *qas: dict) -> dict:
    return {"context": context, "qas": list(qas)}


def qa(question_id: str, *answers: tuple[str, int], impossible: bool | None = None) -> dict:
    record = {"id": question_id, "question": f" {question_id}?", "answers": []}
    record["answers"] = [{"text": text, "answer_start": start} for text, start in answers]
    return record if impossible is None else {**record, "is_impossible": impossible}


def beir_folder(folder: Path, **files: str) -> Path:
    (folder / "qrels").mkdir(parents=True)
    defaults = {
        "corpus.jsonl": '{"_id": "d1", "title": "One", "text": "first", "url": ""}\n\n{"_id": 2, "text": "second"}\n',
        "queries.jsonl": '{"_id": "q1", "text": "what?"}\n{"_id": "q2", "text": "of another split"}\n',
        "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\t2\t0\n",
    }
    for name, text in {**defaults, **files}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


# SQuAD


def test_each_squad_paragraph_is_a_document_titled_by_its_article(tmp_path: Path) -> None:
    path = squad_file(tmp_path / "dev.json", paragraph(NORMANS, qa("q1", ("France", 73))), paragraph("Other", qa("q2")))
    dataset = read_dataset(path)
    assert dataset.name == "dev"
    assert dataset.documents == (DatasetDocument("1", "Normans", NORMANS), DatasetDocument("2", "Normans", "Other"))
    assert dataset.questions[0] == DatasetQuestion("q1", " q1?", {"1": 1}, ("France",))


def test_squad_questions_keep_every_gold_answer(tmp_path: Path) -> None:
    path = squad_file(tmp_path / "dev.json", paragraph(NORMANS, qa("q", ("France", 73), ("a region in France", 61))))
    assert read_dataset(path).questions[0].answers == ("France", "a region in France")


def test_unanswerable_squad_questions_are_judged_but_have_no_answer(tmp_path: Path) -> None:
    record = {**qa("q", impossible=True), "plausible_answers": [{"text": "France", "answer_start": 73}]}
    question = read_dataset(squad_file(tmp_path / "dev.json", paragraph(NORMANS, record))).questions[0]
    assert question.answers == ()
    assert question.is_answerable is False
    assert question.is_judged


def test_equal_squad_paragraphs_are_one_document(tmp_path: Path) -> None:
    path = squad_file(tmp_path / "dev.json", paragraph("a\r\nb", qa("q1")), paragraph("a\nb", qa("q2")))
    dataset = read_dataset(path)
    assert [document.id for document in dataset.documents] == ["1"]
    assert [dict(question.grades) for question in dataset.questions] == [{"1": 1}, {"1": 1}]


def test_a_squad_gold_that_stands_elsewhere_is_named(tmp_path: Path) -> None:
    path = squad_file(tmp_path / "dev.json", paragraph(NORMANS, qa("ok")), paragraph(NORMANS, qa("q", ("France", 72))))
    with pytest.raises(DatasetError, match=r"paragraph 2, question 1: the gold answer 'France' .* character 72"):
        read_dataset(path)


def test_a_negative_answer_start_is_not_counted_from_the_end(tmp_path: Path) -> None:
    path = squad_file(tmp_path / "dev.json", paragraph("in France", qa("q", ("France", -6))))
    with pytest.raises(DatasetError, match="character -6"):
        read_dataset(path)


def test_broken_squad_json_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    path.write_text('{"data": [\n\n oops]}')
    with pytest.raises(DatasetError, match=r"dev\.json, line 3: not JSON"):
        read_dataset(path)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "expected 'data', a list"),
        ({"rows": []}, "not SQuAD format"),
        ({"data": ["x"]}, "article 1: expected 'paragraphs'"),
        ({"data": [{"paragraphs": [{"qas": []}]}]}, "paragraph 1: expected 'context', a string"),
        ({"data": [{"paragraphs": [{"context": "x"}]}]}, "paragraph 1: expected 'qas', a list"),
        ({"data": [{"paragraphs": [{"context": "x", "qas": [{"question": "?"}]}]}]}, "expected 'answers', a list"),
        ({"data": []}, "holds no documents"),
        ({"data": [{"paragraphs": [{"context": "x", "qas": []}]}]}, "holds no questions"),
    ],
)
def test_other_json_is_refused_in_one_sentence(tmp_path: Path, record: object, message: str) -> None:
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(record))
    with pytest.raises(DatasetError, match=message) as caught:
        read_dataset(path)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_a_path_that_does_not_exist_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist; expected a SQuAD-format JSON file or a BEIR folder"):
        read_dataset(tmp_path / "absent.json")


def test_squad_data_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    path.write_bytes(b'{"data": "\xff"}')
    with pytest.raises(DatasetError, match="not UTF-8"):
        read_dataset(path)


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = squad_file(tmp_path / "dev.json", paragraph("text", qa("q")))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_dataset(path).documents) == 1


# BEIR


def test_a_beir_folder_gives_documents_questions_and_grades(tmp_path: Path) -> None:
    dataset = read_dataset(beir_folder(tmp_path / "news"))
    assert dataset.name == "news"
    assert dataset.documents == (DatasetDocument("d1", "One", "first"), DatasetDocument("2", "", "second"))
    assert dataset.questions == (DatasetQuestion("q1", "what?", {"d1": 2, "2": 0}, None),)


def test_beir_qrels_need_no_header(tmp_path: Path) -> None:
    folder = beir_folder(tmp_path / "news", **{"qrels/test.tsv": "q1\td1\t1\n"})
    assert read_dataset(folder).questions[0].grades == {"d1": 1}


def test_qrels_beside_the_corpus_come_before_test_and_test_before_dev(tmp_path: Path) -> None:
    folder = beir_folder(tmp_path / "news", **{"qrels/dev.tsv": "q2\td1\t1\n", "qrels/train.tsv": "q2\td1\t1\n"})
    assert [question.id for question in read_dataset(folder).questions] == ["q1"]
    (folder / "qrels/test.tsv").unlink()
    assert [question.id for question in read_dataset(folder).questions] == ["q2"]
    (folder / "qrels.tsv").write_text("q1\td1\t1\n")
    assert [question.id for question in read_dataset(folder).questions] == ["q1"]


def test_beir_answers_may_be_known_known_to_be_none_or_unknown(tmp_path: Path) -> None:
    queries = [
        {"_id": "q1", "text": "?", "answers": ["Idlib", "in Idlib"]},
        {"_id": "q2", "text": "?", "answers": []},
        {"_id": "q3", "text": "?"},
        {"_id": "q4", "text": "of another split"},
    ]
    lines = "\n".join(map(json.dumps, queries))
    folder = beir_folder(tmp_path / "news", **{"queries.jsonl": lines, "qrels.tsv": "q1\td1\t1\nq3\td1\t1\n"})
    questions = read_dataset(folder).questions
    assert [(question.id, question.answers) for question in questions] == [
        ("q1", ("Idlib", "in Idlib")),
        ("q2", ()),
        ("q3", None),
    ]
    assert [question.is_judged for question in questions] == [True, False, True]


def test_a_question_with_grades_of_zero_only_is_not_judged(tmp_path: Path) -> None:
    folder = beir_folder(tmp_path / "news", **{"qrels/test.tsv": "q1\td1\t1\nq2\td1\t0\n"})
    assert [question.id for question in read_dataset(folder).questions] == ["q1"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("corpus.jsonl", '{"_id": "d1", "text": "x"}\n{oops\n', r"corpus\.jsonl, line 2: not JSON"),
        ("corpus.jsonl", '\n["x"]\n', r"corpus\.jsonl, line 2: expected a JSON object"),
        ("corpus.jsonl", '{"text": "x"}', r"line 1: '_id' is missing"),
        ("corpus.jsonl", '{"_id": "d1"}', r"line 1: expected 'text', a string"),
        (
            "corpus.jsonl",
            '{"_id": "d", "text": "x"}\n{"_id": "d", "text": "y"}',
            r"line 2: the '_id' 'd' was used before",
        ),
        ("corpus.jsonl", "\n", "holds no documents"),
        (
            "queries.jsonl",
            '{"_id": "q1", "text": "x", "answers": "y"}',
            r"queries\.jsonl, line 1: expected 'answers', a list",
        ),
        ("queries.jsonl", '{"_id": "q1", "text": "x", "answers": [1]}', "should be a list of strings"),
        ("queries.jsonl", '{"_id": "q9", "text": "x"}', "holds no questions"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\n", r"test\.tsv, line 2: expected question id"),
        ("qrels/test.tsv", "q1\td1\t1\nq1\td1\tyes\n", r"test\.tsv, line 2: .* whole grade"),
    ],
)
def test_broken_beir_files_are_named_with_their_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    folder = beir_folder(tmp_path / "news", **{name: text})
    with pytest.raises(DatasetError, match=message) as caught:
        read_dataset(folder)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_a_beir_folder_without_one_of_its_files_is_refused(tmp_path: Path, name: str) -> None:
    folder = beir_folder(tmp_path / "news")
    (folder / name).unlink()
    with pytest.raises(DatasetError, match=name.split("/")[-1]):
        read_dataset(folder)


def test_a_beir_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    folder = beir_folder(tmp_path / "news")
    (folder / "corpus.jsonl").write_bytes(b'{"_id": "d1", "text": "x"}\n{"_id": "d2", "text": "\xff"}\n')
    with pytest.raises(DatasetError, match=r"corpus\.jsonl, line 2: not UTF-8"):
        read_dataset(folder)


# Stripping


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("", ""),
        ("...", " "),
        ("Idlib: the U.S.-backed plan", "Idlib the U S backed plan"),
        (" The  end.\n\nNew ", " The end New "),  # a space at either end is kept, as in the seed text
        ("snake_case", "snake case"),
        ("don't — “Ça va?” 700,000", "don t Ça va 700 000"),
    ],
)
def test_all_that_is_no_letter_or_digit_becomes_one_space(text: str, stripped: str) -> None:
    assert strip_punctuation(text) == stripped


def test_letters_and_digits_are_what_isalnum_says_for_every_character() -> None:
    for character in map(chr, range(sys.maxunicode + 1)):
        assert strip_punctuation(character) == (character if character.isalnum() else " "), hex(ord(character))


@given(st.text())
def test_stripping_keeps_exactly_the_letters_and_digits_and_is_stable(text: str) -> None:
    stripped = strip_punctuation(text)
    assert stripped.replace(" ", "") == "".join(filter(str.isalnum, text))
    assert "  " not in stripped
    assert strip_punctuation(stripped) == stripped


@given(st.text(), st.text(), st.text(min_size=1))
def test_a_stripped_gold_stands_in_the_stripped_document(before: str, after: str, gold: str) -> None:
    assert strip_punctuation(gold).strip() in strip_punctuation(f"{before} {gold} {after}")


def test_the_stripped_copy_keeps_questions_and_grades_as_they_are() -> None:
    question = DatasetQuestion("q", "Who's in the U.S.?", {"d": 1}, ("U.S.", "$"))
    dataset = Dataset("set", (DatasetDocument("d", "U.S. news", "In the U.S., yes."),), (question,))
    stripped = strip_dataset(dataset)
    assert stripped.stripped
    assert stripped.documents == (DatasetDocument("d", "U S news", "In the U S yes "),)
    assert stripped.questions == (DatasetQuestion("q", "Who's in the U.S.?", {"d": 1}, ("U S", "")),)


def test_known_to_have_no_answer_and_not_known_stay_apart_when_stripped() -> None:
    questions = (DatasetQuestion("none", "?", {}, ()), DatasetQuestion("unknown", "?", {"d": 1}, None))
    stripped = strip_dataset(Dataset("set", (), questions))
    assert [question.answers for question in stripped.questions] == [(), None]


# Writing

ODD = "line one\r\nline two \u2028 \ud800 café <b> 日本"


def test_written_documents_are_read_back_by_the_loader_under_their_ids(tmp_path: Path) -> None:
    dataset = Dataset("set", (DatasetDocument("a#1/ü", "T", ODD), DatasetDocument("b", "Title only", " ")), ())
    write_documents(dataset, tmp_path / "documents")
    path = tmp_path / "documents" / "corpus-0000.jsonl"
    documents = load(path.read_bytes(), name="documents/corpus-0000.jsonl").documents
    assert [document.path.partition("#")[2] for document in documents] == ["a#1/ü", "b"]
    assert documents[0].text == "line one\nline two \u2028 \ufffd café <b> 日本"
    assert documents[1].text == "Title only"


def test_documents_without_a_word_are_not_written(tmp_path: Path) -> None:
    write_documents(Dataset("set", (DatasetDocument("a", " ", "\n"), DatasetDocument("b", "", "x")), ()), tmp_path)
    assert (tmp_path / "corpus-0000.jsonl").read_text().count("\n") == 1


def test_a_large_collection_is_written_in_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "_CORPUS_FILE_BYTES", 120)
    dataset = Dataset("set", tuple(DatasetDocument(str(number), "", "x" * 20) for number in range(5)), ())
    write_documents(dataset, tmp_path)
    lines = [path.read_text().splitlines() for path in sorted(tmp_path.iterdir())]
    assert [len(part) for part in lines] == [2, 2, 1]
    assert [json.loads(line)["_id"] for part in lines for line in part] == list("01234")


def test_writing_again_mends_damage_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    dataset = Dataset("set", (DatasetDocument("a", "", "x"),), ())
    write_documents(dataset, tmp_path)
    path, extra = tmp_path / "corpus-0000.jsonl", tmp_path / "corpus-0001.jsonl"
    good, before = path.read_bytes(), path.stat().st_mtime_ns
    write_documents(dataset, tmp_path)
    assert path.stat().st_mtime_ns == before
    path.write_bytes(good[:5])
    extra.write_bytes(good)
    write_documents(dataset, tmp_path)
    assert path.read_bytes() == good
    assert not extra.exists()


def test_the_name_of_a_content_changes_with_every_part_of_it() -> None:
    dataset = Dataset("my set/1", (DatasetDocument("a", "T", "x."),), ())
    variants = [
        dataset,
        strip_dataset(dataset),
        Dataset("my set/1", (DatasetDocument("b", "T", "x."),), ()),
        Dataset("my set/1", (DatasetDocument("a", "U", "x."),), ()),
        Dataset("my set/1", (DatasetDocument("a", "T", "y."),), ()),
    ]
    names = [content_name(variant) for variant in variants]
    assert len(set(names)) == 5
    assert names[0].startswith("my-set-1-")
    assert names[1].startswith("my-set-1-stripped-")


# Public data, where it lies beside the checkout

SHARED_SQUAD = Path(__file__).parents[2] / "shared" / "data" / "squad2" / "dev-half-v2.0.json"


@pytest.mark.skipif(not SHARED_SQUAD.exists(), reason="the SQuAD 2 half is not beside this checkout")
def test_the_squad_half_has_the_counts_its_readme_gives() -> None:
    dataset = read_dataset(SHARED_SQUAD)
    assert len(dataset.documents) == 646
    assert len(dataset.questions) == 6078
    assert sum(question.is_answerable is False for question in dataset.questions) == 3168
    stripped = strip_dataset(dataset)
    texts = {document.id: document.text for document in stripped.documents}
    assert all(answer in texts[doc] for q in stripped.questions for doc in q.grades for answer in q.answers or ())
