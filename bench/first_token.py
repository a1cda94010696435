"""Time to the first token, over what the provider itself takes: alone, and beside 50 paced streams."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

from bench.compare import Goal
from bench.figure import Bench, Figure, Running, command
from bench.load import length, percentile
from bench.streams import Client, Question, RawClient

OWN = ("headrace", "headrace-uvloop")
PEERS = ("limit", "dspy-sse", "dspy-grpc")

QUESTION = Question("play:10", fields=("answer",), statuses=False)
BESIDE = Question("play:50:50")
"""What the paced streams beside it ask, again and again."""
PAUSE = 0.004
"""Seconds between questions, so that one does not wait for another's end."""


async def measure(bench: Bench) -> None:
    """Asks the provider and every server one after the other, many times a round."""
    times = bench.scale.pick(200, 40)
    busy = bench.scale.pick(50, 10)

    async def once(server: Running) -> None:
        raw = RawClient(bench.provider.address)
        await _note(bench, server, "1 stream", raw, times)

        async with AsyncExitStack() as stack:
            starts = [length(BESIDE) * place / busy for place in range(busy)]
            background = [asyncio.create_task(_paced(server.client, start)) for start in starts]
            stack.callback(lambda: [task.cancel() for task in background])
            await asyncio.sleep(length(BESIDE) + 0.5)
            await _note(bench, server, f"{busy} streams", raw, times)

            for task in background:
                task.cancel()

            await asyncio.gather(*background, return_exceptions=True)

    await bench.in_turn(OWN + PEERS, [QUESTION], once)


async def _paced(client: Client, start: float) -> None:
    """One of the streams. They start one after another, or all would end and begin at one moment
    every second, and the slowest hundredth would show how long so many starts take."""
    await asyncio.sleep(start)

    while True:
        await client.ask(BESIDE)


async def _note(bench: Bench, server: Running, load: str, raw: Client, times: int) -> None:
    waits = await _waits(server.client, times)
    alone = await _waits(raw, times)

    for name, share in (("p50", 0.5), ("p99", 0.99)):
        added = (percentile(waits, share) - percentile(alone, share)) / 1000
        bench.rounds.note(server.name, f"added to the first token, {load}, {name}", "ms", added)


async def _waits(client: Client, times: int) -> list[int]:
    waits: list[int] = []

    for _ in range(times):
        answer = await client.ask(QUESTION)
        assert answer.first is not None, "an answer without a token"
        waits.append(answer.first)
        await asyncio.sleep(PAUSE)

    return sorted(waits)


def _goals(streams: Mapping[str, float]) -> list[Goal]:
    return [
        Goal(f"added to the first token, {load}, {name}", server, "", bound)
        for load in ("1 stream", "50 streams")
        for name, bound in streams.items()
        for server in OWN
    ]


FIRST_TOKEN = Figure(
    "first_token",
    "Time to the first token, over the provider's own",
    measure,
    _goals({"p50": 1.0, "p99": 3.0}),
)

if __name__ == "__main__":
    command(FIRST_TOKEN)
