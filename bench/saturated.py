"""Tokens as fast as they come: CPU of the server per token, with 16 answers of 500 tokens at a time."""

from __future__ import annotations

from bench.compare import Goal
from bench.figure import Bench, Figure, Running, command
from bench.load import flood
from bench.streams import Question

OWN = ("headrace", "headrace-uvloop")
LIMITS = ("limit", "limit-uvloop")
PEERS = ("dspy-sse", "dspy-grpc")
REST = (
    "bare",
    "bare-uvloop",
    "headrace-litellm",
    "limit-each",
    "dspy-sse-uvloop",
    "dspy-sse-litellm",
    "dspy-grpc-litellm",
)

QUESTION = Question("play:500", fields=("answer",), statuses=False)
BRANCHES = ("brainstorm", "evidence", "objections", "answer")
SELECTORS = ("ideas.brainstorm", "evidence.evidence", "counter.objections", "compose.answer")

PER_TOKEN = "CPU per token"


async def measure(bench: Bench) -> None:
    """One field of one predictor, statuses off as in the peers."""
    runs = bench.scale.pick(64, 32)

    async def once(server: Running) -> None:
        cost = await flood(
            server.child, server.client, QUESTION, at_once=16, runs=_runs(server, runs)
        )
        bench.rounds.note(server.name, PER_TOKEN, "us", cost.per_token)
        bench.rounds.note(server.name, "tokens a second", "", cost.per_second)
        bench.rounds.note(server.name, "tokens a message", "", cost.tokens / cost.messages)
        bench.rounds.note(server.name, "tokens lost", "", cost.lost)

    names = OWN + LIMITS + PEERS + (() if bench.scale.quick else REST)
    await bench.in_turn(names, [QUESTION], once)


async def measure_branches(bench: Bench) -> None:
    """Three parallel branches and a composer, with statuses."""
    question = Question("play:500", "branches", SELECTORS)
    runs = bench.scale.pick(32, 16)

    async def once(server: Running) -> None:
        cost = await flood(server.child, server.client, question, at_once=16, runs=runs)
        bench.rounds.note(server.name, PER_TOKEN, "us", cost.per_token)
        bench.rounds.note(server.name, "tokens lost", "", cost.lost)

    await bench.in_turn(OWN + PEERS, [question], once)


def _runs(server: Running, runs: int) -> int:
    """litellm's own iterator needs fifty times the time."""
    return 16 if server.name.endswith("-litellm") else runs


SATURATED = Figure(
    "saturated",
    "Saturated: 16 answers of 500 tokens at a time, one field",
    measure,
    [
        Goal(PER_TOKEN, "headrace", "dspy-sse", 1 / 10),
        Goal(PER_TOKEN, "headrace-uvloop", "dspy-sse", 1 / 10),
        Goal(PER_TOKEN, "headrace", "limit", 1.5),
        Goal(PER_TOKEN, "headrace-uvloop", "limit-uvloop", 1.5),
        Goal("tokens lost", "headrace", "", 0),
        Goal("tokens lost", "headrace-uvloop", "", 0),
    ],
)
PARALLEL = Figure(
    "parallel",
    "Saturated: three parallel branches and a composer, statuses on",
    measure_branches,
    [
        Goal(PER_TOKEN, "headrace", "dspy-sse", 1 / 8),
        Goal(PER_TOKEN, "headrace-uvloop", "dspy-sse", 1 / 8),
        Goal("tokens lost", "headrace", "", 0),
        Goal("tokens lost", "headrace-uvloop", "", 0),
    ],
)

if __name__ == "__main__":
    command(SATURATED)
