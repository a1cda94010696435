"""A prototype of several processes on one machine: `python -m bench.workers`. Nothing of it ships.

Some independent servers stand in for workers, and the client plays the part of the kernel that spreads
connections. What is missing is the point of docs/performance.md: a run lives in one of them, and a
reader who comes back may reach another.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from contextlib import ExitStack

from bench.children import Child, upstream
from bench.load import flood
from bench.serving import loop_factory
from bench.streams import Client, Question
from bench.table import write
from bench.targets import TARGETS

QUESTION = Question("play:500", fields=("answer",), statuses=False)
RUNS = 64


async def measure(workers: int, rounds: int) -> None:
    """Floods so many workers at once."""
    target = TARGETS["headrace"]

    with upstream() as provider, ExitStack() as stack:
        children = [stack.enter_context(target.running(provider.address)) for _ in range(workers)]
        clients = [target.client(child.address) for child in children]
        memory = sum(child.memory() for child in children) / 1e6
        pairs = list(zip(children, clients, strict=True))

        for client in clients:
            await client.ask(QUESTION)

        for _ in range(rounds):
            await _once(pairs, memory)

        for client in clients:
            client.close()


async def _once(workers: list[tuple[Child, Client]], memory: float) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    each = RUNS // len(workers)
    floods = [flood(child, client, QUESTION, at_once=8, runs=each) for child, client in workers]
    costs = await asyncio.gather(*floods)
    tokens = sum(cost.tokens for cost in costs)
    cpu = sum(cost.cpu for cost in costs) / tokens * 1e6
    write(
        f"{len(workers)} workers: {tokens / (loop.time() - began):.0f} tokens a second, "
        f"{cpu:.1f} us of CPU a token, {memory:.0f} MB before the load, {os.cpu_count()} cores"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()

    with asyncio.Runner(loop_factory=loop_factory("auto")) as runner:
        for count in given.workers:
            runner.run(measure(count, given.rounds))
