"""What it costs to run sync code in a thread: our workers beside anyio's, asyncio's and a new thread each.

    python bench/threads.py

Each figure is a ratio to ours, the median of several rounds in turn; figures of a busy machine may be
compared within one run only. `leaves` says whether a process ends while a call that was cancelled goes on.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from statistics import median
from typing import TypeAlias

import anyio
import anyio.to_thread
from headrace.threads import portal

ALONE = 1_000
AT_ONCE = 500
TURNS = 5
ROUNDS = 7

Run: TypeAlias = Callable[[Callable[[], object]], Awaitable[object]]


async def by_anyio(function: Callable[[], object]) -> object:
    """anyio's pool, without a limit, as ours has none."""
    limiter = anyio.CapacityLimiter(float("inf"))

    return await anyio.to_thread.run_sync(function, abandon_on_cancel=True, limiter=limiter)


async def by_new_thread(function: Callable[[], object]) -> object:
    """A thread per call."""
    loop = asyncio.get_running_loop()
    returned: asyncio.Future[object] = loop.create_future()

    def work() -> None:
        loop.call_soon_threadsafe(returned.set_result, function())

    threading.Thread(target=work, daemon=True).start()

    return await returned


WAYS: Mapping[str, Run] = {
    "ours": portal.in_thread,
    "anyio": by_anyio,
    "asyncio (few threads)": asyncio.to_thread,
    "a new thread": by_new_thread,
}

ABANDON = """
import asyncio, threading, time
from bench.threads import WAYS
from headrace.threads import portal

portal.GRACE = 0.1
working = threading.Event()

def work():
    working.set()
    time.sleep(2)
    print("returned", flush=True)

async def main():
    task = asyncio.ensure_future(WAYS[{way!r}](work))

    while not working.is_set():
        await asyncio.sleep(0.01)

    task.cancel()
    await asyncio.wait([task])

asyncio.new_event_loop().run_until_complete(main())
"""


def nothing() -> None:
    """The work: what is measured is the way there and back."""


async def alone(run: Run) -> float:
    """Microseconds per call, one after the other."""
    began = time.perf_counter()

    for _ in range(ALONE):
        await run(nothing)

    return (time.perf_counter() - began) / ALONE * 1e6


async def under_load(run: Run) -> float:
    """Median microseconds of a call, while many callers call in turn."""
    times: list[float] = []

    async def caller() -> None:
        for _ in range(TURNS):
            began = time.perf_counter()
            await run(nothing)
            times.append(time.perf_counter() - began)

    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))

    return median(times) * 1e6


async def waiting(run: Run) -> float:
    """Median microseconds of a call that waits 1 ms in its thread, all at once."""
    times: list[float] = []

    async def caller() -> None:
        began = time.perf_counter()
        await run(lambda: time.sleep(0.001))
        times.append(time.perf_counter() - began)

    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))

    return median(times) * 1e6


def leaves(way: str) -> bool:
    """Whether a process ends before a call that it has given up."""
    script = ABANDON.format(way=way)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    return b"returned" not in ended.stdout


MEASURES = {"alone": alone, f"{AT_ONCE} callers": under_load, f"{AT_ONCE} that wait": waiting}


async def measure() -> dict[str, dict[str, float]]:
    """Microseconds by measure and way; the ways take turns."""
    figures: dict[str, dict[str, list[float]]] = {
        name: {way: [] for way in WAYS} for name in MEASURES
    }

    for _ in range(ROUNDS):
        for name, figure in MEASURES.items():
            for way, run in WAYS.items():
                figures[name][way].append(await figure(run))

    return {
        name: {way: median(values) for way, values in ways.items()}
        for name, ways in figures.items()
    }


def main() -> None:
    """Prints the table."""
    figures = asyncio.run(measure())
    lines = [f"{'':<24}" + "".join(f"{name:>16}" for name in MEASURES) + f"{'leaves':>10}"]
    lines.append(
        f"{'ours, us':<24}" + "".join(f"{figures[name]['ours']:16.0f}" for name in MEASURES)
    )

    for way in WAYS:
        ratios = (figures[name][way] / figures[name]["ours"] for name in MEASURES)
        ends = "yes" if leaves(way) else "no"
        lines.append(f"{way:<24}" + "".join(f"{ratio:15.2f}x" for ratio in ratios) + f"{ends:>10}")

    print("\n".join(lines))  # noqa: T201 - its work


if __name__ == "__main__":
    main()
