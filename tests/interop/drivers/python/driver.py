"""Plays an interop order with the Python client: reads it from stdin, prints what was read as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable

from headrace_client import Client, HeadraceError, InputResolved, Run, RunStream, tls_credentials
from interop.drivers.python import calls
from interop.drivers.python.readings import (
    Json,
    attach,
    begin,
    message,
    read,
    read_answering,
    read_open,
    reading_of,
    resolve,
    told,
)

Play = Callable[[Client, list[Json]], Awaitable[list[Json]]]


async def main() -> None:
    order = json.load(sys.stdin)

    async with Client(order["address"], **options(order)) as client:
        if order["play"] == "list_runs":
            readings = await calls.list_runs(client, order["runs"], order["filters"])
        elif order["play"] == "send_inputs":
            readings = await calls.send_inputs(client, order["replies"])
        else:
            readings = await PLAYS[order["play"]](client, order["runs"])

    json.dump(readings, sys.stdout)


def options(order: Json) -> Json:
    named = {"token": order["token"] or None}

    if order["tls"] is None:
        return named

    files = order["tls"]
    credentials = tls_credentials(
        files["authority"], certificate_file=files["certificate"], key_file=files["key"]
    )

    return {**named, "credentials": credentials}


# What is played


async def read_each(client: Client, runs: list[Json]) -> list[Json]:
    return [await read(begin(client, asked)) for asked in runs]


async def cancel_after_begin(client: Client, runs: list[Json]) -> list[Json]:
    async with begin(client, runs[0]) as run:
        await run.cancel("enough")

        return [await read_open(run)]


async def leave_after_first_event(client: Client, runs: list[Json]) -> list[Json]:
    async with begin(client, runs[0]) as run:
        await anext(aiter(run))

    return [await read(attach(client, runs[0]))]


async def detach_and_attach_for_a_while(client: Client, runs: list[Json]) -> list[Json]:
    async with begin(client, runs[0]) as run:
        run.detach()

    reading = await read(attach(client, runs[0], timeout=0.5))
    reading["state"] = Run.State.Name((await client.get_run(run.run_id)).state)
    await client.cancel(run.run_id)

    return [reading]


async def attach_each(client: Client, runs: list[Json]) -> list[Json]:
    return [await read(attach(client, asked)) for asked in runs]


async def attach_and_join_again(client: Client, runs: list[Json]) -> list[Json]:
    return [
        await read(begin(client, runs[0])),
        await read(attach(client, runs[0])),
        await read(begin(client, runs[0])),
    ]


async def attach_behind_the_end(client: Client, runs: list[Json]) -> list[Json]:
    whole = await read(begin(client, runs[0]))
    late = client.attach(runs[0]["run_id"], after_sequence=whole["cursor"])

    return [whole, await read(late)]


async def stall_until_over(client: Client, runs: list[Json]) -> list[Json]:
    async with begin(client, runs[0]) as run:
        events = aiter(run)
        await anext(events)
        assert run.last_event is not None
        begun = [message(run.last_event)]
        await over(client, run.run_id)

        return [await read_open(run, begun, events)]


async def over(client: Client, run_id: str) -> None:
    while True:
        if (await client.get_run(run_id)).state != Run.STATE_RUNNING:
            return

        await asyncio.sleep(0.05)


async def answer_each(client: Client, runs: list[Json]) -> list[Json]:
    async def say(run: RunStream, input_id: str, answer: Json) -> None:
        await resolve(run, (input_id,), answer)

    return [await read_answering(client, runs[0], say)]


async def answer_by_client(client: Client, runs: list[Json]) -> list[Json]:
    async def say(run: RunStream, input_id: str, answer: Json) -> None:
        await resolve(client, (run.run_id, input_id), answer)

    return [await read_answering(client, runs[0], say)]


async def answer_again(client: Client, runs: list[Json]) -> list[Json]:
    first, other = runs[0]["answers"]
    refusals: list[Json] = []

    async def say(run: RunStream, input_id: str, answer: Json) -> None:
        for _ in range(2):
            resolved = await resolve(client, (run.run_id, input_id), first)
            assert resolved.outcome == InputResolved.OUTCOME_ANSWERED

        try:
            await resolve(client, (run.run_id, input_id), other)
        except HeadraceError as refused:
            refusals.append(reading_of(run, [], error=told(refused)))

    return [await read_answering(client, {**runs[0], "answers": [first]}, say), *refusals]


PLAYS: dict[str, Play] = {
    play.__name__: play
    for play in (
        read_each,
        cancel_after_begin,
        leave_after_first_event,
        detach_and_attach_for_a_while,
        attach_each,
        attach_and_join_again,
        attach_behind_the_end,
        stall_until_over,
        answer_each,
        answer_by_client,
        answer_again,
        calls.delete_after_end,
        calls.cancel_before_begin,
        calls.get_full,
        calls.cancel_each,
        calls.get_each,
        calls.predict_each,
        calls.describe_each,
    )
}


if __name__ == "__main__":
    asyncio.run(main())
