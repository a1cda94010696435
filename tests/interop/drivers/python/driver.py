"""Plays an interop order with the Python client: reads it from stdin, prints what was read as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, cast

from conformance.journal import message_of
from headrace_client import (
    Client,
    HeadraceError,
    InputRequest,
    InputResolved,
    Prediction,
    RequestRefused,
    Run,
    RunFailed,
    RunStream,
    RunSuspended,
    ServerUnreachable,
    StreamEvent,
    outputs,
    tls_credentials,
)

Json = dict[str, Any]
Play = Callable[[Client, list[Json]], Awaitable[list[Json]]]

KINDS = (RequestRefused, RunFailed, RunSuspended, ServerUnreachable)

OF_A_READER = ("fields", "include_data", "accept", "token_detail", "output_form")


async def main() -> None:
    order = json.load(sys.stdin)

    async with Client(order["address"], **options(order)) as client:
        if order["play"] == "list_runs":
            readings = await list_runs(client, order["runs"], order["filters"])
        else:
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


async def delete_after_end(client: Client, runs: list[Json]) -> list[Json]:
    whole = await read(begin(client, runs[0]))
    await client.delete(runs[0]["run_id"])

    return [whole, await read(attach(client, runs[0]))]


async def cancel_before_begin(client: Client, runs: list[Json]) -> list[Json]:
    answer = await client.cancel(runs[0]["run_id"])
    is_refused = answer.HasField("refused_until") and not answer.HasField("run")

    return [{**await read(begin(client, runs[0])), "state": "REFUSED" if is_refused else ""}]


async def get_full(client: Client, runs: list[Json]) -> list[Json]:
    whole = await read(begin(client, runs[0]))
    record = await client.get_run(runs[0]["run_id"], view="full", output_form="json")

    return [
        whole,
        {
            **whole,
            "outputs": record.prediction.outputs_json,
            "inputs": record.inputs_json,
            "state": Run.State.Name(record.state),
        },
    ]


async def list_runs(client: Client, runs: list[Json], filters: list[Json]) -> list[Json]:
    for asked in runs:
        await read(begin(client, asked))

    return [await listed(client, chosen) for chosen in filters]


async def listed(client: Client, chosen: Json) -> Json:
    states = [state.removeprefix("STATE_").lower() for state in chosen.pop("states", ())]
    times: Json = {
        name: datetime.fromtimestamp(chosen.pop(name), UTC)
        for name in ("created_after", "created_before")
        if name in chosen
    }
    found = await client.runs(states=states, **times, **chosen)

    return {**nothing_of(""), "listed": [run.run_id for run in found]}


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
        answer_each,
        answer_by_client,
        answer_again,
        delete_after_end,
        cancel_before_begin,
        get_full,
    )
}


# Readings


def begin(client: Client, asked: Json) -> RunStream:
    return client.run(
        asked["program"],
        inputs=asked["inputs"],
        run_id=asked["run_id"],
        timeout=asked["timeout"] or None,
        **given(asked, *OF_A_READER, "labels", "interface_revision"),
    )


def attach(client: Client, asked: Json, timeout: float | None = None) -> RunStream:
    return client.attach(asked["run_id"], timeout=timeout, **given(asked, *OF_A_READER))


def given(asked: Json, *names: str) -> Json:
    return {name: asked[name] for name in names if name in asked}


async def resolve(face: Any, names: tuple[str, ...], answer: Json) -> InputResolved:
    """Answers by the open run or by the client, or declines."""
    reason = answer.get("reason", "")

    if answer.get("decline"):
        return cast("InputResolved", await face.decline(*names, reason=reason))

    return cast("InputResolved", await face.answer(*names, answer["value"], reason=reason))


async def read_answering(
    client: Client, asked: Json, say: Callable[[RunStream, str, Json], Awaitable[None]]
) -> Json:
    """Reads a run to its end; each question gets the next of the answers."""
    answers = iter(asked["answers"])

    async def answering(run: RunStream) -> AsyncIterator[object]:
        async for event in run:
            yield event

            if isinstance(event, InputRequest):
                await say(run, event.input_id, next(answers))

    async with begin(client, asked) as run:
        return await read_open(run, events=answering(run))


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
        **nothing_of(run.run_id),
        "messages": messages,
        "texts": [[name, field, run.text(f"{name}.{field}")] for name, field in names],
        "cursor": run.cursor,
        **end,
    }


def nothing_of(run_id: str) -> Json:
    return {
        "run_id": run_id,
        "messages": [],
        "texts": [],
        "cursor": 0,
        "outputs": None,
        "error": None,
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
        "state": error.run_state if isinstance(error, RunSuspended) else "",
        "lm_calls": None if error.usage is None else error.usage.lm_call_count,
    }


if __name__ == "__main__":
    asyncio.run(main())
