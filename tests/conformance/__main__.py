"""The kit against any server that hosts `conformance.programs:script`.

Prints what is broken, by invariant; the exit code is 1 where anything is.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import uuid
from pathlib import Path

from conformance.invariants import validate
from conformance.journal import Journal, load, save
from conformance.scenarios import INPUTS, cut_everywhere, cut_while_it_runs, reset_anywhere


async def read_every_way(address: str, runs: int) -> list[Journal]:
    """The journals of all scenarios."""
    journals: list[Journal] = []

    for inputs in INPUTS:
        journals += await cut_everywhere(address, uuid.uuid4().hex, inputs)
        journals += await cut_while_it_runs(address, uuid.uuid4().hex, inputs)

    reset, cuts = await reset_anywhere(address, runs)
    streams = sum(len(journal.streams) for journal in [*journals, *reset])
    print(f"{len(journals) + len(reset)} readers, {streams} streams, {cuts} resets")  # noqa: T201

    return journals + reset


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("--address", help="server to read from")
    parser.add_argument("--runs", type=int, default=4, help="runs to read through resets")
    parser.add_argument("--journals", type=Path, help="file to keep what was read in, or to judge")
    asked = parser.parse_args()

    if asked.address:
        journals = asyncio.run(read_every_way(asked.address, asked.runs))

        if asked.journals:
            save(journals, asked.journals)
    elif asked.journals:
        journals = load(asked.journals)
    else:
        parser.error("give --address, or --journals to judge what was read before")

    breaches = validate(journals)

    for breach in breaches:
        print(f"{breach.invariant}: run {breach.run_id} {breach.reader}: {breach.what}")  # noqa: T201

    print(f"{len(breaches)} breaches")  # noqa: T201

    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
