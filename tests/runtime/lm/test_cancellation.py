"""Cancelling a call closes the provider's connection, whatever the call is waiting for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import anyio
import pytest
from headrace.errors import LMStreamBrokenError, LMTimeoutError
from headrace.lm import LM, Delta
from headrace.lm.litellm import engine as litellm_engine
from headrace.lm.litellm import loading
from headrace.threads import portal
from headrace_mock import MockLM
from runtime.lm.ways import WAYS, way_to

BOUND = 10.0
PHASES = {
    "before headers": "fault-hang-before-headers",
    "before the first token": "fault-hang-after-headers",
    "among comments": "fault-trickle-comments",
    "mid-stream": "fault-hang-mid-stream",
    "while tokens flow": "fault-endless",
}
REPETITIONS = {"direct": 100, "litellm": 20, "proxied": 50}
ENGINES = ["direct", "litellm"]


@pytest.fixture(params=WAYS)
def way(request: Any, mock: MockLM, monkeypatch: pytest.MonkeyPatch) -> Way:
    return Way(request.param, way_to(mock.base_url, request.param, monkeypatch))


class Way(NamedTuple):
    """A way to the mock."""

    name: str
    arguments: dict[str, Any]

    def lm(self, model: str, **options: Any) -> LM:
        return LM(f"openai/{model}", **self.arguments, api_key="k", **options)


async def all_left(mock: MockLM, count: int) -> None:
    """Waits until every peer has left; fails if one stays."""
    requests = await asyncio.wait_for(mock.received(count), BOUND)

    for request in requests:
        await asyncio.wait_for(request.over.wait(), BOUND)

    assert [request for request in requests if request.left is None] == []


@pytest.mark.parametrize("cached", [False, True], ids=["own request", "shared request"])
@pytest.mark.parametrize("phase", PHASES)
async def test_a_cancelled_call_closes_its_connection(
    phase: str, way: Way, cached: bool, mock: MockLM
) -> None:
    count = REPETITIONS[way.name]
    lm = way.lm(PHASES[phase], cache=cached)
    calls = [asyncio.create_task(lm.acall(f"question {number}")) for number in range(count)]
    await asyncio.wait_for(mock.received(count), BOUND)

    for call in calls:
        call.cancel()

    done, pending = await asyncio.wait(calls, timeout=BOUND)

    assert (len(done), pending) == (count, set())
    assert all(call.cancelled() for call in done)
    await all_left(mock, count)


async def test_a_call_cancelled_at_any_moment_leaves_no_connection(way: Way, mock: MockLM) -> None:
    lm = way.lm("fault-endless", cache=False)

    for turns in range(40):
        call = asyncio.create_task(lm.acall("hi"))

        for _ in range(turns):
            await asyncio.sleep(0)

        call.cancel()
        await asyncio.wait({call}, timeout=BOUND)
        assert call.cancelled()

    await all_left(mock, len(mock.requests))
    await asyncio.wait_for(mock.quiet(), BOUND)


async def test_a_call_cancelled_between_retries_asks_no_more(way: Way, mock: MockLM) -> None:
    lm = way.lm("fault-status-503", retry_delay=20.0)
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


async def test_a_sync_call_cancelled_with_its_run_closes_its_connection(
    way: Way, mock: MockLM
) -> None:
    lm = way.lm("fault-hang-mid-stream")
    call = asyncio.create_task(portal.in_thread(lm, "hi"))
    await asyncio.wait_for(mock.received(1), BOUND)

    call.cancel()
    await asyncio.wait({call}, timeout=BOUND)

    assert call.cancelled()
    await all_left(mock, 1)


async def test_a_receiver_that_raises_stops_the_call_and_closes_its_connection(
    way: Way, mock: MockLM
) -> None:
    def receive(delta: Delta) -> None:
        raise RuntimeError("enough")

    lm = way.lm("fault-endless")

    with pytest.raises(RuntimeError, match="enough"):
        await lm.complete([{"role": "user", "content": "hi"}], receive)

    await all_left(mock, 1)


@pytest.mark.parametrize("way", ["direct", "proxied"], indirect=True)
async def test_a_finished_answers_connection_is_used_again(way: Way, mock: MockLM) -> None:
    lm = way.lm("any", cache=False)

    await lm.acall("one")
    before = set(mock.connections)
    await lm.acall("two")

    assert before == mock.connections
    assert len(before) == 1


async def test_a_deadline_ends_a_call_whose_cancellation_is_swallowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    swallowed = 0

    async def acompletion(**arguments: Any) -> Any:
        nonlocal swallowed

        while swallowed < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1

        await asyncio.Event().wait()

    monkeypatch.setattr(loading.litellm(), "acompletion", acompletion)
    lm = LM("openai/any", engine="litellm", api_key="k", first_token_timeout=0.1, cache=False)

    with pytest.raises(LMTimeoutError) as late:
        await asyncio.wait_for(lm.acall("hi"), BOUND)

    assert (late.value.phase, swallowed) == ("first_token", 3)


async def test_a_stream_that_does_not_close_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Endless:
        def __aiter__(self) -> Endless:
            return self

        async def __anext__(self) -> Any:
            raise LMStreamBrokenError("enough")

        async def aclose(self) -> None:
            with anyio.CancelScope(shield=True):
                await asyncio.Event().wait()

    async def acompletion(**arguments: Any) -> Any:
        return Endless()

    monkeypatch.setattr(loading.litellm(), "acompletion", acompletion)
    monkeypatch.setattr(litellm_engine, "CLOSING", 0.05)
    lm = LM("openai/any", engine="litellm", api_key="k", cache=False)

    with pytest.raises(LMStreamBrokenError, match="enough"):
        await asyncio.wait_for(lm.acall("hi"), BOUND)


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
