"""Connection options, each proven by what it does: gRPC ignores a misspelt one without a word."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from grpc import StatusCode
from headrace.server.app import Server
from headrace_proto.v1 import headrace_pb2_grpc as rpc
from server.scripted import soon

from conformance.hosting import asking, hosted
from conformance.proxy import proxied
from conformance.raw import GOAWAY, GREETING, PING, Frame, frame, peer
from conformance.reader import connected

pytestmark = pytest.mark.usefixtures("each_store")

QUICK = {"ping_interval": 0.3, "ping_timeout": 0.3}


async def begin(channel: grpc.aio.Channel, **inputs: Any) -> Any:
    """A run without linger whose reader reads nothing more than its headers."""
    request = asking("r1", **inputs)
    request.ClearField("linger")
    call = rpc.HeadraceServiceStub(channel).Run(request)
    await soon(call.initial_metadata())

    return call


async def ended(server: Server) -> str:
    """Waits for the end of the run; gives by what it ended."""
    run = await server.registry.find("", "r1")
    await soon(run.ended())
    assert run.failure is not None

    return run.failure.metadata.get("by", "")


async def test_a_request_beyond_the_limit_is_not_taken() -> None:
    async with hosted() as server, connected(server.address) as channel:
        call = rpc.HeadraceServiceStub(channel).Run(asking(text="x" * 1_100_000))

        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await soon(call.read())

    assert refused.value.code() is StatusCode.RESOURCE_EXHAUSTED


async def test_a_peer_that_answers_no_ping_is_given_up() -> None:
    """keepalive_time, keepalive_timeout and ping_timeout: the stream is idle, and nothing arrives."""
    async with (
        hosted(connections=QUICK) as server,
        proxied(server.address) as proxy,
        connected(proxy.address) as channel,
    ):
        await begin(channel, ending="never")
        proxy.stall()

        assert await ended(server) == "linger"


async def test_a_peer_that_answers_pings_is_kept() -> None:
    async with hosted(connections=QUICK) as server, connected(server.address) as channel:
        await begin(channel, ending="never")
        await asyncio.sleep(2)

        assert not (await server.registry.find("", "r1")).over


async def test_a_silent_peer_without_calls_is_given_up_too() -> None:
    """keepalive_permit_without_calls: the connection serves no call, and goes all the same."""
    async with hosted(connections=QUICK) as server, peer(server.address) as silent:
        await silent.send(GREETING)

        assert PING in [one.kind for one in await soon(silent.frames())]


@pytest.mark.parametrize(("interval", "kept"), [(0.05, True), (60.0, False)])
async def test_a_peer_that_pings_too_often_is_refused(interval: float, kept: bool) -> None:
    """min_ping_interval_without_data, whose tempting other spelling does nothing."""
    async with (
        hosted(connections={"min_ping_interval": interval}) as server,
        peer(server.address) as pinging,
    ):
        await pinging.send(GREETING)
        found: list[Frame] = []

        for number in range(10):
            payload = number.to_bytes(8, "big")
            await pinging.send(frame(PING, payload))
            found += await soon(pinging.frames(Frame(PING, payload)))  # its answer, so none gather
            await asyncio.sleep(0.1)

    farewells = [one.payload for one in found if one.kind == GOAWAY]
    assert farewells == [] if kept else b"too_many_pings" in farewells[0]


async def test_a_peer_that_does_not_shake_hands_is_closed() -> None:
    """server_handshake_timeout: slow peers cannot hold sockets for two minutes."""
    async with (
        hosted(connections={"handshake_timeout": 0.3}) as server,
        peer(server.address) as slow,
    ):
        await soon(slow.frames())


async def test_a_reader_that_stalls_is_ended_with_its_old_connection() -> None:
    """max_connection_age and its grace: nothing else can end a stream that takes no data."""
    ages = {"max_age": 0.3, "max_age_grace": 0.3, "ping_interval": 60}

    async with hosted(connections=ages) as server:
        small = [("grpc.http2.bdp_probe", 0), ("grpc.use_local_subchannel_pool", 1)]

        async with grpc.aio.insecure_channel(server.address, options=small) as channel:
            await begin(channel, branches=0, whole=500_000)
            run = await server.registry.find("", "r1")

            while run.reader_count:  # noqa: ASYNC110 - nobody tells; bounded by the test's timeout
                await asyncio.sleep(0.05)
