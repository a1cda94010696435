"""How many streams of 50 tokens a second one process carries before the p99 of lag passes 100 ms."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from bench.compare import Goal
from bench.figure import Bench, Figure, Running, command
from bench.load import Cost, paced
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
TOO_MANY = 1500


async def measure(bench: Bench) -> None:
    """Doubles until it is too many, then looks between."""
    seconds = bench.scale.pick(4, 2)
    question = Question(f"play:{SPEED * seconds}:{SPEED}", fields=("answer",), statuses=False)
    lost: dict[str, int] = {}

    async def once(server: Running) -> None:
        async def bears(streams: int) -> bool:
            cost, busy = await _try(bench, server, question, streams)
            lost[server.name] = lost.get(server.name, 0) + cost.lost
            lag = cost.lag_ms(0.99)
            bench.rounds.note(server.name, f"lag p99 at {streams} streams", "ms", lag)
            note = "; the bench itself was busy: the server may bear more" if busy > BUSY else ""
            say(f"    {server.name}: {streams} streams, lag p99 {lag:.0f} ms{note}")
            await asyncio.sleep(0.2)

            return lag <= LAG

        found = await _search(bears)
        bench.rounds.note(server.name, STREAMS, "", found)
        bench.rounds.note(server.name, LOST, "", lost[server.name])

    names = OWN + OTHERS + (() if bench.scale.quick else SLOW)
    await bench.in_turn(names, [Question("play:20")], once)


async def _search(bears: Bears) -> int:
    """The most streams that are borne."""
    low, high = 1, START

    while high < TOO_MANY and await bears(high):
        low, high = high, high * 2

    while high / low > PRECISION:
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
