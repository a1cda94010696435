"""Hostile input: damaged requests of every kind, raw garbage, floods, peers that stay and say nothing."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest
from conformance.raw import GREETING, PREFACE, frame, peer
from grpc.aio import AbortError
from headrace.runs.limits import Limits
from headrace.runs.registry import Registry
from headrace.server.config import Principal
from headrace.server.core import Core
from headrace.server.v1.rpc import RpcBoundary
from headrace.server.v1.servicer import Servicer
from headrace_proto.v1 import headrace_pb2 as pb
from server.mutations import METHODS, Mutator
from server.scripted import soon
from server.serving import Served, program, served

EXPECTED = {
    "OK",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "FAILED_PRECONDITION",
    "OUT_OF_RANGE",
    "PERMISSION_DENIED",
    "DEADLINE_EXCEEDED",  # a run's timeout of a nanosecond
    "RESOURCE_EXHAUSTED",
    "CANCELLED",  # by a damaged CancelRun that hit
}
FORGETFUL = Limits(max_retained_bytes=1_000_000)


class FakeContext:
    """The part of a ServicerContext that methods use, without a network behind it."""

    def __init__(self) -> None:
        self.code = "OK"

    def peer(self) -> str:
        return "ipv6:%5B::1%5D:50051"

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return ()

    async def send_initial_metadata(self, metadata: object) -> None: ...

    async def write(self, message: bytes) -> None:
        pb.StreamEvent.FromString(message)

    def set_trailing_metadata(self, metadata: object) -> None: ...

    async def abort(self, code: grpc.StatusCode, details: str, trailers: object) -> None:
        details.encode()
        self.code = code.name
        raise AbortError


def methods_by_name() -> tuple[Registry, Mapping[str, Any]]:
    """The methods as a server has them, by name."""
    registry = Registry(FORGETFUL)
    registry.open()
    boundary = RpcBoundary(lambda context: Principal.model_construct(name=""))
    generic: Any = Servicer(Core([program()], registry)).methods(boundary)
    found: dict[str, Any] = {}

    for name in METHODS:
        details = SimpleNamespace(method=f"/headrace.v1.HeadraceService/{name}")
        handler = generic.service(details)
        found[name] = handler.unary_unary or handler.unary_stream

    return registry, found


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("cases", [5_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
async def test_damaged_requests_end_in_a_status_that_says_so(
    cases: int, caplog: pytest.LogCaptureFixture
) -> None:
    registry, methods = methods_by_name()
    mutator = Mutator(seed=cases)
    names = random.Random(0).choices(list(METHODS), [8, 3, 3, 1, 1, 1, 1, 1, 1], k=1000)
    codes: Counter[str] = Counter()

    with caplog.at_level(logging.ERROR, "headrace.server"):
        for case in range(cases):
            name, context = names[case % len(names)], FakeContext()

            with suppress(AbortError):
                await methods[name](mutator.request(METHODS[name]), context)

            codes[context.code] += 1

    await registry.close()
    assert set(codes) <= EXPECTED, codes
    assert codes["OK"] > cases / 20
    assert codes["INVALID_ARGUMENT"] > cases / 20
    assert not caplog.records


@pytest.mark.timeout(300)
@pytest.mark.parametrize("cases", [200, pytest.param(2_000, marks=pytest.mark.slow)])
async def test_damaged_requests_over_the_wire_leave_the_server_as_it_was(cases: int) -> None:
    mutator = Mutator(seed=1)
    names = random.Random(1).choices(list(METHODS), k=cases)

    async with served(limits=FORGETFUL) as service:
        await _ask(service, "GetServerInfo", b"")
        before = _held()

        for name in names:
            code = await soon(_ask(service, name, mutator.request(METHODS[name])))
            assert code in EXPECTED, name

        assert await _ask(service, "GetServerInfo", b"") == "OK"
        await _settled(before)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("peers", [200, pytest.param(5_000, marks=pytest.mark.slow)])
async def test_garbage_on_the_wire_leaves_the_server_as_it_was(peers: int) -> None:
    chance = random.Random(2)

    async with served() as service:
        before = _held()
        gate = asyncio.Semaphore(50)

        async def rude() -> None:
            async with gate, peer(service.address) as one:
                await one.send(_garbage(chance))

        await asyncio.gather(*(rude() for _ in range(peers)))

        assert await _ask(service, "GetServerInfo", b"") == "OK"
        await _settled(before)


async def test_peers_that_say_nothing_do_not_keep_others_out() -> None:
    async with served(connections={"handshake_timeout": 1.0}) as service:
        silent = [peer(service.address) for _ in range(300)]

        for one in silent:
            await one.__aenter__()

        assert await soon(_ask(service, "GetServerInfo", b"")) == "OK"

        for one in silent:
            await one.__aexit__(None, None, None)


async def test_streams_opened_and_dropped_at_once_leave_nothing_running() -> None:
    async with served() as service:
        before = _held()

        for _ in range(300):
            request = pb.RunRequest(program="scripted", inputs_json='{"question": "why?"}')
            call = service.stub.Run(request)
            await asyncio.sleep(0)
            call.cancel()

        assert await soon(_ask(service, "GetServerInfo", b"")) == "OK"
        await _settled(before)


def _garbage(chance: random.Random) -> bytes:
    """Random bytes, alone or where HTTP/2 would stand, and frames with a bit or two flipped."""
    noise = chance.randbytes(chance.randint(1, 300))
    frames = b"".join(
        frame(chance.randrange(12), chance.randbytes(chance.randint(0, 40)), chance.randrange(256))
        for _ in range(chance.randint(1, 10))
    )

    return chance.choice((noise, PREFACE + noise, GREETING + frames, GREETING + noise + frames))


async def _ask(service: Served, name: str, data: bytes) -> str:
    """Calls a method with raw bytes; gives the code."""
    method = f"/headrace.v1.HeadraceService/{name}"
    channel = cast("Any", service.channel)

    if name in ("Run", "Attach"):
        return (await heard_raw(channel.unary_stream(method)(data))).name

    try:
        await channel.unary_unary(method)(data)
    except grpc.aio.AioRpcError as error:
        return error.code().name

    return "OK"


async def heard_raw(call: Any) -> grpc.StatusCode:
    with suppress(grpc.aio.AioRpcError):
        async for _ in call:
            pass

    code: grpc.StatusCode = await call.code()

    return code


def _held() -> tuple[int, int]:
    """Tasks and file descriptors, and no thread that was not there."""
    return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))


async def _settled(before: tuple[int, int]) -> None:
    """Waits until no more is held than before, but for a little that pools keep."""
    for _ in range(100):
        gc.collect()
        tasks, files = _held()

        if tasks <= before[0] + 5 and files <= before[1] + 5:
            return

        await asyncio.sleep(0.1)

    raise AssertionError(
        f"held {before} before and {_held()} after; threads {threading.active_count()}"
    )
