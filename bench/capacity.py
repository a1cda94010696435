"""How many streams of 50 tokens a second one process carries before the p99 of lag passes 100 ms."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from bench.compare import Goal
from bench.figure import Bench, Figure, Running, command
from bench.load import BrokenOff, Cost, paced
from bench.streams import Question
from bench.venvs import say

Bears = Callable[[int], Awaitable[bool]]

OWN = ("headrace", "headrace-uvloop")
OTHERS = ("limit", "limit-uvloop", "dspy-sse", "dspy-grpc")
SLOW = ("dspy-sse-litellm",)

SPEED = 50
LAG = 100.0
"""Milliseconds that 99 of 100 tokens may take."""
START = 64
PRECISION = 1.15
STREAMS = "streams with a p99 of lag up to 100 ms"
LOST = "tokens lost"
BUSY = 0.9
"""CPU of the bench itself, of one core, beyond which it may be the limit."""
TOO_MANY = 1000
"""Where the search ends: provider and client would be what is measured."""


async def measure(bench: Bench) -> None:
    """Doubles until it is too many, then looks between; later rounds look near what was found."""
    seconds = bench.scale.pick(3, 2)
    known: dict[str, int] = {}
    question = Question(f"play:{SPEED * seconds}:{SPEED}", fields=("answer",), statuses=False)
    lost: dict[str, int] = {}

    async def once(server: Running) -> None:
        async def bears(streams: int) -> bool:
            try:
                cost, busy = await _try(bench, server, question, streams)
            except BrokenOff as error:
                say(f"    {server.name}: {streams} streams, {error}")
                return False

            lost[server.name] = lost.get(server.name, 0) + cost.lost
            lag = cost.lag_ms(0.99)
            bench.rounds.note(server.name, f"lag p99 at {streams} streams", "ms", lag)
            note = "; the bench itself was busy: the server may bear more" if busy > BUSY else ""
            say(f"    {server.name}: {streams} streams, lag p99 {lag:.0f} ms{note}")
            await asyncio.sleep(0.2)

            return lag <= LAG

        async def bears_at_last(streams: int) -> bool:
            """Asks twice before it is a no: one stall of the machine is not the server's."""
            return await bears(streams) or await bears(streams)

        found = known[server.name] = await _search(bears_at_last, known.get(server.name, START))
        bench.rounds.note(server.name, STREAMS, "", found)
        bench.rounds.note(server.name, LOST, "", lost[server.name])

    names = OWN + OTHERS + (() if bench.scale.quick else SLOW)
    await bench.in_turn(names, [Question("play:20")], once)


async def _search(bears: Bears, start: int) -> int:
    """The most streams that are borne, to within PRECISION."""
    low, high = start, start
    step = 2.0 if start == START else PRECISION**2

    while await bears(high):
        if high >= TOO_MANY:
            return high

        low, high = high, min(int(high * step) + 1, TOO_MANY)

    while low == high and low > 1:
        high, low = low, max(int(low / step), 1)

        if not await bears(low):
            high = low

    while high / low > PRECISION and high - low > 1:
        middle = round((low * high) ** 0.5)

        if await bears(middle):
            low = middle
        else:
            high = middle

    return low


async def _try(
    bench: Bench, server: Running, question: Question, streams: int
) -> tuple[Cost, float]:
    """The cost, and how busy the busier of provider and client was."""
    provider, own, began = bench.provider.cpu(), time.process_time(), time.monotonic()
    cost = await paced(server.child, server.client, question, streams=streams, ramp=1.0)
    elapsed = time.monotonic() - began

    return cost, max(bench.provider.cpu() - provider, time.process_time() - own) / elapsed


CAPACITY = Figure(
    "capacity",
    "Capacity: streams of 50 tokens a second that one process carries",
    measure,
    [
        Goal(STREAMS, "headrace", "dspy-sse", 4.0, at_least=True),
        Goal(STREAMS, "headrace-uvloop", "dspy-sse", 4.0, at_least=True),
        Goal(LOST, "headrace", "", 0),
        Goal(LOST, "headrace-uvloop", "", 0),
    ],
)

if __name__ == "__main__":
    command(CAPACITY)
