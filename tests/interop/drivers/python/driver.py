"""Plays an interop order with the Python client: reads it from stdin, prints what was read as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from conformance.journal import message_of
from headrace_client import (
    Client,
    HeadraceError,
    Prediction,
    RequestRefused,
    Run,
    RunFailed,
    RunStream,
    ServerUnreachable,
    StreamEvent,
    outputs,
    tls_credentials,
)

Json = dict[str, Any]
Play = Callable[[Client, list[Json]], Awaitable[list[Json]]]

KINDS = (RequestRefused, RunFailed, ServerUnreachable)


async def main() -> None:
    order = json.load(sys.stdin)

    async with Client(order["address"], **options(order)) as client:
        readings = await PLAYS[order["play"]](client, order["runs"])

    json.dump(readings, sys.stdout)


def options(order: Json) -> Json:
    if order["tls"] is None:
        return {}

    files = order["tls"]
    credentials = tls_credentials(
        files["authority"], certificate_file=files["certificate"], key_file=files["key"]
    )

    return {"token": order["token"], "credentials": credentials}


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


PLAYS: dict[str, Play] = {
    play.__name__: play
    for play in (
        read_each,
        cancel_after_begin,
        leave_after_first_event,
        detach_and_attach_for_a_while,
        attach_and_join_again,
        attach_behind_the_end,
        stall_until_over,
    )
}


# Readings


def begin(client: Client, asked: Json) -> RunStream:
    return client.run(
        asked["program"],
        inputs=asked["inputs"],
        run_id=asked["run_id"],
        timeout=asked["timeout"] or None,
        fields=asked["fields"],
    )


def attach(client: Client, asked: Json, timeout: float | None = None) -> RunStream:
    return client.attach(asked["run_id"], fields=asked["fields"], timeout=timeout)


async def read(opened: RunStream) -> Json:
    try:
        async with opened as run:
            return await read_open(run)
    except HeadraceError as refused:
        return reading_of(opened, [], error=told(refused))


async def read_open(
    run: RunStream, messages: list[Json] | None = None, events: AsyncIterator[object] | None = None
) -> Json:
    """Reads a run to its end, behind the messages that were read before."""
    messages = messages or []

    try:
        async for _ in events or aiter(run):
            assert run.last_event is not None
            messages.append(message(run.last_event))

        return reading_of(run, messages, outputs=text_of(await run.prediction()))
    except HeadraceError as error:
        return reading_of(run, messages, error=told(error))


def reading_of(run: RunStream, messages: list[Json], **end: Any) -> Json:
    tokens = [one["body"] for one in messages if one["kind"] == "token"]
    names = dict.fromkeys((token["predictor"], token["field"]) for token in tokens)

    return {
        "run_id": run.run_id,
        "messages": messages,
        "texts": [[name, field, run.text(f"{name}.{field}")] for name, field in names],
        "cursor": run.cursor,
        "outputs": None,
        "error": None,
        **end,
    }


def text_of(prediction: Prediction) -> str:
    return prediction.outputs_json or json.dumps(outputs(prediction))


def message(event: StreamEvent) -> Json:
    return vars(message_of(event))


def told(error: HeadraceError) -> Json:
    kind = next((kind.__name__ for kind in KINDS if isinstance(error, kind)), "ServerFault")

    return {
        "kind": kind,
        "code": error.code.name,
        "reason": error.reason,
        "message": error.message,
        "run_id": error.run_id,
        "retry_delay": error.retry_delay,
        "violations": [violation.field for violation in error.violations],
        "metadata": error.metadata,
    }


if __name__ == "__main__":
    asyncio.run(main())
