"""A real server process, well-behaved or not: the answer beside the quotes, and what is said when there is none."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from llm import Server

from qa.corpus import Corpus
from qa.followups import Asked
from qa.llm.client import Endpoint
from qa.llm.composing import Composed, Composer, State
from qa.llm.settings import LanguageModelError, Settings

QUESTION = "Which river flows through Vienna?"


def composed(corpus: Corpus, settings: Settings, question: str = QUESTION) -> Composed:
    *_, last = Composer(corpus, Endpoint(settings)).compose(corpus.ask(question))
    assert all(
        corpus.document(span.citation.doc_id).text[span.citation.span.start : span.citation.span.end]
        == span.citation.quote
        for span in last.spans
    )
    return last


def test_sentences_are_checked_one_by_one_and_spans_are_quotes(corpus: Corpus, llm_server: Server) -> None:
    answer = composed(corpus, llm_server.settings("good"))
    assert answer.state is State.DONE
    assert [(s.text, s.numbers, s.problem) for s in answer.sentences] == [
        ("The Danube flows through Vienna.", (1,), ""),
        ("Zoltan Quiroga won 77 votes.", (1,), "has a number that is not there: 77"),
        ("It is raining.", (), "names no passage"),
    ]
    assert [span.citation.quote.strip() for span in answer.spans] == ["The Danube flows through Vienna."]
    assert answer.to_dict()["sentences"][1]["state"] == "unsupported"
    assert answer.receiver == f"good at {llm_server.url.removeprefix('http://')} (this machine)"


def test_sentences_come_as_they_are_finished(corpus: Corpus, llm_server: Server) -> None:
    steps = list(Composer(corpus, Endpoint(llm_server.settings("good"))).compose(corpus.ask(QUESTION)))
    assert [len(step.sentences) for step in steps] == [0, 1, 2, 3]
    assert [step.state for step in steps] == [State.WRITING] * 3 + [State.DONE]


def test_numbers_alone_pick_and_order_spans(corpus: Corpus, llm_server: Server) -> None:
    answer = composed(corpus, llm_server.settings("picker"))
    assert answer.sentences == ()
    assert [span.number for span in answer.spans] == [2, 1]


def test_unknown_numbers_are_dropped(corpus: Corpus, llm_server: Server) -> None:
    answer = composed(corpus, llm_server.settings("says The Danube flows through Vienna [1][99]. It is wide [98]."))
    assert [(s.numbers, s.problem) for s in answer.sentences] == [((1,), ""), ((), "names no passage")]


def test_a_model_that_finds_nothing_shows_nothing(corpus: Corpus, llm_server: Server) -> None:
    answer = composed(corpus, llm_server.settings("none"))
    assert (answer.state, answer.sentences, answer.spans) == (State.DONE, (), ())


def test_what_a_model_thinks_aloud_is_not_its_answer(corpus: Corpus, llm_server: Server) -> None:
    answer = composed(corpus, llm_server.settings("thinking"))
    assert (answer.sentences, [span.number for span in answer.spans]) == ((), [1])


def test_a_server_that_knows_only_the_newer_bound_is_asked_with_it(corpus: Corpus, llm_server: Server) -> None:
    assert composed(corpus, llm_server.settings("newer")).supported
    assert llm_server.received()[-1]["body"]["max_completion_tokens"] == 500


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("401", "refuses the key (401)"),
        ("404", "knows no model 404"),
        ("429", "an error (429)"),
        ("500", "an error (500)"),
        ("moved", "points to another address (307)"),
        ("silent", "did not answer in time"),
        ("comments", "took more than 1 seconds"),
        ("one-line", "sent more than 300,000 bytes"),
        ("compressed", "compressed"),
        ("page", "broke off"),
        ("garbage", "not what a language model sends"),
        ("other-json", "not what a language model sends"),
        ("wrong-types", "not what a language model sends"),
        ("cut", "broke off"),
    ],
)
def test_each_fault_is_one_sentence_within_bounds(corpus: Corpus, llm_server: Server, fault: str, said: str) -> None:
    started = time.monotonic()
    seconds = 1.0 if fault in ("silent", "comments") else 20.0
    answer = composed(corpus, llm_server.settings(fault, seconds=seconds, answer_bytes=300_000))
    assert answer.state is State.FAILED
    assert said in answer.problem
    assert not answer.unsupported or fault == "cut"
    assert time.monotonic() - started < 20  # without bounds it would be for ever, or half a minute


def test_what_came_before_a_cut_is_kept_and_checked(corpus: Corpus, llm_server: Server) -> None:
    answer = composed(corpus, llm_server.settings("cut"))
    assert [s.text for s in answer.supported] == ["The Danube flows through Vienna."]


def test_a_stream_without_end_is_cut_at_the_tokens_asked_for(corpus: Corpus, llm_server: Server) -> None:
    answer = composed(corpus, llm_server.settings("endless", answer_tokens=50))
    assert answer.state is State.DONE
    assert sum(len(s.text) for s in answer.sentences) < 1000
    assert not answer.supported


def test_nonsense_is_unsupported(corpus: Corpus, llm_server: Server) -> None:
    answer = composed(corpus, llm_server.settings("nonsense"))
    assert answer.unsupported
    assert not answer.supported


def test_nobody_there_is_said(corpus: Corpus) -> None:
    assert "cannot be reached" in composed(corpus, Settings("http://127.0.0.1:9/v1", "m", seconds=5)).problem


def test_nothing_of_the_environment_reaches_the_endpoint(
    corpus: Corpus, llm_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_KEY", "ORG_ID", "PROJECT_ID", "ADMIN_KEY", "WEBHOOK_SECRET"):
        monkeypatch.setenv(f"OPENAI_{name}", "sesame")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Secret: sesame\nAuthorization: Bearer sesame")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/sesame")
    assert composed(corpus, llm_server.settings("good")).supported
    request = llm_server.received()[-1]
    assert "sesame" not in str(request)
    assert set(request["headers"]) == {"host", "accept", "content-type", "content-length"}
    assert set(request["body"]) == {"model", "messages", "stream", "max_tokens", "temperature"}


def test_the_key_goes_in_its_header_and_in_no_message(corpus: Corpus, llm_server: Server) -> None:
    settings = Settings(f"{llm_server.url}/v1", "401", api_key="sesame", seconds=20)
    answer = composed(corpus, settings)
    assert llm_server.received()[-1]["headers"]["authorization"] == "Bearer sesame"
    assert "sesame" not in str(answer.to_dict())


def test_requests_beyond_the_bound_are_turned_away(
    corpus: Corpus, llm_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa.llm.composing.AT_ONCE", 1)
    composer = Composer(corpus, Endpoint(llm_server.settings("good")))
    answer = corpus.ask(QUESTION)
    first: Iterator[Composed] = composer.compose(answer)
    next(first)
    (second,) = composer.compose(answer)
    assert (second.state, second.problem) == (State.FAILED, "The language model is busy with other questions.")
    assert list(first)[-1].state is State.DONE
    assert list(composer.compose(answer))[-1].state is State.DONE


# --- follow-ups -------------------------------------------------------------------------------------------------------

BEFORE = Asked("Which river flows through Vienna?", ("The Danube",))


@pytest.mark.parametrize(
    ("says", "rewritten"),
    [
        ("Where does the Danube end?", "Where does the Danube end?"),
        ('"Where does the Danube end?"\nI hope this helps!', "Where does the Danube end?"),
        ("Where does the Volga end?", None),  # nobody named it
        ("Where did the Danube end in 1950?", None),
        ("where does it end?", None),
        ("The Danube ends in the Black Sea.", None),
        ("", None),
    ],
)
def test_a_rewrite_is_taken_when_it_names_only_what_was_named(
    corpus: Corpus, llm_server: Server, says: str, rewritten: str | None
) -> None:
    composer = Composer(corpus, Endpoint(llm_server.settings(f"says {says}")))
    assert composer.rewrite("where does it end?", BEFORE) == rewritten


@pytest.mark.parametrize("fault", ["500", "garbage", "endless", "cut"])
def test_a_rewrite_that_fails_is_none(corpus: Corpus, llm_server: Server, fault: str) -> None:
    assert Composer(corpus, Endpoint(llm_server.settings(fault))).rewrite("where does it end?", BEFORE) is None


def test_a_question_that_stands_by_itself_is_not_sent_to_be_rewritten(corpus: Corpus, llm_server: Server) -> None:
    before = len(llm_server.received())
    composer = Composer(corpus, Endpoint(llm_server.settings("says Where does the Danube end?")))
    assert composer.rewrite("Which cheese comes from France or Holland?", BEFORE) is None
    assert len(llm_server.received()) == before


def test_an_endpoint_raises_one_kind_of_error(llm_server: Server) -> None:
    endpoint = Endpoint(llm_server.settings("500"))
    with pytest.raises(LanguageModelError, match="500"):
        list(endpoint.stream([{"role": "user", "content": "x"}], most_tokens=5, seconds=5.0))
