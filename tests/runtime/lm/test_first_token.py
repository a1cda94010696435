"""The time to the first token: told by the engine of each attempt whose answer began."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest
from headrace.calls import RunScope, enter_run
from headrace.events import Event, LmCall, Phase, Status
from headrace.lm import LM, Delta
from headrace.lm.base import Message
from headrace_mock import MockLM, Reply

ENGINES = ["direct", "litellm"]
QUESTION: list[Message] = [{"role": "user", "content": "hi"}]


def lm_for(mock: MockLM, engine: Any, **arguments: Any) -> LM:
    settings: Mapping[str, Any] = {"api_key": "k", "retry_delay": 0.01, "cache": False, **arguments}

    return LM("openai/any", engine=engine, api_base=mock.base_url, **settings)


async def told(mock: MockLM, engine: str, **arguments: Any) -> list[float | None]:
    """The times that the statuses of one call tell, whether it fails or not."""
    events: list[Event] = []

    with enter_run(RunScope(events.append)):
        await asyncio.gather(lm_for(mock, engine, **arguments).acall("hi"), return_exceptions=True)

    return [one.lm.time_to_first_token for one in events if isinstance(one, Status) and one.lm]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "first",
    [
        {"content": "Paris"},
        {"reasoning_content": "Let me see."},
        {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]},
    ],
    ids=["text", "reasoning", "tool call"],
)
async def test_it_ends_with_the_first_of_the_answer_and_not_with_the_answer(
    engine: str, first: Mapping[str, Any]
) -> None:
    moments: list[float] = []
    seen = asyncio.Event()

    def note(delta: Delta) -> None:
        seen.set()

    async def play(reply: Reply) -> None:
        moments.append(time.monotonic())
        await reply.open()
        await reply.event({"choices": [{"index": 0, "delta": {"role": "assistant"}}]})
        moments.append(time.monotonic())
        await reply.event({"choices": [{"index": 0, "delta": first}]})
        await reply.chunk("Paris")
        await seen.wait()
        moments.append(time.monotonic())
        await reply.finish()
        await reply.end()

    async with MockLM({"any": play}) as mock:
        began = time.monotonic()
        completion = await lm_for(mock, engine).complete(QUESTION, note)

    asked, sent, known = moments
    assert completion.lm is not None
    assert completion.lm.time_to_first_token is not None
    assert sent - asked <= completion.lm.time_to_first_token <= known - began


@pytest.mark.parametrize("engine", ENGINES)
async def test_it_stands_on_the_end_of_a_call(engine: str) -> None:
    async with MockLM() as mock:
        begin, end = await told(mock, engine)

    assert begin is None
    assert end is not None


@pytest.mark.parametrize("engine", ENGINES)
async def test_it_is_that_of_the_attempt_that_answered(engine: str) -> None:
    async def play(reply: Reply) -> None:
        if len(mock.requests) == 1:
            await reply.error(503, "later")
        else:
            asked.append(time.monotonic())
            await reply.answer(["Paris"])

    asked: list[float] = []

    async with MockLM({"any": play}) as mock:
        begin, failed, end = await told(mock, engine)

    assert (begin, failed) == (None, None)
    assert end is not None
    assert end <= time.monotonic() - asked[0] + 1.0


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_call_that_broke_off_tells_it_where_its_answer_had_begun(engine: str) -> None:
    async def break_off(reply: Reply) -> None:
        await reply.open()
        await reply.chunks(["once "])
        await reply.event({"error": {"message": "overloaded", "code": 503}})
        await reply.close_body()

    async def say_nothing(reply: Reply) -> None:
        await reply.open()
        await reply.finish("content_filter")
        await reply.end()

    async with MockLM({"any": break_off}) as mock:
        broken = await told(mock, engine, num_retries=0)

    async with MockLM({"any": say_nothing}) as mock:
        empty = await told(mock, engine, num_retries=0)

    assert [one is None for one in broken] == [True, False]
    assert empty == [None, None]


@pytest.mark.parametrize("engine", ENGINES)
async def test_an_answer_that_comes_whole_has_its_first_token_at_its_end(engine: str) -> None:
    async with MockLM() as mock:
        _, end = await told(mock, engine, stream=False)

    assert end is not None


async def test_an_answer_that_was_not_asked_for_has_none() -> None:
    gate = asyncio.Event()

    async def play(reply: Reply) -> None:
        await gate.wait()
        await reply.answer(["Paris"])

    async with MockLM({"any": play}) as mock:
        lm = lm_for(mock, "direct", cache=True)
        asking = [asyncio.create_task(lm.complete(QUESTION)) for _ in range(2)]
        await mock.received(1)
        gate.set()
        shared = [(await one).lm for one in asking]
        cached = (await lm.complete(QUESTION)).lm

    known: list[LmCall] = [one for one in (*shared, cached) if one is not None]
    assert [one.time_to_first_token is None for one in known] == [False, True, True]


async def test_a_call_that_is_stopped_tells_it_where_its_answer_had_begun() -> None:
    seen = asyncio.Event()
    events: list[Event] = []

    async def play(reply: Reply) -> None:
        await reply.open()
        await reply.chunks(["once "])
        await reply.hang()

    def note(delta: Delta) -> None:
        seen.set()

    async with MockLM({"any": play}) as mock:
        with enter_run(RunScope(events.append)):
            asking = asyncio.create_task(lm_for(mock, "direct").complete(QUESTION, note))

        await seen.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    (end,) = [one for one in events if isinstance(one, Status) and one.phase is Phase.END]
    assert end.lm is not None
    assert end.lm.time_to_first_token is not None
