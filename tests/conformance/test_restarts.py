"""Twenty restarts under load: what a drain can save is saved, and the process goes in time."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import time

import pytest
from server.process import serving

from conformance.hosting import asking
from conformance.invariants import validate
from conformance.journal import Journal
from conformance.reader import connected, read

SCRIPT = "conformance.programs:script"
DRAIN_TIMEOUT = 5.0
SLACK = 20.0
"""Seconds in which a busy machine ends a process that is done; a run that is not stopped takes longer."""
READERS = 12


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("restarts", [2, pytest.param(20, marks=pytest.mark.slow)])
async def test_restarts_fail_no_run(restarts: int) -> None:
    address = f"127.0.0.1:{free_port()}"
    done = asyncio.Event()
    leaving: list[float] = []

    async def follow(number: int) -> list[Journal]:
        chance = random.Random(number)
        journals: list[Journal] = []

        async with connected(address) as channel:
            while not done.is_set():
                request = asking(seed=chance.randint(0, 10**6), tokens=40, pace=0.01)
                journals.append(await read(channel, request))

        return journals

    readers = [asyncio.ensure_future(follow(number)) for number in range(READERS)]

    for _ in range(restarts):
        async with serving(
            SCRIPT, "--drain-timeout", f"{DRAIN_TIMEOUT}", listen=address
        ) as process:
            await process.address()
            await asyncio.sleep(0.5)  # load: runs begin, go on and end
            began = time.monotonic()
            process.signal(signal.SIGTERM)
            assert await process.ended() == 0
            leaving.append(time.monotonic() - began)

    async with serving(SCRIPT, listen=address) as process:
        await process.address()
        done.set()
        journals = [one for reader in await asyncio.gather(*readers) for one in reader]

    assert validate(journals) == []
    assert {one.streams[-1].end.state for one in journals if one.streams[-1].end} == {"SUCCEEDED"}
    assert max(leaving) < DRAIN_TIMEOUT + SLACK
