"""Memory of a paced stream, of an idle reader, and of a whole server before anybody comes."""

from __future__ import annotations

import asyncio
import uuid

from bench.compare import Goal
from bench.figure import Bench, Figure, Running, command
from bench.streams import Question

SERVERS = ("headrace", "headrace-uvloop", "limit", "limit-uvloop", "dspy-sse")
OWN = ("headrace", "headrace-uvloop")
SETTLE = 1.0

STREAM = "memory of a paced stream"
READER = "memory of an idle reader"


async def measure(bench: Bench) -> None:
    """Fresh servers every round: memory that was used once is never given back."""
    streams = bench.scale.pick(200, 100)

    for _ in range(bench.scale.pick(3, 1)):
        async with bench.servers(SERVERS, [Question("play:200")] * 20) as servers:
            for server in servers.values():
                bench.rounds.note(server.name, "memory before", "MB", server.child.memory() / 1e6)
                await _note(bench, server, STREAM, streams, shared=False)

        async with bench.servers(OWN, [Question("play:200")] * 20) as servers:
            for server in servers.values():
                await _note(bench, server, READER, streams, shared=True)


async def _note(bench: Bench, server: Running, what: str, streams: int, *, shared: bool) -> None:
    """Streams of 50 tokens a second, or readers of one run in which nothing happens for a while."""
    before = server.child.memory()
    play = "play:3:1" if shared else "play:200:50"
    run_id = uuid.uuid4().hex if shared else ""
    asks = [server.client.ask(Question(play, run_id=run_id)) for _ in range(streams)]
    reading = asyncio.gather(*asks)
    await asyncio.sleep(SETTLE + 1.0)
    each = (server.child.memory() - before) / streams / 1024
    await reading
    bench.rounds.note(server.name, what, "KiB", each)


MEMORY = Figure(
    "memory",
    "Memory",
    measure,
    [Goal(STREAM, server, "", 64.0) for server in OWN]
    + [Goal(READER, server, "", 32.0) for server in OWN],
)

if __name__ == "__main__":
    command(MEMORY)
