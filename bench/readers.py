"""What one more reader of a run costs, next to the run itself."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace

from bench.compare import Goal
from bench.figure import Bench, Figure, Running, command
from bench.load import PATIENCE, cost
from bench.streams import Question

SERVERS = ("headrace", "headrace-uvloop")
SPEED = 50
MANY = 50
SHARE = "CPU of one more reader over that of a run with one"


async def measure(bench: Bench) -> None:
    """The same runs with one reader each, and with all readers on one of them."""
    runs = 8
    question = Question(
        f"play:{SPEED * bench.scale.pick(6, 2)}:{SPEED}", fields=("answer",), statuses=False
    )

    async def once(server: Running) -> None:
        single = await _cpu(server, question, runs, 1) / runs
        shared = await _cpu(server, question, 1, MANY)
        bench.rounds.note(server.name, "CPU of a run with one reader", "ms", single * 1e3)
        bench.rounds.note(server.name, f"CPU of a run with {MANY} readers", "ms", shared * 1e3)
        bench.rounds.note(server.name, SHARE, "", (shared - single) / (MANY - 1) / single)

    await bench.in_turn(SERVERS, [Question("play:20")], once)


async def _cpu(server: Running, question: Question, runs: int, readers: int) -> float:
    """CPU seconds of runs that so many readers follow each."""
    named = [replace(question, run_id=uuid.uuid4().hex) for _ in range(runs)]
    before = server.child.cpu()

    async with asyncio.timeout(PATIENCE):
        asks = [server.client.ask(one) for one in named for _ in range(readers)]
        answers = await asyncio.gather(*asks)

    spent = server.child.cpu() - before

    if cost(answers, question, spent, 1.0).lost:
        raise RuntimeError("a reader did not get all of the text")

    return spent


READERS = Figure(
    "readers",
    f"Readers: {MANY} of them on one run",
    measure,
    [Goal(SHARE, "headrace", "", 0.3), Goal(SHARE, "headrace-uvloop", "", 0.3)],
)

if __name__ == "__main__":
    command(READERS)
