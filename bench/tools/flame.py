"""A flame graph of a server under load: `python -m bench.tools.flame [--server headrace] [--load paced]`.

py-spy stops the process to look at it: read shares from the picture, not microseconds.
"""

from __future__ import annotations

import argparse
import asyncio

from bench.children import upstream
from bench.load import flood, paced
from bench.places import CACHE
from bench.streams import Question
from bench.table import write
from bench.targets import TARGETS
from bench.venvs import set_up

LOADS = {
    "flood": Question("play:500", fields=("answer",), statuses=False),
    "requests": Question("play:1", fields=("answer",), statuses=False),
    "paced": Question("play:100:50", fields=("answer",), statuses=False),
}
RATE = 300


async def record(name: str, load: str, seconds: int) -> None:
    """Loads a server and lets py-spy watch."""
    py_spy = set_up("profilers").with_name("py-spy")
    picture = CACHE / f"flame-{name}-{load}.svg"
    question = LOADS[load]

    with upstream() as provider, TARGETS[name].running(provider.address) as child:
        client = TARGETS[name].client(child.address)
        await client.ask(Question("play:20"))
        options = ["-o", str(picture), "-d", str(seconds), "-r", str(RATE), "-p", str(child.pid)]
        spy = await asyncio.create_subprocess_exec(
            str(py_spy), "record", *options, stderr=asyncio.subprocess.DEVNULL
        )
        watching = asyncio.ensure_future(spy.wait())

        while not watching.done():
            if load == "paced":
                await paced(child, client, question, streams=50)
            else:
                await flood(child, client, question, at_once=16, runs=32)

        client.close()

    write(f"{picture}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--server", default="headrace", choices=list(TARGETS))
    parser.add_argument("--load", default="flood", choices=list(LOADS))
    parser.add_argument("--seconds", type=int, default=10)
    given = parser.parse_args()
    asyncio.run(record(given.server, given.load, given.seconds))
