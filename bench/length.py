"""What a token costs as the answer grows from a thousand tokens to 64 thousand."""

from __future__ import annotations

from bench.compare import Goal
from bench.figure import Bench, Figure, Running, command
from bench.load import count, flood
from bench.streams import Question

SERVERS = ("headrace", "headrace-uvloop", "limit", "dspy-sse")
LENGTHS = (1_000, 4_000, 16_000, 64_000)
FLAT = "CPU per token at 64000 over that at 1000"


async def measure(bench: Bench) -> None:
    """The same number of tokens in fewer and longer answers."""
    lengths = LENGTHS if not bench.scale.quick else LENGTHS[:3]

    async def once(server: Running) -> None:
        costs: dict[int, float] = {}

        for length in lengths:
            question = Question(f"play:{length}", fields=("answer",), statuses=False)
            runs = max(lengths[-1] // length // (4 if server.name == "dspy-sse" else 1), 1)
            cost = await flood(server.child, server.client, question, at_once=4, runs=runs)
            costs[length] = cost.per_token
            assert count(question) == length
            bench.rounds.note(server.name, f"CPU per token of {length}", "us", cost.per_token)
            bench.rounds.note(server.name, "tokens lost", "", cost.lost)

        ratio = costs[lengths[-1]] / costs[lengths[0]]
        bench.rounds.note(
            server.name, f"CPU per token at {lengths[-1]} over that at 1000", "", ratio
        )

    await bench.in_turn(SERVERS, [Question("play:1000")], once)


LENGTH = Figure(
    "length",
    "Length: cost per token as the answer grows",
    measure,
    [Goal(FLAT, "headrace", "", 1.2), Goal(FLAT, "headrace-uvloop", "", 1.2)],
)

if __name__ == "__main__":
    command(LENGTH)
