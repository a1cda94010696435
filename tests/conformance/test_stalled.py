"""Readers that stop reading cost the server next to nothing, and lose nothing."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc.aio import EOF
from headrace_proto.v1 import headrace_pb2 as pb
from headrace_proto.v1 import headrace_pb2_grpc as rpc
from server.process import serving

from conformance.hosting import asking
from conformance.invariants import final_texts
from conformance.journal import Journal, Stream, message_of
from conformance.reader import connected, read

SCRIPT = "conformance.programs:script"
NARROW = [
    ("grpc.http2.bdp_probe", 0),  # else the unread bytes pile up on this side
    ("grpc.use_local_subchannel_pool", 1),
]
PAGE = os.sysconf("SC_PAGE_SIZE")
RUNS = 5
EACH: dict[str, Any] = {"branches": 2, "tokens": 1000, "pace": 0.0, "whole": 200_000}
MAX_PER_READER = 160 * 1024
"""A token of 64 KiB as it is sent, gRPC's copy of it, and what a connection costs."""


def memory(pid: int) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


async def settled_memory(pid: int) -> int:
    """Resident bytes once they have stopped growing, for longer than a busy machine pauses: windows
    take a while to fill."""
    last, calm = memory(pid), 0

    while calm < 3:
        await asyncio.sleep(2)
        now = memory(pid)
        calm = 0 if now > last * 1.005 else calm + 1
        last = max(now, last)

    return last


class Stalled:
    """A reader that has taken one message and reads no more until it is told to."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.stream = Stream(0)

    async def take_one(self) -> None:
        event = await self._call.read()
        assert isinstance(event, pb.StreamEvent)
        self.stream.messages.append(message_of(event))

    async def read_on(self) -> list[str]:
        while (event := await self._call.read()) is not EOF:
            self.stream.messages.append(message_of(event))

        return sorted(_texts(Journal("", "", [self.stream])))


@asynccontextmanager
async def stalled_readers(
    address: str, requests: list[pb.RunRequest]
) -> AsyncGenerator[list[Stalled], None]:
    """One reader a request, each on a connection of its own."""
    async with AsyncExitStack() as stack:
        readers: list[Stalled] = []

        for request in requests:
            channel = grpc.aio.insecure_channel(address, options=NARROW)
            await stack.enter_async_context(channel)
            reader = Stalled(rpc.HeadraceServiceStub(channel).Run(request))
            await reader.take_one()
            readers.append(reader)

        yield readers


async def latency(address: str, seconds: float) -> float:
    """The median delay from recording to reception in a paced run, in seconds."""
    async with connected(address) as channel:
        request = asking(branches=1, tokens=int(seconds * 50), pace=0.02)

        return statistics.median(
            [
                time.time() - event.create_time.ToNanoseconds() / 1e9
                async for event in rpc.HeadraceServiceStub(channel).Run(request)
                if event.HasField("token")
            ]
        )


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("readers", "seconds"), [(20, 1), pytest.param(200, 60, marks=pytest.mark.slow)]
)
async def test_readers_that_stall_cost_little_and_get_everything(
    readers: int, seconds: float
) -> None:
    async with serving(SCRIPT) as process:
        address = await process.address()
        requests = [asking(f"r{number}", seed=number, **EACH) for number in range(RUNS)]

        async with connected(address) as channel:
            whole = {one.run_id: await read(channel, one) for one in requests}

        undisturbed = await latency(address, 2)
        before = memory(process.pid)
        wanted = [requests[number % RUNS] for number in range(readers)]

        async with stalled_readers(address, wanted) as stalled:
            at_first = await settled_memory(process.pid)
            disturbed = await latency(address, seconds)
            at_last = memory(process.pid)
            texts = await asyncio.gather(*(one.read_on() for one in stalled))

    for request, text in zip(wanted, texts, strict=True):
        assert text == sorted(_texts(whole[request.run_id]))

    assert (at_first - before) / readers < MAX_PER_READER
    assert at_last < at_first * 1.02 + 2**20
    assert disturbed < undisturbed * 3 + 0.02


def _texts(journal: Journal) -> list[str]:
    return list(final_texts(journal).values())
