"""Tokens that arrive one by one: CPU per token and lag, with 50 streams of 50 tokens a second."""

from __future__ import annotations

from dataclasses import replace

from bench.compare import Goal
from bench.figure import Bench, Figure, Running, command
from bench.load import Cost, paced
from bench.streams import Question

OWN = ("headrace", "headrace-uvloop")
LIMITS = ("limit-each", "limit-each-uvloop")
BARE = ("bare-each", "bare-each-uvloop", "grpc-alone")
MERGING = ("bare-merged", "bare-merged-uvloop")
PEERS = ("dspy-sse", "dspy-grpc")

SPEED = 50
STREAMS = 50
PER_TOKEN = "CPU per token"
MERGED = "CPU per token, merged for 50 ms"


async def measure(bench: Bench) -> None:
    """One message per token; and headrace once more with a merge interval."""
    seconds = bench.scale.pick(5, 3)
    question = Question(f"play:{SPEED * seconds}:{SPEED}", fields=("answer",), statuses=False)

    async def once(server: Running) -> None:
        cost = await paced(server.child, server.client, question, streams=STREAMS)

        if server.name not in MERGING:
            _note(bench, server, cost)

        if server.name in OWN:
            merged = replace(question, merge_interval=0.05)
            cost = await paced(server.child, server.client, merged, streams=STREAMS)

        bench.rounds.note(server.name, MERGED, "us", cost.per_token)

    names = OWN + LIMITS + PEERS + (() if bench.scale.quick else BARE + MERGING)
    await bench.in_turn(names, [Question("play:20")], once)


def _note(bench: Bench, server: Running, cost: Cost) -> None:
    bench.rounds.note(server.name, PER_TOKEN, "us", cost.per_token)
    bench.rounds.note(server.name, "lag p50", "ms", cost.lag_ms(0.5))
    bench.rounds.note(server.name, "lag p99", "ms", cost.lag_ms(0.99))
    bench.rounds.note(server.name, "tokens a message", "", cost.tokens / cost.messages)
    bench.rounds.note(server.name, "tokens lost", "", cost.lost)


PACED = Figure(
    "paced",
    f"Paced: {STREAMS} streams of {SPEED} tokens a second",
    measure,
    [
        Goal(PER_TOKEN, "headrace", "dspy-sse", 1 / 1.6),
        Goal(PER_TOKEN, "headrace-uvloop", "dspy-sse", 1 / 1.6),
        Goal(PER_TOKEN, "headrace", "limit-each", 1.25),
        Goal(PER_TOKEN, "headrace-uvloop", "limit-each-uvloop", 1.25),
        Goal(MERGED, "headrace", "dspy-sse", 1 / 4),
        Goal(MERGED, "headrace-uvloop", "dspy-sse", 1 / 4),
        Goal("tokens lost", "headrace", "", 0),
        Goal("tokens lost", "headrace-uvloop", "", 0),
    ],
)

if __name__ == "__main__":
    command(PACED)
