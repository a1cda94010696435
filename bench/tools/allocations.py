"""What a paced stream holds in Python's memory, by the file that allocated it: `python -m bench.tools.allocations`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import tracemalloc
from pathlib import Path

from bench.children import upstream
from bench.streams import GrpcClient, Question
from bench.table import write

STREAMS = 100
LINES = 25


async def main(by: str) -> None:
    """Serves in this process, snapshots before and within a load, and prints the difference."""
    from headrace import lm
    from headrace.testing import serve_programs

    from bench.servers.programs import answer

    lm.preload().join()

    async with serve_programs(answer) as address:
        client = GrpcClient(address)

        for _ in range(20):
            await client.ask(Question("play:100"))

        gc.collect()
        tracemalloc.start()
        before = tracemalloc.take_snapshot()
        asks = [client.ask(Question("play:200:50", statuses=False)) for _ in range(STREAMS)]
        load = asyncio.gather(*asks)
        await asyncio.sleep(2.5)
        gc.collect()
        difference = tracemalloc.take_snapshot().compare_to(before, by)
        tracemalloc.stop()
        await load
        client.close()

    total = sum(one.size_diff for one in difference)
    write(f"{total / STREAMS / 1024:.1f} KiB a stream, {STREAMS} streams; by {by}, bytes a stream:")

    for one in difference[:LINES]:
        frame = one.traceback[0]
        place = "/".join(Path(frame.filename).parts[-3:])
        write(
            f"{one.size_diff / STREAMS:9.0f}  {one.count_diff / STREAMS:6.1f}  {place}:{frame.lineno}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--by", choices=["filename", "lineno"], default="filename")
    given = parser.parse_args()

    with upstream() as provider:
        os.environ["BENCH_UPSTREAM"] = provider.address
        asyncio.run(main(given.by))
