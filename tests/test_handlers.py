"""What the page does with questions, links and everything that goes wrong."""

from __future__ import annotations

import ast
import html
import json
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pages import ScriptedCorpus, answer, hostile_corpus, news_corpus

from index.errors import IndexDamaged
from qa import escaping
from qa.export import as_python
from qa.feedback import FILE_NAME, FeedbackRefused, read_feedback
from qa.results import Citation, CitationKey
from qa.retrieval import Filters
from ui import handlers, render
from ui.examples import Examples
from ui.updates import progress_sentence
from ui.workers import Workers

WORKERS = Workers()
DEATHS = "How many civilians have died in the fighting?"


class BrokenCorpus(ScriptedCorpus):
    """Fails in every call, with a secret in its words."""

    def __init__(self, error: Exception) -> None:
        super().__init__([])
        self.error = error

    def _fail(self, *args: Any, **kwargs: Any) -> Any:
        raise self.error

    ask = known = document = cite = source_state = status = examples = _fail


@pytest.fixture
def corpus() -> ScriptedCorpus:
    return news_corpus()


def answered(corpus: ScriptedCorpus, question: object, turns: tuple[handlers.Turn, ...] = ()) -> handlers.Progress:
    return list(handlers.ask(corpus, WORKERS, question, turns))[-1]


# --- asking ---------------------------------------------------------------------------------------------------------


def test_a_sign_of_life_comes_before_the_answer(corpus: ScriptedCorpus) -> None:
    first, last = handlers.ask(corpus, WORKERS, DEATHS, ())
    assert "Searching" in first.turns[-1].reply
    assert not first.announcement
    assert "Sources differ: 2 claims" in last.turns[-1].reply
    assert last.announcement == "Sources differ: 2 claims."


def test_words_read_as_others_are_announced(corpus: ScriptedCorpus) -> None:
    corpus.answers[DEATHS] = replace(corpus.answers[DEATHS], read_as={"<dyed": "died"})
    announcement = answered(corpus, DEATHS).announcement
    assert announcement.startswith("Sources differ: 2 claims. ")
    assert escaping.escape("“<dyed” stands nowhere in the documents and was read as “died”.") in announcement


def test_turns_follow_one_another_and_old_ones_leave(corpus: ScriptedCorpus) -> None:
    progress = handlers.Progress(())
    for n in range(handlers.TURNS_KEPT + 3):
        progress = answered(corpus, f"Question {n}", progress.turns)
    assert len(progress.turns) == handlers.TURNS_KEPT
    assert "Question 3<" in progress.turns[0].question.replace("&#63;", "")
    assert f"Question {handlers.TURNS_KEPT + 2}" in progress.turns[-1].question


@pytest.mark.parametrize("question", ["", "   ", "\n"])
def test_an_empty_question_gets_one_sentence(corpus: ScriptedCorpus, question: str) -> None:
    assert answered(corpus, question).turns[-1].reply == render.problem("Please type a question.")


def test_a_question_that_is_too_long_gets_one_sentence(corpus: ScriptedCorpus) -> None:
    assert "at most 4&#44;000 characters" in answered(corpus, "x" * 4001).turns[-1].reply


@pytest.mark.parametrize("question", [None, 7, 1.5, {"a": 1}, ["x"], True])
def test_a_question_that_is_no_text_is_an_empty_one(corpus: ScriptedCorpus, question: object) -> None:
    assert "Please type a question" in answered(corpus, question).turns[-1].reply


@pytest.mark.parametrize("question", ['" OR *', "(((", "\ud800 \x00 \u202e", "<img src=x>", "who 谁 من"])
def test_odd_questions_are_answered_like_any_other(corpus: ScriptedCorpus, question: str) -> None:
    progress = answered(corpus, question)
    assert "Not in the documents" in progress.turns[-1].reply
    assert "<img" not in progress.turns[-1].question
    progress.turns[-1].question.encode()


