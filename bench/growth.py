"""Whether a unit costs the same when there are many: `python -m bench.growth`.

In this process, without a network: a log of a million events, ten thousand ended runs that are kept,
a memory budget that they exceed, five hundred programs. Each line gives the cost of a unit as their
number grows; flat is good.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrace import Predict, Prediction
from headrace.events import Token
from headrace.hosting import Program
from headrace.hosting.port import StartRequest
from headrace.log import RunLog
from headrace.module import Module
from headrace.runs.limits import MIB, Limits
from headrace.runs.registry import Registry
from headrace.runs.run import Revisions, Run
from headrace.server.reader import Deliveries
from headrace.server.selection import ReaderOptions
from headrace.server.v1.events import EventEncoder
from headrace.server.v1.records import program_message

from bench.places import CACHE
from bench.table import number, write

TEXT = "The headrace brings water to the wheel. " * 25


class Says(Module):
    """A program without a model: its result is a text."""

    async def aforward(self, question: str) -> Prediction:
        return Prediction(answer=TEXT)


def log_growth(events: int) -> dict[str, float]:
    """Microseconds to append an event, and to deliver it to a reader who comes late."""
    log = RunLog(merges=True)
    found: dict[str, float] = {}
    at = 0

    for stop in (events // 100, events // 10, events):
        began, first = time.perf_counter(), at

        for at in range(first, stop):
            log.append(Token("self", "answer", " word", False, at * 5, 2))

        at = stop
        found[f"append, up to {stop} events, us"] = (
            (time.perf_counter() - began) / (stop - first) * 1e6
        )
        found[f"held by {stop} events, bytes each"] = log.held_bytes / stop

    log.close()
    began = time.perf_counter()
    sent = _deliver(log)
    found[f"read by a late reader of {events}, us each"] = (
        (time.perf_counter() - began) / events * 1e6
    )
    found[f"messages to a late reader of {events}"] = sent

    return found


def _deliver(log: RunLog) -> int:
    options = ReaderOptions()
    deliveries = Deliveries(options, max_token_bytes=65_536)
    encoder = EventEncoder("run", Revisions("revision"), options, max_prediction_bytes=2**21)
    cursor = log.cursor()
    sent = 0

    while entries := cursor.read(256):
        for delivery in deliveries.of(entries):
            sent += len(encoder.message(delivery).SerializeToString()) > 0

    cursor.close()

    return sent


async def kept_runs(runs: int) -> dict[str, float]:
    """Microseconds to start and end a run, memory of one that is kept, and time to find one."""
    program = Program(Says(), name="says")
    registry = Registry(Limits(retention=600.0))
    registry.open()
    found: dict[str, float] = {}
    done = 0
    memory = _resident()

    for stop in (runs // 100, runs // 10, runs):
        began, first = time.perf_counter(), done

        for done in range(first, stop):
            await _run(registry, program, f"r{done}")

        done = stop
        found[f"run, up to {stop} kept, us"] = (time.perf_counter() - began) / (stop - first) * 1e6

    found[f"memory of a kept run of {len(TEXT)} characters, KiB"] = (
        (_resident() - memory) / runs / 1024
    )
    began = time.perf_counter()

    for at in range(1000):
        await registry.find("", f"r{at * runs // 1000}")

    found[f"find one of {runs}, us"] = (time.perf_counter() - began) / 1000 * 1e6
    await registry.close()

    return found


async def budget(runs: int) -> dict[str, float]:
    """How much of a budget of 8 MiB is held after runs that would need more, and how many are kept."""
    program = Program(Says(), name="says")
    registry = Registry(Limits(max_retained_bytes=8 * MIB))
    registry.open()
    last: Run | None = None

    for at in range(runs):
        last = await _run(registry, program, f"r{at}")

    assert last is not None
    kept = sum([await _kept(registry, f"r{at}") for at in range(runs)])
    held = kept * last.held_bytes / MIB
    await registry.close()

    if held > 8:
        raise RuntimeError(f"the budget of 8 MiB does not hold: {held:.1f} MiB")

    return {f"runs kept of {runs} in 8 MiB": kept, "MiB held of 8": held}


async def _kept(registry: Registry, run_id: str) -> bool:
    try:
        await registry.find("", run_id)
    except LookupError:
        return False
    except Exception:  # noqa: BLE001 - not found, whatever its class
        return False

    return True


async def _run(registry: Registry, program: Program, run_id: str) -> Run:
    run = await registry.start(
        StartRequest(program, {"question": "why?"}, run_id=run_id, linger=60.0)
    )
    await run.ended()
    await asyncio.sleep(0)

    return run


async def programs(count: int) -> dict[str, float]:
    """Milliseconds to make, and to list, one of many programs."""
    found: dict[str, float] = {}

    for many in (count // 10, count):
        began = time.perf_counter()
        made = [Program(Predict("question -> answer"), name=f"p{at}") for at in range(many)]
        found[f"make one of {many} programs, ms"] = (time.perf_counter() - began) / many * 1e3
        began = time.perf_counter()

        for one in made:
            program_message(one.describe()).SerializeToString()

        found[f"describe one of {many} programs, ms"] = (time.perf_counter() - began) / many * 1e3

    return found


def _resident() -> int:
    gc.collect()

    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def measure(quick: bool) -> Mapping[str, float]:
    """All of it."""
    small = 20 if quick else 1
    found = log_growth(1_000_000 // small)
    found |= asyncio.run(kept_runs(10_000 // small))
    found |= asyncio.run(budget(4_000 // (4 if quick else 1)))
    found |= asyncio.run(programs(500 // small))

    return found


def main(quick: bool) -> dict[str, Any]:
    """Measures, prints, and gives the findings."""
    found = dict(measure(quick))
    write("\nGrowth")

    for name, value in found.items():
        write(f"  {name:<55}{number(value):>10}")

    return {"name": "growth", "title": "Growth", "values": found}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a twentieth of the size")
    result = main(parser.parse_args().quick)
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / "growth.json").write_text(json.dumps(result, indent=1))
