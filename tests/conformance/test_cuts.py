"""A run read in pieces is the run read whole, wherever it is cut."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from conformance.hosting import asking, hosted
from conformance.invariants import validate
from conformance.journal import Journal
from conformance.proxy import proxied
from conformance.reader import connected, read

ENDINGS: list[dict[str, Any]] = [
    {"seed": 1},
    {"seed": 2, "branches": 1, "tokens": 60},
    {"seed": 3, "tokens": 5, "whole": 100_000},
    {"seed": 4, "ending": "error"},
    {"seed": 5, "branches": 8, "tokens": 10, "pace": 0},
]
AT_ONCE = 8


async def read_cut_after(address: str, inputs: dict[str, Any], first: int, name: str) -> Journal:
    """Reads a run by a reader that breaks off after `first` messages, and again and again."""
    async with connected(address) as channel:
        chance = random.Random(first)
        due = [first]

        def cut(messages: int) -> bool:
            if messages < due[0]:
                return False

            due[0] = chance.randint(1, 40)

            return True

        return await read(channel, asking(**inputs), reader=name, cut=cut)


@pytest.mark.parametrize("inputs", ENDINGS)
async def test_cut_at_every_message_it_is_the_same_run(inputs: dict[str, Any]) -> None:
    async with hosted() as server, connected(server.address) as channel:
        whole = await read(channel, asking("r1", **inputs), reader="whole")
        count = len(list(whole.messages))
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(place: int) -> Journal:
            async with gate:
                named = {"run_id": "r1", **inputs}
                return await read_cut_after(server.address, named, place, f"cut at {place}")

        journals = await asyncio.gather(*(one(place) for place in range(count + 1)))

    assert validate([whole, *journals]) == []


@pytest.mark.parametrize("inputs", ENDINGS)
async def test_cut_while_it_runs_it_is_the_same_run(inputs: dict[str, Any]) -> None:
    async with hosted() as server:
        readers = [
            read_cut_after(server.address, {"run_id": "r1", **inputs}, place, f"cut at {place}")
            for place in [0, 1, 2, 3, 5, 8, 13, 21, 34, 10_000]
        ]
        journals = await asyncio.gather(*readers)

    assert validate(journals) == []


async def test_connections_reset_in_the_middle_of_messages_lose_nothing() -> None:
    chance = random.Random(7)

    async with (
        hosted() as server,
        proxied(server.address, lambda: chance.randint(0, 6000)) as proxy,
        connected(server.address) as direct,
    ):

        async def one(number: int) -> list[Journal]:
            request = asking(seed=number, tokens=40, pace=0.002)

            async with connected(proxy.address) as channel:
                return list(
                    await asyncio.gather(
                        read(direct, request, reader="whole"),
                        read(channel, request, reader="proxied"),
                    )
                )

        pairs = await asyncio.gather(*(one(number) for number in range(4)))

    assert validate([journal for pair in pairs for journal in pair]) == []
    assert proxy.cuts > 20


async def test_a_merging_log_read_late_is_the_same_run() -> None:
    """Long enough that the log merges behind the readers: positions inside merged groups are left."""
    inputs = {"run_id": "r1", "branches": 4, "tokens": 1500, "pace": 0.0001}

    async with hosted() as server:
        journals = await asyncio.gather(
            read_cut_after(server.address, inputs, 10_000, "whole"),
            *(
                read_cut_after(server.address, inputs, place, f"cut at {place}")
                for place in (5, 50, 500)
            ),
        )
        late = await read_cut_after(server.address, inputs, 7, "late")

    assert validate([*journals, late]) == []
