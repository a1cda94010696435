"""What a short run costs whose reader takes what is pending together in one message, or without statuses."""

from __future__ import annotations

from collections.abc import Mapping

from bench.figure import Bench, Figure, Running, command
from bench.load import flood, median
from bench.streams import Question

SERVERS = ("headrace", "headrace-uvloop")
AT_ONCE = 20
ALONE = Question("play:5", fields=("answer",))

READERS: Mapping[str, Question] = {
    "each event alone": ALONE,
    "in batches": Question("play:5", fields=("answer",), batched=True),
    "without statuses": Question("play:5", fields=("answer",), statuses=False),
}


async def measure(bench: Bench) -> None:
    """Runs of five tokens, many at once, for readers of each kind in turn."""
    runs = bench.scale.pick(2000, 300)

    async def once(server: Running) -> None:
        for reader, question in READERS.items():
            spent = await flood(server.child, server.client, question, at_once=AT_ONCE, runs=runs)

            if spent.lost:
                raise RuntimeError("a reader did not get all of the text")

            answers = [await server.client.ask(question) for _ in range(20)]
            received = median([answer.received for answer in answers])
            bench.rounds.note(server.name, f"CPU of a run, {reader}", "ms", spent.cpu / runs * 1e3)
            bench.rounds.note(server.name, f"messages of a run, {reader}", "", received)

    await bench.in_turn(SERVERS, [ALONE], once)


BATCHES = Figure("batches", "Batches: a run of five tokens and six statuses", measure)

if __name__ == "__main__":
    command(BATCHES)
