"""Scenarios: ways of reading the kit's program that must all tell the same story."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

from conformance.hosting import asking
from conformance.journal import Journal
from conformance.proxy import proxied
from conformance.reader import Cut, connected, read

INPUTS: tuple[Mapping[str, Any], ...] = (
    {"seed": 1},
    {"seed": 2, "branches": 1, "tokens": 60},
    {"seed": 3, "tokens": 5, "whole": 100_000},
    {"seed": 4, "ending": "error"},
    {"seed": 5, "branches": 4, "tokens": 10, "pace": 0},
    {"seed": 6, "tokens": 12, "asks": 2},
    {"seed": 7, "tokens": 8, "asks": 1, "ending": "error"},
)
"""Runs of every kind."""

AT_ONCE = 8

BUDGETS = (6_000, 6_000, 200_000)
"""Bytes that a connection may carry before it is reset, at most: now and then a whole batch passes."""


def cut_after(first: int) -> Cut:
    """Breaks off after `first` messages, and then again and again."""
    chance = random.Random(first)
    due = [first]

    def cut(messages: int) -> bool:
        if messages < due[0]:
            return False

        due[0] = chance.randint(1, 40)

        return True

    return cut


async def read_cut(address: str, run_id: str, inputs: Mapping[str, Any], first: int) -> Journal:
    """Reads a run by a reader that breaks off after `first` messages, and so on."""
    async with connected(address) as channel:
        request = asking(run_id, turn=first, **inputs)

        return await read(channel, request, reader=f"cut at {first}", cut=cut_after(first))


async def cut_everywhere(address: str, run_id: str, inputs: Mapping[str, Any]) -> list[Journal]:
    """A run read whole, and then by one reader for each of its messages that is cut there."""
    async with connected(address) as channel:
        whole = await read(channel, asking(run_id, turn=0, **inputs), reader="whole")

    gate = asyncio.Semaphore(AT_ONCE)

    async def one(place: int) -> Journal:
        async with gate:
            return await read_cut(address, run_id, inputs, place)

    places = range(len(list(whole.messages)) + 1)

    return [whole, *await asyncio.gather(*(one(place) for place in places))]


async def cut_while_it_runs(address: str, run_id: str, inputs: Mapping[str, Any]) -> list[Journal]:
    """A run read by many readers at once, each cut elsewhere; the last of them not at all."""
    places = [0, 1, 2, 3, 5, 8, 13, 21, 34, 100_000]

    return await asyncio.gather(*(read_cut(address, run_id, inputs, place) for place in places))


async def reset_anywhere(address: str, runs: int, *, seed: int = 7) -> tuple[list[Journal], int]:
    """Runs read whole, and through a proxy that resets connections in the middle of messages.

    Gives the journals, and how many connections were reset.
    """
    chance = random.Random(seed)

    async with (
        proxied(address, lambda: chance.randint(0, chance.choice(BUDGETS))) as proxy,
        connected(address) as direct,
    ):

        async def one(number: int) -> list[Journal]:
            request = asking(turn=number, seed=number, tokens=40, pace=0.002)

            async with connected(proxy.address) as channel:
                pair = (
                    read(direct, request, reader="whole"),
                    read(channel, request, reader="proxied"),
                )

                return list(await asyncio.gather(*pair))

        pairs = await asyncio.gather(*(one(number) for number in range(runs)))

        return [journal for pair in pairs for journal in pair], proxy.cuts
