"""The documents as a model: asked by the protocol's own client over a socket, streamed and not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
import uvicorn
from conftest import StubEncoder, StubReader
from pages import hostile_corpus
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from test_export import RENDERERS, tokens

from index.build import BuildConfig, build_index
from index.store import FILE_NAME, Store
from qa.corpus import Corpus
from ui import completions, server
from ui.workers import Workers

VIENNA = "What flows through Vienna?"


@contextmanager
def served(corpus: Any, workers: Workers | None = None) -> Iterator[openai.OpenAI]:
    """Serve behind the page's door, on a socket, and yield the client."""
    mounted = Mount(completions.PREFIX, completions.build_completions(corpus, workers or Workers()))
    app = Starlette(routes=[mounted], middleware=[Middleware(server.Gate, host="127.0.0.1")])
    running = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    port = running.servers[0].sockets[0].getsockname()[1]
    try:
        yield client_of(f"http://127.0.0.1:{port}")
    finally:
        running.should_exit = True
        thread.join()


def client_of(address: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0)


@pytest.fixture(scope="module")
def rivers(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("docs")
    (folder / "rivers.txt").write_text("The Danube flows through Vienna. The Rhine flows through Cologne.\n")
    (folder / "map.txt").write_text("Mars has no *rivers* <today>.\n")
    encoder = StubEncoder()
    build_index(folder / ".index", [folder], encoder=encoder, config=BuildConfig())
    return Corpus.open(folder / ".index", encoder=encoder, reader=StubReader())


@pytest.fixture(scope="module")
def client(rivers: Corpus) -> Iterator[openai.OpenAI]:
    with served(rivers) as client:
        yield client


def said(*questions: str) -> list[dict[str, Any]]:
    """A conversation in which each question but the last has been answered somehow."""
    talk = [{"role": "system", "content": "Be brief."}]
    for question in questions:
        talk += [{"role": "user", "content": question}, {"role": "assistant", "content": "Whatever was said."}]
    return talk[:-1]


def ask(client: openai.OpenAI, *questions: str, **more: Any) -> Any:
    return client.chat.completions.create(model="pincite", messages=said(*questions), **more)


# --- answers --------------------------------------------------------------------------------------------------------


def test_the_documents_are_the_one_model(client: openai.OpenAI, rivers: Corpus) -> None:
    (model,) = client.models.list().data
    assert model.id == client.models.retrieve("pincite").id == "pincite"
    assert time.gmtime(model.created)[:5] == time.strptime(rivers.status().built_at[:16], "%Y-%m-%dT%H:%M")[:5]


def test_an_answer_is_cited_markdown_and_the_answer_itself(client: openai.OpenAI, rivers: Corpus) -> None:
    given = ask(client, VIENNA)
    answer = rivers.ask(VIENNA)
    (choice,) = given.choices
    citation = answer.quotes[0].citation
    link = f"[\\[1\\]]({str(client.base_url).removesuffix('v1/')}?cite={citation.id})"
    assert choice.message.content.startswith("Answered.\n\n## The Danube flows through Vienna.\n\n> The Danube flows")
    assert f"{link} The Danube flows through Vienna. The Rhine flows" in choice.message.content
    assert (choice.finish_reason, given.system_fingerprint) == ("stop", answer.index_id)
    assert given.pincite == answer.to_dict()
    cited = choice.message.annotations[0].url_citation
    assert choice.message.content[cited.start_index : cited.end_index] == link
    assert (cited.url, cited.title) == (link[8:-1], citation.title)
    assert len(choice.message.annotations) == len(answer.quotes)


def test_a_streamed_answer_is_the_same_in_pieces(client: openai.OpenAI) -> None:
    whole = ask(client, VIENNA)
    chunks = list(ask(client, VIENNA, stream=True, stream_options={"include_usage": True}))
    *pieces, last, usage = chunks
    assert pieces[0].choices[0].delta.role == "assistant"
    assert len(pieces) > 3
    assert "".join(piece.choices[0].delta.content for piece in pieces) == whole.choices[0].message.content
    assert last.choices[0].finish_reason == "stop"
    assert last.pincite == whole.pincite
    assert last.choices[0].delta.annotations == [each.model_dump() for each in whole.choices[0].message.annotations]
    assert (usage.choices, usage.usage) == ([], whole.usage)
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in ask(client, VIENNA, stream=True))


def test_tokens_are_counted(client: openai.OpenAI) -> None:
    usage = ask(client, VIENNA).usage
    assert usage.prompt_tokens == 5  # What flows through Vienna ?
    assert usage.completion_tokens > 20
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_what_the_documents_do_not_say_is_said(client: openai.OpenAI) -> None:
    given = ask(client, "Who won the World Cup in Brazil?")
    assert given.choices[0].message.content.startswith("Not in the documents. Found nowhere: won, World, Cup, Brazil.")
    assert given.choices[0].message.annotations == []
    assert given.pincite["verdict"] == "not_found"


def test_the_last_question_of_the_user_is_asked_also_in_parts(client: openai.OpenAI) -> None:
    parts = [{"type": "text", "text": "What flows"}, {"type": "text", "text": "through Vienna?"}]
    given = client.chat.completions.create(
        model="pincite",
        messages=[{"role": "user", "content": "Who?"}, {"role": "user", "content": parts}],
        temperature=0,
        max_tokens=5,
    )
    assert given.pincite["question"] == VIENNA


