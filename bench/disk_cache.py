"""What a put into the cache on disk takes as its file grows: `python -m bench.disk_cache`.

With room, and at the limit, where every put lets the oldest answer go. Each line gives the cost at one
size of the file; flat is good.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from headrace.lm.cache.disk import DiskCache
from headrace.runs.limits import MIB

from bench.places import CACHE
from bench.table import number, write

ANSWER = bytes(16 * 1024)
"""A long answer."""
TIMES = 500
"""Measured at each size."""


class File:
    """One file that grows."""

    def __init__(self, disk: DiskCache) -> None:
        self._disk = disk
        self._keys = map(str, itertools.count())
        self._count = 0

    def fill(self, size: int) -> None:
        """Puts answers until the file has had so many bytes."""
        while self._count * len(ANSWER) < size:
            self._put()

    def measure(self, state: str) -> None:
        """Writes a line of the table."""
        puts = [_seconds(self._put) for _ in range(TIMES)]
        gets = [_seconds(lambda: self._disk.get(str(self._count - 1))) for _ in range(TIMES)]
        costs = [statistics.median(puts), max(puts), statistics.median(gets)]
        write(f"  {state:<20}" + "".join(f"{number(cost * 1e6):>12}" for cost in costs))

    def _put(self) -> None:
        self._disk.put(next(self._keys), ANSWER)
        self._count += 1


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()

    return time.perf_counter() - began


def main(sizes: list[int]) -> None:
    """Writes the table."""
    CACHE.mkdir(parents=True, exist_ok=True)
    write(f"\n  {'MiB in the file':<20}{'put, us':>12}{'slowest':>12}{'get, us':>12}")

    with TemporaryDirectory(dir=CACHE) as directory:
        disk = DiskCache(Path(directory) / "answers.db", limit=sizes[-1] * MIB)
        file = File(disk)

        for size in sizes[:-1]:
            file.fill(size * MIB)
            file.measure(str(size))

        file.fill(sizes[-1] * MIB)
        file.measure(f"{sizes[-1]}, the limit")
        disk.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="up to 64 MiB instead of 1 GiB")
    arguments = parser.parse_args()
    main([0, 8, 64] if arguments.quick else [0, 16, 128, 512, 1024])
