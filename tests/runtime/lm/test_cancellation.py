"""Cancelling a call closes the provider's connection, whatever the call is waiting for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from headrace.lm import LM, Delta
from headrace.threads import portal
from headrace_mock import MockLM

BOUND = 10.0
PHASES = {
    "before headers": "fault-hang-before-headers",
    "before the first token": "fault-hang-after-headers",
    "among comments": "fault-trickle-comments",
    "mid-stream": "fault-hang-mid-stream",
    "while tokens flow": "fault-endless",
}
REPETITIONS = {"direct": 100, "litellm": 20}
ENGINES = list(REPETITIONS)


def lm_for(model: str, engine: Any, mock: MockLM, **arguments: Any) -> LM:
    return LM(f"openai/{model}", engine=engine, api_base=mock.base_url, api_key="k", **arguments)


async def all_left(mock: MockLM, count: int) -> None:
    """Waits until every peer has left; fails if one stays."""
    requests = await asyncio.wait_for(mock.received(count), BOUND)

    for request in requests:
        await asyncio.wait_for(request.over.wait(), BOUND)

    assert [request for request in requests if request.left is None] == []


@pytest.mark.parametrize("cached", [False, True], ids=["own request", "shared request"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("phase", PHASES)
async def test_a_cancelled_call_closes_its_connection(
    phase: str, engine: str, cached: bool, mock: MockLM
) -> None:
    count = REPETITIONS[engine]
    lm = lm_for(PHASES[phase], engine, mock, cache=cached)
    calls = [asyncio.create_task(lm.acall(f"question {number}")) for number in range(count)]
    await asyncio.wait_for(mock.received(count), BOUND)

    for call in calls:
        call.cancel()

    done, pending = await asyncio.wait(calls, timeout=BOUND)

    assert (len(done), pending) == (count, set())
    assert all(call.cancelled() for call in done)
    await all_left(mock, count)


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_call_cancelled_at_any_moment_leaves_no_connection(
    engine: str, mock: MockLM
) -> None:
    lm = lm_for("fault-endless", engine, mock, cache=False)

    for turns in range(40):
        call = asyncio.create_task(lm.acall("hi"))

        for _ in range(turns):
            await asyncio.sleep(0)

        call.cancel()
        await asyncio.wait({call}, timeout=BOUND)
        assert call.cancelled()

    await all_left(mock, len(mock.requests))
    await asyncio.wait_for(mock.quiet(), BOUND)


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_call_cancelled_between_retries_asks_no_more(engine: str, mock: MockLM) -> None:
    lm = lm_for("fault-status-503", engine, mock, retry_delay=20.0)
    call = asyncio.create_task(lm.acall("hi"))
    [request] = await asyncio.wait_for(mock.received(1), BOUND)
    await asyncio.wait_for(request.over.wait(), BOUND)

    call.cancel()
    await asyncio.wait({call}, timeout=BOUND)

    assert call.cancelled()
    assert len(mock.requests) == 1


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_call_cancelled_while_it_connects_ends_at_once(engine: Any) -> None:
    async with unconnectable() as base:
        lm = LM("openai/any", engine=engine, api_base=base, api_key="k", cache=False)
        call = asyncio.create_task(lm.acall("hi"))
        await asyncio.sleep(0.05)

        call.cancel()
        done, _ = await asyncio.wait({call}, timeout=BOUND)

    assert [one.cancelled() for one in done] == [True]


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_sync_call_cancelled_with_its_run_closes_its_connection(
    engine: str, mock: MockLM
) -> None:
    lm = lm_for("fault-hang-mid-stream", engine, mock)
    call = asyncio.create_task(portal.in_thread(lm, "hi"))
    await asyncio.wait_for(mock.received(1), BOUND)

    call.cancel()
    await asyncio.wait({call}, timeout=BOUND)

    assert call.cancelled()
    await all_left(mock, 1)


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_receiver_that_raises_stops_the_call_and_closes_its_connection(
    engine: str, mock: MockLM
) -> None:
    def receive(delta: Delta) -> None:
        raise RuntimeError("enough")

    lm = lm_for("fault-endless", engine, mock)

    with pytest.raises(RuntimeError, match="enough"):
        await lm.complete([{"role": "user", "content": "hi"}], receive)

    await all_left(mock, 1)


async def test_a_finished_answers_connection_is_used_again(mock: MockLM) -> None:
    lm = lm_for("any", "direct", mock, cache=False)

    await lm.acall("one")
    before = set(mock.connections)
    await lm.acall("two")

    assert before == mock.connections
    assert len(before) == 1


@asynccontextmanager
async def unconnectable() -> AsyncGenerator[str, None]:
    """A base URL whose host takes no further connection and refuses none."""
    with socket.socket() as listener, socket.socket() as filler:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", port))

        with socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(("127.0.0.1", port))

            yield f"http://127.0.0.1:{port}/v1"
