"""Judgements of quotes are kept with all that is needed to ask again, and compared with what is answered today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Build, StubEncoder, StubReader
from typer.testing import CliRunner

import qa.corpus
from qa.corpus import Corpus
from qa.feedback import FILE_NAME, FeedbackRefused, Respected, keep, read_feedback, respected
from qa.retrieval import Filters
from ui.cli import app

VIENNA = "What flows through Vienna?"


@pytest.fixture
def judged(corpus: Corpus, index_dir: Path) -> list[dict[str, Any]]:
    """Return three judgements of the quote about Vienna, which a different question each asked for."""
    answer = corpus.ask(VIENNA)
    for question, judgement in (
        (VIENNA, "answers"),
        ("Does the Danube flow through Vienna?", "not relevant"),
        ("The Danube flows through which Vienna?", "wrong boundary"),
    ):
        keep(index_dir, question, answer.quotes[0], judgement, index_id=answer.index_id, filters=Filters())
    return read_feedback(index_dir / FILE_NAME)


def counts(found: list[Respected]) -> dict[str, tuple[int, int]]:
    return {each.judgement: (each.judged, each.respected) for each in found}


def test_what_is_answered_as_before_respects_praise_and_no_blame(corpus: Corpus, judged: list[dict[str, Any]]) -> None:
    assert counts(respected(corpus, judged)) == {
        "answers": (1, 1),
        "wrong speaker": (0, 0),
        "not relevant": (1, 0),
        "wrong boundary": (1, 0),
    }


def test_what_is_answered_no_longer_respects_blame_and_no_praise(
    build: Build, corpus: Corpus, judged: list[dict[str, Any]], folder: Path
) -> None:
    (folder / "rivers.txt").write_text("Nothing is said of water here any more.")
    build()
    assert counts(respected(corpus, judged)) == {
        "answers": (1, 0),
        "wrong speaker": (0, 0),
        "not relevant": (1, 1),
        "wrong boundary": (1, 1),
    }


def test_the_same_words_in_a_text_that_was_edited_are_the_judged_ones(
    build: Build, corpus: Corpus, judged: list[dict[str, Any]], folder: Path
) -> None:
    text = (folder / "rivers.txt").read_text()
    (folder / "rivers.txt").write_text(f"A line that was added above.\n{text}")
    build()
    assert counts(respected(corpus, judged))["answers"] == (1, 1)


def test_a_wrong_speaker_is_respected_when_it_is_another(corpus: Corpus, index_dir: Path) -> None:
    answer = corpus.ask(VIENNA)
    keep(index_dir, VIENNA, answer.quotes[0], "wrong speaker", index_id=answer.index_id, filters=Filters())
    (row,) = read_feedback(index_dir / FILE_NAME)
    assert counts(respected(corpus, [row]))["wrong speaker"] == (1, 0)
    assert counts(respected(corpus, [{**row, "speaker": "Somebody else"}]))["wrong speaker"] == (1, 1)


def test_filters_are_kept_and_asked_with(corpus: Corpus, index_dir: Path) -> None:
    answer = corpus.ask(VIENNA)
    filters = Filters(sources=("*cheese*",))
    keep(index_dir, VIENNA, answer.quotes[0], "not relevant", index_id=answer.index_id, filters=filters)
    (row,) = read_feedback(index_dir / FILE_NAME)
    assert counts(respected(corpus, [row]))["not relevant"] == (1, 1)  # the filter keeps the quote away
    assert counts(respected(corpus, [{**row, "sources": []}]))["not relevant"] == (1, 0)


def test_a_judgement_without_its_place_is_refused_by_name(corpus: Corpus, judged: list[dict[str, Any]]) -> None:
    with pytest.raises(FeedbackRefused, match="What flows through Vienna"):
        respected(corpus, [{**judged[0], "citation": "nonsense"}])


def test_eval_reads_the_file(
    corpus: Corpus, judged: list[dict[str, Any]], index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qa.corpus, "load_encoder", lambda model: StubEncoder())
    monkeypatch.setattr(qa.corpus, "SpanReader", StubReader)
    run = CliRunner().invoke(app, ["eval", str(index_dir / FILE_NAME), "--index", str(index_dir), "--json"])
    assert run.exit_code == 0, run.output
    assert {"judgement": "answers", "judged": 1, "respected": 1} in json.loads(run.stdout)
    missing = CliRunner().invoke(app, ["eval", "nowhere.jsonl"])
    assert missing.exit_code == 2