def test_an_empty_index_answers_with_its_sentence() -> None:
    assert "The index has no documents yet" in answered(ScriptedCorpus([]), "Anything?").turns[-1].reply


def test_an_index_error_is_shown_and_not_traced(caplog: pytest.LogCaptureFixture) -> None:
    progress = answered(BrokenCorpus(IndexDamaged("corpus.sqlite <is> damaged.")), "Anything?")
    assert progress.turns[-1].reply == render.problem("corpus.sqlite <is> damaged.")
    assert progress.announcement == escaping.escape("corpus.sqlite <is> damaged.")
    assert not [record for record in caplog.records if record.exc_info]


def test_an_unexpected_error_is_one_sentence_with_its_traceback_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        progress = answered(BrokenCorpus(RuntimeError("internal detail")), "My secret question")
    assert "Something went wrong" in progress.turns[-1].reply
    assert "internal detail" not in progress.turns[-1].reply
    assert "internal detail" in caplog.text
    assert "Traceback" in caplog.text
    assert "secret" not in caplog.text


def test_questions_are_not_logged(corpus: ScriptedCorpus, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answered(corpus, "My secret question")
        answered(corpus, " ")
    assert "secret" not in caplog.text


# --- what can be done with an answer --------------------------------------------------------------------------------


def test_a_follow_up_is_searched_in_full_says_so_and_can_be_asked_as_typed(corpus: ScriptedCorpus) -> None:
    first = answered(corpus, "Who rules Idlib on the ground?")
    second = answered(corpus, "When did they come?", first.turns)
    assert "When did Hayat Tahrir al Sham come" in render_plain(second.turns[-1].reply)
    assert "from your last question" in second.turns[-1].reply
    (*_, third) = handlers.ask_as_typed(corpus, WORKERS, 1, second.turns)
    assert len(third.turns) == 2
    assert third.turns[-1].answer.question == "When did they come?"
    assert "from your last question" not in third.turns[-1].reply
    (same,) = handlers.ask_as_typed(corpus, WORKERS, 0, third.turns)  # only the last question can be asked again
    assert same.turns == third.turns


def render_plain(reply: str) -> str:
    return html.unescape(reply)


def test_an_answer_is_taken_away_in_four_forms(corpus: ScriptedCorpus) -> None:
    turns = answered(corpus, DEATHS).turns
    told = corpus.answers[DEATHS]
    markdown = handlers.export(turns, 0, "markdown").text
    for number, quote in enumerate(told.quotes, 1):
        assert f"> {quote.text}" in markdown.replace("**", "")
        assert f"[{number}]" in markdown
        assert quote.citation.id in markdown
    assert json.loads(handlers.export(turns, 0, "save-json").text) == told.to_dict()
    program = handlers.export(turns, 0, "python").text
    compile(program, "answer.py", "exec")
    assert repr(DEATHS) in program
    assert [handlers.export(turns, number, "markdown") for number in (1, -1, None, "0")] == [None] * 4


def test_a_hostile_question_stays_a_string_in_the_python_that_is_copied() -> None:
    question = 'x\'); import os #\n"""'
    program = as_python(answer(question), Filters(sources=("a'b",)))
    literals = [node.value for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Constant)]
    assert question in literals
    assert "a'b" in literals
    assert not [node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Import)]


def test_a_judgement_of_a_quote_is_kept_and_the_last_one_counts(corpus: ScriptedCorpus, tmp_path: Path) -> None:
    corpus.index_dir = tmp_path
    turns = answered(corpus, DEATHS).turns
    citation = corpus.answers[DEATHS].quotes[0].citation
    assert handlers.judge(corpus, turns, 0, citation.id, "answers") == "Noted: answers."
    assert handlers.judge(corpus, turns, 0, citation.id, "wrong speaker") == "Noted: wrong speaker."
    assert "no judgement" in handlers.judge(corpus, turns, 0, citation.id, "<script>")
    assert "no longer in the chat" in handlers.judge(corpus, turns, 5, citation.id, "answers")
    (row,) = read_feedback(tmp_path / FILE_NAME)
    assert (row["question"], row["citation"], row["judgement"]) == (DEATHS, citation.id, "wrong speaker")
    assert row["answer"] == "nearly 370"
    (tmp_path / FILE_NAME).write_text("{}\n")
    with pytest.raises(FeedbackRefused, match="line 1"):
        read_feedback(tmp_path / FILE_NAME)


