"""How late the server's event loop comes to what is due, under paced streams: `python -m bench.tools.loop_lag`.

The server runs in this process, next to a timer that notes how late it is; the load comes from
another. With and without what `headrace serve` does to the garbage collector at its start.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import time

from bench.children import upstream
from bench.load import percentile
from bench.serving import loop_factory
from bench.streams import GrpcClient, Question
from bench.table import write

EVERY = 0.005
"""Seconds between two looks."""


async def load(address: str, streams: int, seconds: int) -> None:
    """Paced streams, from a process of their own."""
    client = GrpcClient(address)
    question = Question(f"play:{50 * seconds}:50", statuses=False)
    await asyncio.gather(*(client.ask(question) for _ in range(streams)))
    client.close()


async def watch(streams: int, seconds: int, *, settled: bool) -> None:
    """Serves, watches its own loop, and prints what it saw."""
    from headrace import lm
    from headrace.testing import serve_programs

    from bench.servers.programs import answer

    await asyncio.to_thread(lm.preload().join)

    if settled:
        gc.collect()
        gc.freeze()
        gc.set_threshold(2_000, 20, 500)

    async with serve_programs(answer) as address:
        arguments = ["-m", "bench.tools.loop_lag", "--load", address, str(streams), str(seconds)]
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
        ended = asyncio.ensure_future(process.wait())
        late: list[float] = []

        while not ended.done():
            due = time.monotonic() + EVERY
            await asyncio.sleep(EVERY)
            late.append((time.monotonic() - due) * 1000)

    late.sort()
    shares = [percentile(late, share) for share in (0.5, 0.99, 0.999)]
    shown = ", ".join(f"{one:.2f}" for one in [*shares, late[-1]])
    name = "gc as headrace serve sets it" if settled else "gc as Python sets it"
    write(f"{streams} streams, {name}: late by ms p50, p99, p99.9, max: {shown}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--gc-as-is", action="store_true", help="leave the garbage collector alone")
    parser.add_argument("--load", nargs=3, metavar=("ADDRESS", "STREAMS", "SECONDS"))
    given = parser.parse_args()

    with asyncio.Runner(loop_factory=loop_factory("auto")) as runner:
        if given.load:
            runner.run(load(given.load[0], int(given.load[1]), int(given.load[2])))
        else:
            with upstream() as provider:
                os.environ["BENCH_UPSTREAM"] = provider.address
                runner.run(watch(given.streams, given.seconds, settled=not given.gc_as_is))
