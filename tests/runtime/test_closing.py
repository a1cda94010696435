"""Whoever stops reading stops the provider, over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from headrace import LM, Module, Predict, Prediction, context, streamify, streaming_response
from headrace_mock import MockLM, Reply

BOUND = 20.0
"""Seconds after which a test gives up waiting."""


async def endless(reply: Reply) -> None:
    """Answers until the peer leaves."""
    await reply.open()
    await reply.chunk("[[ ## answer ## ]]\n")

    while not reply.request.over.is_set():
        await reply.chunk("and ")
        await asyncio.sleep(0.001)


class Sync(Module):
    def __init__(self) -> None:
        self.ask = Predict("question -> answer")

    def forward(self, question: str) -> Prediction:
        return self.ask(question=question)


@pytest.fixture
async def mock() -> AsyncGenerator[MockLM, None]:
    async with MockLM({"endless": endless}) as mock:
        yield mock


@pytest.mark.parametrize("program", [Predict("question -> answer"), Sync()], ids=["async", "sync"])
async def test_leaving_a_stream_closes_the_providers_connection(
    mock: MockLM, program: Module
) -> None:
    lm = LM("openai/endless", api_base=mock.base_url, api_key="any", cache=False)

    with context(lm=lm):
        stream = streamify(program)(question="?")

    await anext(stream)
    await stream.aclose()
    (request,) = mock.requests
    await asyncio.wait_for(request.over.wait(), BOUND)

    assert request.left is not None


async def by_break(stream: AsyncGenerator[Any, None]) -> None:
    async for _ in stream:
        break


async def by_aclose(stream: AsyncGenerator[Any, None]) -> None:
    await anext(stream)
    await stream.aclose()


async def by_timeout(stream: AsyncGenerator[Any, None]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.02):
            async for _ in stream:
                pass


async def by_leaving_the_response(stream: AsyncGenerator[Any, None]) -> None:
    async for _ in streaming_response(stream):
        break


LEAVE = [by_break, by_aclose, by_timeout, by_leaving_the_response]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are counted in /proc")
async def test_hundreds_of_streams_that_were_left_leave_nothing(mock: MockLM) -> None:
    lm = LM("openai/endless", api_base=mock.base_url, api_key="any", cache=False)
    programs = [streamify(Predict("question -> answer")), streamify(Sync())]

    async def leave_some(count: int) -> None:
        with context(lm=lm):
            streams = [programs[number % 2](question=str(number)) for number in range(count)]

        await asyncio.gather(*(LEAVE[at // 2 % 4](stream) for at, stream in enumerate(streams)))

    await leave_some(24)
    before = await held(mock)

    for _ in range(4):
        await leave_some(48)

    assert await held(mock) == before


async def held(mock: MockLM) -> tuple[list[str], int]:
    """Threads and open files, once no task but the test's own is left.

    The pool in which this waits for threads does not count: it may grow by one at any wait.
    """
    gc.collect()
    await asyncio.wait_for(mock.quiet(), BOUND)

    for thread in filter(works, threading.enumerate()):
        await asyncio.to_thread(thread.join, BOUND)

    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        _, left = await asyncio.wait(others, timeout=BOUND)
        assert not left

    assert not any(map(works, threading.enumerate()))

    names = sorted(thread.name for thread in threading.enumerate())

    return [name for name in names if not name.startswith("asyncio_")], len(
        os.listdir("/proc/self/fd")
    )


def works(thread: threading.Thread) -> bool:
    """Whether a thread runs a program's sync code."""
    return thread.name.startswith("headrace-") and "portal" not in thread.name