def test_filters_come_one_by_one_and_go_one_by_one(corpus: ScriptedCorpus) -> None:
    doc_id = corpus.documents_held[1].doc_id
    filters = Filters()
    for kind, value in (("document", doc_id), ("source", "*WSJ*"), ("since", "2017-03-01"), ("until", "2017-04-01")):
        filters, bar = handlers.narrow(corpus, filters, {"add": kind, "value": value})
    assert filters == Filters((doc_id,), ("*WSJ*",), "2017-03-01", "2017-04-01")
    assert bar.count('class="drop"') == 4
    assert "Report of the committee" in bar
    assert list(handlers.ask(corpus, WORKERS, DEATHS, (), filters=filters))[-1].turns[-1].filters == filters
    for kind, value in (("document", doc_id), ("source", "*WSJ*"), ("since", "x"), ("until", "x")):
        filters, bar = handlers.narrow(corpus, filters, {"drop": kind, "value": value})
    assert filters == Filters()
    assert 'class="drop"' not in bar


@pytest.mark.parametrize(
    "change", [None, "x", {}, {"add": "source"}, {"add": [], "value": "x"}, {"add": "source", "value": 3}]
)
def test_a_filter_that_makes_no_sense_changes_nothing(corpus: ScriptedCorpus, change: object) -> None:
    assert handlers.narrow(corpus, Filters(), change)[0] == Filters()


def test_a_filter_that_cannot_be_is_explained_and_escaped(corpus: ScriptedCorpus) -> None:
    same, bar = handlers.narrow(corpus, Filters(), {"add": "since", "value": "<img src=x>"})
    assert same == Filters()
    assert "is not a date" in bar
    assert "<img" not in bar
    assert "<img" not in handlers.narrow(corpus, Filters(), {"add": "source", "value": "<img src=x>"})[1]
    assert "holds no document" in handlers.narrow(corpus, Filters(), {"add": "document", "value": "gone"})[1]


# --- opening a citation ---------------------------------------------------------------------------------------------


def test_a_citation_opens_at_its_words_among_its_neighbours(corpus: ScriptedCorpus) -> None:
    ids = [quote.citation.id for quote in corpus.answers["Who rules Idlib on the ground?"].quotes]
    shown = handlers.open_citation(corpus, ids[1], ids)
    assert "<mark" in shown
    assert "as well as terror group Hayat Tahrir al Sham</mark>" in shown
    assert '<span class="cited">the US designated' in shown
    assert "Citation 2 of 2" in shown


def test_a_link_opens_without_an_answer(corpus: ScriptedCorpus) -> None:
    citation_id = corpus.answers[DEATHS].quotes[0].citation.id
    assert "Citation 1 of 1" in handlers.open_citation(corpus, citation_id, [])


def test_a_citation_of_a_file_that_changed_opens_with_a_warning(corpus: ScriptedCorpus) -> None:
    citation = corpus.answers[DEATHS].quotes[0].citation
    corpus.source_states[citation.doc_id] = "changed"
    assert "changed on disk" in handlers.open_citation(corpus, citation.id, [])


@pytest.mark.parametrize("citation_id", [None, 7, {}, "", "<script>", "../../etc/passwd", "a" * 10_000, "\x00\n"])
def test_a_malformed_link_is_explained(corpus: ScriptedCorpus, citation_id: object) -> None:
    shown = handlers.open_citation(corpus, citation_id, [])
    assert "is not a citation id" in escaping.visible(shown)
    assert "<script" not in shown
    assert len(shown) < 2000


