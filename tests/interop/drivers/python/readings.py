"""What one reader was given, as the Python driver prints it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

from conformance.journal import message_of
from headrace_client import (
    Client,
    HeadraceError,
    InputRequest,
    InputResolved,
    Prediction,
    RequestRefused,
    RunFailed,
    RunStream,
    RunSuspended,
    ServerUnreachable,
    StreamEvent,
    outputs,
)

Json = dict[str, Any]

KINDS = (RequestRefused, RunFailed, RunSuspended, ServerUnreachable)

OF_A_READER = ("fields", "include_data", "accept", "token_detail", "output_form")


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


async def answered(run_id: str, call: Awaitable[Json]) -> Json:
    """What a call with one answer gave, or its error."""
    try:
        return {**nothing_of(run_id), **await call}
    except HeadraceError as error:
        return {**nothing_of(run_id), "error": told(error)}


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
        "run_state": error.run_state,
        "lm_calls": None if error.usage is None else error.usage.lm_call_count,
    }
