"""`pincite mcp`, asked by the protocol's own client: structured answers, one sentence for what is wrong."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, SEEDS
from pages import hostile_corpus, news_corpus

from index.build import build_index
from index.embedding import BUNDLED_MODEL, load_encoder
from index.errors import IndexNotFound
from qa.corpus import Corpus
from ui.workers import Workers

pytest.importorskip("mcp", reason='the tools need the package mcp: pip install "pincite[mcp]"')

from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters

from ui.tool_server import INSTRUCTIONS, build_server

QUESTION = "What flows through Vienna?"
CLI = [sys.executable, "-c", "from ui.cli import main; main()", "mcp"]


def spoken(
    open_corpus: Callable[[], Any], talk: Callable[[Client], Awaitable[Any]], workers: Workers | None = None, **how: Any
) -> Any:
    """Return what a client makes of a conversation with the server."""

    async def conversation() -> Any:
        async with Client(build_server(open_corpus, workers or Workers()), **how) as client:
            return await talk(client)

    return asyncio.run(conversation())


def call(open_corpus: Callable[[], Any], tool: str, **arguments: Any) -> Any:
    return spoken(open_corpus, lambda client: client.call_tool(tool, arguments))


def problem(open_corpus: Callable[[], Any], tool: str, **arguments: Any) -> str:
    """Return the sentence a call is refused with."""
    refused = call(open_corpus, tool, **arguments)
    assert refused.is_error
    assert refused.structured_content is None
    (content,) = refused.content
    assert "\n" not in content.text
    return content.text


# --- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "legacy"])  # the protocol of 2026, and the one with a handshake before it
def test_each_tool_gives_the_json_of_the_command_line(corpus: Corpus, mode: str) -> None:
    async def talk(client: Client) -> None:
        assert client.instructions == INSTRUCTIONS
        assert client.server_info.version == version("pincite")
        answer = await client.call_tool("ask", {"question": QUESTION})
        assert answer.structured_content == corpus.ask(QUESTION).to_dict()
        citation_id = answer.structured_content["claims"][0]["quotes"][0]["citation"]["id"]
        assert citation_id in answer.content[0].text
        passages = await client.call_tool("retrieve", {"question": "cheese", "k": 2})
        assert passages.structured_content == {"passages": [each.to_dict() for each in corpus.retrieve("cheese", 2)]}
        check = await client.call_tool("cite", {"citation_id": citation_id})
        assert check.structured_content == corpus.cite(citation_id).to_dict()
        assert check.content[0].text.startswith("valid: The Danube flows through Vienna")
        status = await client.call_tool("status", {})
        pending = corpus.pending_changes().to_dict()
        assert status.structured_content == {**json.loads(json.dumps(corpus.status().to_dict())), "pending": pending}
        assert "3 documents, the newest of 2021-02-18" in status.content[0].text

    spoken(lambda: corpus, talk, mode=mode)


def test_every_tool_says_what_it_takes_and_gives_and_only_reads() -> None:
    tools = spoken(news_corpus, lambda client: client.list_tools()).tools
    assert [tool.name for tool in tools] == ["ask", "retrieve", "cite", "status"]
    for tool in tools:
        assert len(tool.description) > 100
        assert tool.annotations.read_only_hint is True
        assert tool.output_schema["type"] == "object"
        assert len(tool.output_schema["required"]) >= 1
    ask = tools[0].input_schema
    assert (ask["required"], ask["additionalProperties"]) == (["question"], False)
    assert set(ask["properties"]) == {"question", "documents", "sources", "date_from", "date_to"}


def test_filters_narrow_what_may_answer(corpus: Corpus) -> None:
    found = call(lambda: corpus, "retrieve", question="What landed on Mars?", sources=["*cheese*"])
    assert {passage["path"] for passage in found.structured_content["passages"]} == {"docs/cheese.txt"}
    none = call(lambda: corpus, "retrieve", question="Mars", date_from="2030-01-01")
    assert (none.content[0].text, none.structured_content) == ("No passage matches.", {"passages": []})


def test_what_the_documents_do_not_say_is_no_error(corpus: Corpus) -> None:
    answer = call(lambda: corpus, "ask", question="Who won the World Cup in Brazil?")
    assert not answer.is_error
    assert answer.structured_content["verdict"] == "not_found"
    assert answer.content[0].text.startswith("Not in the documents. Found nowhere: won, World, Cup, Brazil.")


def test_hidden_characters_of_a_document_are_spelled_out_for_the_model() -> None:
    corpus = hostile_corpus()
    answer = call(lambda: corpus, "ask", question=next(iter(corpus.answers)))
    assert "⟦U+202E⟧" in answer.content[0].text
    assert "\u202e" not in answer.content[0].text
    assert "\u202e" in answer.structured_content["claims"][0]["quotes"][0]["quote"]  # the data are exact


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("ask", {"question": " ?! "}, "Please type a question."),
        ("ask", {"question": "x" * 4_001}, "at most 4,000 characters."),
        ("ask", {}, "question: Field required."),
        ("ask", {"question": ["a"]}, "question: Input should be a valid string."),
        ("ask", {"question": "a", "more": 1}, "more: Extra inputs are not permitted."),
        ("ask", {"question": "a", "date_from": "May"}, "'May' is not a date; write it as 2017-03-03."),
        ("retrieve", {"question": "a", "k": "many"}, "k: Input should be a valid integer"),
        ("cite", {"citation_id": "nonsense"}, "'nonsense' is not a citation id"),
        ("cite", {"citation_id": "0" * 81}, "citation_id: String should have at most 80 characters."),
    ],
)
def test_what_is_wrong_is_one_sentence(tool: str, arguments: dict[str, Any], sentence: str) -> None:
    assert sentence in problem(news_corpus, tool, **arguments)


def test_a_tool_that_is_not_there_is_an_error_of_the_protocol() -> None:
    async def talk(client: Client) -> None:
        with pytest.raises(MCPError, match="There is no tool 'delete'"):
            await client.call_tool("delete", {})

    spoken(news_corpus, talk)


def test_an_unexpected_error_is_one_sentence_and_the_question_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Any:
        raise RuntimeError("internal detail")

    assert problem(broken, "ask", question="My secret question") == (
        "Something went wrong; the log of pincite mcp says what."
    )
    assert "internal detail" in caplog.text
    assert "secret" not in caplog.text


def test_an_index_that_is_not_there_yet_is_said_and_looked_for_again(corpus: Corpus) -> None:
    states: list[Any] = [IndexNotFound("There is no index in nowhere."), corpus]

    def opened() -> Any:
        state = states.pop(0)
        if isinstance(state, Exception):
            raise state
        return state

    async def talk(client: Client) -> Any:
        return [await client.call_tool("ask", {"question": QUESTION}) for _ in range(2)]

    refused, answered = spoken(opened, talk)
    assert (refused.is_error, refused.content[0].text) == (True, "There is no index in nowhere.")
    assert answered.structured_content["verdict"] == "answered"


def test_more_calls_than_the_queue_holds_are_refused_and_the_others_are_answered(corpus: Corpus) -> None:
    go = threading.Event()

    def waits() -> Corpus:
        go.wait(30)
        return corpus

    async def talk(client: Client) -> list[Any]:
        calls = [asyncio.create_task(client.call_tool("ask", {"question": QUESTION})) for _ in range(4)]
        while not any(call.done() for call in calls):
            await asyncio.sleep(0.01)
        go.set()
        return await asyncio.gather(*calls)

    told = spoken(waits, talk, Workers(at_once=1, waiting=2))
    assert [each.is_error for each in told] == [False, False, False, True]
    assert "Try again in 3 seconds" in told[3].content[0].text


# --- the process ----------------------------------------------------------------------------------------------------


@pytest.mark.model
def test_a_client_starts_the_command_asks_before_there_is_an_index_and_after(tmp_path: Path) -> None:
    index_dir = tmp_path / "index"
    command, *arguments = [*CLI, "--index", str(index_dir)]
    server = StdioServerParameters(command=command, args=arguments, cwd=PROJECT)

    async def conversation() -> tuple[Any, Any]:
        async with Client(server) as client:
            early = await client.call_tool("ask", {"question": "who controls Idlib?"})
            build_index(index_dir, [SEEDS], encoder=load_encoder(BUNDLED_MODEL))
            return early, await client.call_tool("ask", {"question": "who controls Idlib?"})

    early, answer = asyncio.run(conversation())
    assert early.is_error
    assert f"There is no index in {index_dir}" in early.content[0].text
    assert "Hayat Tahrir al Sham" in answer.structured_content["claims"][0]["text"]
    assert answer.structured_content == Corpus.open(index_dir).ask("who controls Idlib?").to_dict()


def test_without_the_package_the_command_says_what_to_install() -> None:
    program = "import sys; sys.modules['mcp'] = sys.modules['mcp_types'] = None; from ui.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "mcp"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == 'pincite mcp needs packages that are not installed: pip install "pincite[mcp]"\n'


def test_the_command_ends_when_its_client_is_gone_and_on_ctrl_c(tmp_path: Path) -> None:
    gone = (lambda process: process.stdin.close(), 0)
    ctrl_c = (lambda process: process.send_signal(signal.SIGINT), -signal.SIGINT)
    for end, code in (gone, ctrl_c):
        process = subprocess.Popen(CLI, cwd=PROJECT, **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE))
        assert process.stdin is not None
        process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode() + b"\n")
        process.stdin.flush()
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["id"] == 1
        end(process)
        assert process.wait(60) == code
        assert process.stderr is not None
        assert process.stderr.read() == b""
