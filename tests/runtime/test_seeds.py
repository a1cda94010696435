"""Every code block of the documents headrace was conceived from runs as printed, against a mock LM.

headrace stands in `sys.modules` as `dspy`. Supplied are the names the pages leave undefined, a web
framework's test client, and an answer for the one outgoing HTTP request.
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import headrace
import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from headrace_mock import MockLM
from headrace_mock.canned import answer_to
from headrace_mock.reply import cut
from pydantic import BaseModel
from seed_blocks import Block, Reader, blocks

SEEDS = Path(os.environ.get("HEADRACE_SEEDS", Path(__file__).parents[2] / "../shared/seeds"))

pytestmark = pytest.mark.skipif(not SEEDS.is_dir(), reason=f"no seed documents in {SEEDS}")


def model(body: Mapping[str, Any]) -> list[str]:
    """Canned prose for every field asked for; an agent calls its first tool once, then finishes."""
    answer = answer_to(body)
    prompt = body["messages"][-1]["content"]

    if "next_tool_name" in answer and "observation_0" not in prompt:
        system = body["messages"][0]["content"]
        tool, argument = _first_tool(system)
        answer = _section(answer, "next_tool_name", tool)
        answer = _section(answer, "next_tool_args", json.dumps({argument: "2 + 2"}))

    return cut(answer)


def _first_tool(system: str) -> tuple[str, str]:
    listed = re.search(r"\(1\) (\w+)", system)
    argument = re.search(r"\(1\) .*?\{['\"](\w+)['\"]", system)
    assert listed is not None
    assert argument is not None

    return listed[1], argument[1]


def _section(answer: str, field: str, text: str) -> str:
    return re.sub(
        rf"(\[\[ ## {field} ## \]\]\n).*?(?=\n\n\[\[)", rf"\g<1>{text}", answer, flags=re.DOTALL
    )


@pytest.fixture(scope="module")
def provider() -> Iterator[MockLM]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    mock = MockLM({"gpt-4o-mini": model}, pace=0.001)
    asyncio.run_coroutine_threadsafe(mock.__aenter__(), loop).result(10)

    yield mock

    asyncio.run_coroutine_threadsafe(mock.__aexit__(None, None, None), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture(autouse=True)
def as_dspy(provider: MockLM, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "dspy", headrace)
    monkeypatch.setitem(sys.modules, "dspy.streaming", headrace.streaming)
    monkeypatch.setitem(sys.modules, "dspy.utils.streaming", headrace.streaming)
    monkeypatch.setenv("OPENAI_BASE_URL", provider.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", weather)
    configured = {name: getattr(headrace.settings, name) for name in ("lm", "async_max_workers")}

    headrace.configure(lm=headrace.LM("openai/gpt-4o-mini"))

    yield

    headrace.configure(**configured)


async def weather(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text="Paris: sunny")


class Query(BaseModel):
    question: str


def reader(number: int, anew: dict[str, dict[str, Any]] | None = None, **supplied: Any) -> Reader:
    (document,) = SEEDS.glob(f"{number:03}_*.txt")
    listing = "def streamify("  # the peer's own source, which is no block

    return Reader(
        [one for one in blocks(document) if not one.code.startswith(listing)],
        {"dspy": headrace, "asyncio": asyncio, "json": json, **supplied},
        anew or {},
    )


def chunks_of(printed: str, predictor: str, field: str) -> str:
    """The joined text of one field, read off printed StreamResponses."""
    pattern = (
        rf"StreamResponse\(predict_name='{re.escape(predictor)}', "
        rf"signature_field_name='{field}', chunk=('.*?'|\".*?\")\)"
    )

    return "".join(str(ast.literal_eval(chunk)) for chunk in re.findall(pattern, printed))


def test_the_page_on_streaming_prints_field_text_and_predictions() -> None:
    story = reader(0)
    _, plain, told_apart, two_fields, same_name, _, statuses, sync = story.run_all()

    answer = chunks_of(plain, "self", "answer")
    assert "canned prose" in answer
    assert f"Prediction(\n    answer={answer!r}\n)" in plain

    # The same question again comes from the cache, and as printed the block forgets to return.
    assert told_apart == "Final output:  None\n"

    simplified = chunks_of(two_fields, "predict2", "simplified_answer")
    assert "canned prose" in chunks_of(two_fields, "predict1", "answer")
    assert f"Final output:  Prediction(\n    simplified_answer={simplified!r}\n)" in two_fields

    final = chunks_of(same_name, "predict2", "answer")
    assert "canned prose" in chunks_of(same_name, "predict1", "answer")
    assert f"answer={final!r},\n    score=" in same_name

    # As printed, the block makes a provider and does not pass it on.
    assert statuses.startswith(
        "StatusMessage(message='Calling tool double_the_number...')\n"
        "StatusMessage(message='Tool calling finished! Querying the LLM with tool calling results...')"
    )
    assert "canned prose" in chunks_of(statuses, "predict.predict", "reasoning")

    assert "canned prose" in chunks_of(sync, "self", "answer")
    assert "Program output: Prediction(" in sync


def test_the_page_on_streamify_prints_statuses_and_predictions() -> None:
    plain, with_status = reader(
        1, StatusMessageProvider=headrace.streaming.StatusMessageProvider
    ).run_all()

    assert "Prediction(\n    a=" in plain
    assert "StatusMessage(message='Predicting...')" in with_status
    assert "Prediction(\n    a=" in with_status


def events(body: str) -> list[dict[str, Any]]:
    """The JSON payloads of a server-sent event stream, which must end with [DONE]."""
    lines = [line.removeprefix("data: ") for line in body.split("\n\n") if line]
    assert lines[-1] == "[DONE]"

    return [json.loads(line) for line in lines[:-1]]


def post(app: FastAPI, path: str, **payload: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)

        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.post(path, json=payload)

    response = asyncio.run(ask())
    assert response.status_code == 200

    return response


def text_of(stream: list[dict[str, Any]], predictor: str, field: str) -> str:
    return "".join(
        event["chunk"]
        for event in stream
        if event.get("predictor") == predictor and event["field"] == field
    )


def test_the_page_on_parallel_chunks_streams_both_branches_and_the_answer() -> None:
    app = FastAPI()
    story = reader(
        2,
        app=app,
        Query=Query,
        StreamingResponse=StreamingResponse,
        StatusMessageProvider=headrace.streaming.StatusMessageProvider,
        StatusMessage=headrace.streaming.StatusMessage,
        StreamResponse=headrace.streaming.StreamResponse,
    )
    story.run_all()

    stream = events(post(app, "/v1/stream", question="why?").text)

    messages = {event["message"] for event in stream if event["type"] == "status"}
    assert messages == {
        "Spinning ideas...",
        "Pulling evidence...",
        "Ideas ready.",
        "Evidence ready.",
    }

    order = [event["predictor"] for event in stream if event["type"] == "token"]
    assert order.index("evidence.probe") < last(order, "ideas.brainstorm")
    assert order.index("ideas.brainstorm") < last(order, "evidence.probe")
    assert order[-1] == "compose"

    assert stream[-1]["type"] == "prediction"
    assert stream[-1]["data"]["answer"] == text_of(stream, "compose", "answer")
    assert sum(event.get("is_last", False) for event in stream) == 3


def last(values: list[str], value: str) -> int:
    return len(values) - 1 - values[::-1].index(value)


def test_the_page_on_fastapi_answers_and_streams() -> None:
    story = reader(3, program=headrace.Predict("question -> answer"))
    apps: list[FastAPI] = []

    for block in story.blocks:
        story.run(block)

        if isinstance(app := story.names.get("app"), FastAPI) and app not in apps:
            apps.append(app)

    first, _ = apps
    answered = post(first, "/predict", text="why?").json()
    assert answered["status"] == "success"
    assert set(answered["data"]) == {"reasoning", "answer"}

    plain = events(post(first, "/predict/stream", text="why?").text)
    assert plain[-1]["type"] == "prediction"
    assert "canned prose" in plain[-1]["data"]["answer"]


def test_the_pages_agent_streams_its_thoughts_and_tool_calls() -> None:
    story = reader(3, program=headrace.Predict("question -> answer"))
    story.run_all()

    stream = events(post(story.names["app"], "/chat/stream", question="what is headrace?").text)

    messages = [event["message"] for event in stream if event["type"] == "status"]
    assert "Using tool: search" in messages
    assert "Tool complete" in messages
    assert "Generating response..." in messages
    thoughts = [event["chunk"] for event in stream if event["type"] == "token"]
    assert "".join(thoughts).count("canned prose") == 2
    assert "canned prose" in stream[-1]["answer"]


def test_the_page_on_async_programs_prints_what_it_promises() -> None:
    def search_tool(query: str) -> str:
        """Search."""
        return query

    gravity = {
        "program": headrace.ChainOfThought("question -> answer"),
        "listener": headrace.streaming.StreamListener("answer"),
    }
    story = reader(4, {"Explain gravity": gravity}, search_tool=search_tool)
    printed = story.run_all()
    by_name = {named(block): text for block, text in zip(story.blocks, printed, strict=True)}

    assert all("canned prose" in printed[at] for at in (0, 1, 2, 4))
    assert printed[1].count("Q: ") == 3
    assert printed[3] == "Paris: sunny\n"
    assert "--- Final answer ---" in by_name["black holes"]
    assert printed[7].count("[title]") > 1
    assert printed[7].count("[keywords]") > 1
    assert "canned prose" in printed[8]
    assert "canned prose" in printed[10]
    assert "[STATUS] Starting ChainOfThought..." in by_name["tides"]
    assert "[STATUS] Got response" in by_name["tides"]
    assert "[Starting ResearchPipeline...]" in by_name["quantum computing?"]
    assert "Done!" in by_name["quantum computing?"]


def named(block: Block) -> str:
    for topic in ("black holes", "tides", "quantum computing?"):
        if topic in block.code:
            return topic

    return str(block.line)
