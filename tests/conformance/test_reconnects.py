"""Ten thousand connections killed, and not one event lost, repeated or out of order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from server.process import serving
from server.stores import over

from conformance.hosting import asking, hosted
from conformance.invariants import validate
from conformance.journal import Journal
from conformance.proxy import proxied
from conformance.reader import connected, read

SCRIPT = "conformance.programs:script"
PER_RUN = 100
"""Kills that one run sees, about."""


@asynccontextmanager
async def in_a_process() -> AsyncGenerator[str, None]:
    async with serving(SCRIPT) as process:
        yield await process.address()


@asynccontextmanager
async def over_rows() -> AsyncGenerator[str, None]:
    with over("rows"):
        async with hosted() as server:
            yield server.address


@pytest.mark.timeout(900)
@pytest.mark.parametrize("served", [in_a_process, over_rows])
@pytest.mark.parametrize("cycles", [300, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_nothing_is_lost_however_often_connections_are_killed(
    cycles: int, served: Callable[[], AbstractAsyncContextManager[str]]
) -> None:
    chance = random.Random(10)

    def budget() -> int:
        return chance.randint(0, 2000) if chance.random() < 0.9 else chance.randint(0, 80_000)

    async with served() as address, proxied(address, budget) as proxy:

        async def follow(number: int) -> list[Journal]:
            journals: list[Journal] = []

            while proxy.cuts < cycles:
                request = asking(seed=chance.randint(0, 10**6), tokens=150, pace=0.01)

                async with connected(address) as direct, connected(proxy.address) as cut:
                    journals += await asyncio.gather(
                        read(direct, request, reader="whole"),
                        read(cut, request, reader="killed"),
                    )

            return journals

        followed = await asyncio.gather(
            *(follow(number) for number in range(min(cycles // PER_RUN, 24)))
        )

    assert validate([journal for journals in followed for journal in journals]) == []
    assert proxy.cuts >= cycles