def test_a_link_to_a_removed_document_is_explained(corpus: ScriptedCorpus) -> None:
    shown = handlers.open_citation(corpus, "0123456789abcdef-0-5-89abcdef", [])
    assert "no longer in the index" in shown


def test_a_link_to_words_that_changed_is_explained(corpus: ScriptedCorpus) -> None:
    doc_id = corpus.documents_held[0].doc_id
    assert "has changed" in handlers.open_citation(corpus, f"{doc_id}-0-5-89abcdef", [])


def test_a_link_that_fits_no_text_says_what_the_corpus_says(corpus: ScriptedCorpus) -> None:
    def refuse(citation_id: str) -> None:
        raise ValueError("That was not made for this text.")

    corpus.cite = refuse  # type: ignore[method-assign, assignment]
    assert "not made for this text" in handlers.open_citation(corpus, "0123456789abcdef-0-5-89abcdef", [])


@pytest.mark.parametrize("walk", [None, "text", 3, [None, 7, "bad", {}], ["x"] * 100_000])
def test_a_walk_that_makes_no_sense_is_ignored(corpus: ScriptedCorpus, walk: object) -> None:
    citation_id = corpus.answers[DEATHS].quotes[0].citation.id
    assert "Citation 1 of 1" in handlers.open_citation(corpus, citation_id, walk)


def test_an_unexpected_error_in_the_reader_is_one_sentence() -> None:
    shown = handlers.open_citation(BrokenCorpus(RuntimeError("internal")), "0123456789abcdef-0-5-89abcdef", [])
    assert "Something went wrong" in shown
    assert "internal" not in shown


def test_a_hostile_document_opens_as_text() -> None:
    corpus = hostile_corpus()
    citation: Citation = next(iter(corpus.answers.values())).quotes[0].citation
    shown = handlers.open_citation(corpus, citation.id, [str(CitationKey.parse(citation.id))])
    assert not any(tag in shown for tag in ("<script", "<img", "<iframe", "<style", "<form", "<svg", "\u202e"))


# --- the first visit ------------------------------------------------------------------------------------------------


def test_a_first_visit_offers_questions_about_this_corpus(corpus: ScriptedCorpus) -> None:
    examples = Examples(corpus)
    assert "Every answer is a quote" in handlers.first_visit(corpus, examples).intro
    while examples.offered().is_looking:
        time.sleep(0.01)
    visit = handlers.first_visit(corpus, examples)
    assert DEATHS in visit.examples
    assert "Looking for questions" not in visit.intro


def test_a_first_visit_to_an_empty_index_names_the_command() -> None:
    empty = ScriptedCorpus([])
    visit = handlers.first_visit(empty, Examples(empty))
    assert "drop-zone" in visit.intro
    assert "pincite index FOLDER" in visit.intro
    assert visit.examples == ()
    assert "no documents yet" in handlers.status(ScriptedCorpus([]))


def test_a_damaged_index_says_so_everywhere() -> None:
    broken = BrokenCorpus(IndexDamaged("It is damaged."))
    assert "It is damaged" in handlers.first_visit(broken, Examples(broken)).intro
    assert "It is damaged" in handlers.status(broken)


@pytest.mark.parametrize(
    ("stage", "done", "total", "said"),
    [
        ("scanning", 0, 0, "scanning … · chat stays on the current index"),
        ("indexing, kB", 1, 1_100, "indexing 1/1,100 kB · chat stays on the current index"),
        ("indexing, kB", 275, 1_100, "indexing 275/1,100 kB · about 30 s · chat stays on the current index"),
        ("writing", 0, 0, "writing … · chat stays on the current index"),
    ],
)
def test_an_update_tells_how_far_it_is(stage: str, done: int, total: int, said: str) -> None:
    assert progress_sentence(stage, done, total, seconds=10.0) == said