def test_a_follow_up_is_completed_from_the_questions_before_it(client: openai.OpenAI) -> None:
    given = ask(client, VIENNA, "What about Cologne?")
    assert given.pincite["question"] == "What flows through Cologne?"
    assert given.choices[0].message.content.startswith(
        "Searched for: What flows through Cologne? (from the question before)\n\nAnswered."
    )
    third = ask(client, VIENNA, "What about Cologne?", "And Vienna?")  # leans on the completion of the second
    assert third.pincite["question"] == VIENNA
    alone = ask(client, VIENNA, "Which planet has no rivers today?")
    assert alone.pincite["question"] == "Which planet has no rivers today?"
    assert "Searched for" not in alone.choices[0].message.content


def test_a_long_conversation_asks_only_the_questions_that_are_leant_on(rivers: Corpus) -> None:
    asked: list[str] = []

    class Counting:
        encoder = rivers.encoder

        def ask(self, question: str) -> Any:
            asked.append(question)
            return rivers.ask(question)

    with served(Counting()) as client:
        old = "Which great river flows through the old city of Cologne?"
        ask(client, *[old] * 50, "Which great river flows through the old city of Vienna?")
        assert len(asked) == 1
        asked.clear()
        ask(client, *["And then?"] * 50)
        assert len(asked) <= completions.LEANING


def test_hostile_documents_do_nothing_in_the_message() -> None:
    corpus = hostile_corpus()
    corpus.encoder = StubEncoder()  # type: ignore[attr-defined]
    with served(corpus) as client:
        content = ask(client, next(iter(corpus.answers))).choices[0].message.content
    for renderer in RENDERERS:
        kinds = [token.type for token in tokens(content, renderer)]
        assert not {kind for kind in kinds if "html" in kind or "image" in kind or "code" in kind}
        assert kinds.count("link_open") == 1
    assert "\u202e" not in content


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "status", "param", "sentence"),
    [
        ({"messages": said(" ?! ")}, 400, "messages", "Please type a question."),
        ({"messages": said("x" * 4_001)}, 413, None, "at most 4,000 characters"),
        ({"messages": [{"role": "system", "content": "x"}]}, 400, None, "There is no message of the user"),
        ({"messages": []}, 400, "messages", "at least 1 item"),
        ({"messages": said("a"), "model": "gpt"}, 404, None, "There is no model 'gpt' here"),
        ({"messages": said("a"), "n": 2}, 400, "n", "Input should be 1"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://e.example"}}]}]},
            400,
            None,
            "Only text can be asked; the message has a part of type 'image_url'.",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_has_the_protocols_shape(
    client: openai.OpenAI, stream: bool, request_: dict[str, Any], status: int, param: str | None, sentence: str
) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(**{"model": "pincite", **request_}, stream=stream)
    assert (refused.value.status_code, refused.value.type) == (status, "invalid_request_error")
    assert sentence in refused.value.body["message"]
    assert refused.value.param == param


def test_an_unexpected_error_is_one_sentence(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def ask(self, question: str) -> Any:
            raise RuntimeError("internal detail")

    with served(Broken()) as client, pytest.raises(openai.InternalServerError) as failed:
        ask(client, "My secret question")
    assert failed.value.body == {
        "message": "Something went wrong; the server's log says what.",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    assert "internal detail" in caplog.text
    assert "secret" not in caplog.text


def test_an_index_without_documents_is_unavailable(tmp_path: Path) -> None:
    Store.create_or_open(tmp_path / FILE_NAME).close()
    with served(Corpus.open(tmp_path)) as client:
        for call in (client.models.list, lambda: ask(client, VIENNA)):
            with pytest.raises(openai.InternalServerError, match="The index has no documents yet") as refused:
                call()
            assert refused.value.status_code == 503


def test_beyond_the_queue_a_question_is_refused_at_once_and_those_before_it_are_answered(rivers: Corpus) -> None:
    go = threading.Event()

    class Waiting:
        encoder = rivers.encoder

        def ask(self, question: str) -> Any:
            go.wait(30)
            return rivers.ask(question)

    answers: list[Any] = []
    with served(Waiting(), Workers(at_once=1, waiting=1)) as client:
        asking = [threading.Thread(target=lambda: answers.append(ask(client, VIENNA))) for _ in range(2)]
        for thread in asking:
            thread.start()
        time.sleep(0.5)  # a third that got in would wait with them, and fail the test
        with pytest.raises(openai.InternalServerError) as refused:
            ask(client, VIENNA, timeout=10)
        go.set()
        for thread in asking:
            thread.join()
    assert (refused.value.status_code, refused.value.response.headers["retry-after"]) == (503, "3")
    assert "Try again in 3 seconds" in refused.value.body["message"]
    assert [answer.pincite["verdict"] for answer in answers] == ["answered"] * 2


def test_the_served_page_answers_as_a_model_too(rivers: Corpus) -> None:
    page = server.start(rivers)
    try:
        client = client_of(page.url.rstrip("/"))
        given = ask(client, VIENNA)
        earlier = [
            message for _ in range(40) for message in ({"role": "assistant", "content": "x" * 5_000}, *said(VIENNA))
        ]
        later = client.chat.completions.create(model="pincite", messages=[*earlier, *said(VIENNA)])
    finally:
        page.stop()
    assert given.pincite == rivers.ask(VIENNA).to_dict()
    assert later.pincite["verdict"] == "answered"  # a conversation of 200 kB is read
