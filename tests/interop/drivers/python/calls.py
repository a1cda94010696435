"""Plays of the Python driver around calls with one answer: records, answers, programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from headrace_client import Client, Run, StreamEvent
from interop.drivers.python.readings import (
    Json,
    answered,
    attach,
    begin,
    given,
    message,
    nothing_of,
    read,
    resolve,
    text_of,
)


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


async def send_inputs(client: Client, replies: list[Json]) -> list[Json]:
    async def send(reply: Json) -> Json:
        resolved = await resolve(client, (reply["run_id"], reply["input_id"]), reply)

        return {"resolved": message(StreamEvent(input_resolved=resolved))["body"]}

    return [await answered(reply["run_id"], send(reply)) for reply in replies]


async def cancel_each(client: Client, runs: list[Json]) -> list[Json]:
    async def cancel(run_id: str) -> Json:
        return {"state": Run.State.Name((await client.cancel(run_id, reason="enough")).run.state)}

    return [await answered(asked["run_id"], cancel(asked["run_id"])) for asked in runs]


async def get_each(client: Client, runs: list[Json]) -> list[Json]:
    async def get(asked: Json) -> Json:
        run = await client.get_run(asked["run_id"], **given(asked, "output_form"))

        return {
            "state": Run.State.Name(run.state),
            "outputs": text_of(run.prediction) if run.HasField("prediction") else None,
            "record": {
                "reason": run.failure.reason,
                "metadata": dict(run.failure.metadata),
                "questions": [
                    message(StreamEvent(input_request=one))["body"] for one in run.input_requests
                ],
            },
        }

    return [await answered(asked["run_id"], get(asked)) for asked in runs]


async def predict_each(client: Client, runs: list[Json]) -> list[Json]:
    async def predict(asked: Json) -> Json:
        prediction = await client.predict(
            asked["program"],
            inputs=asked["inputs"],
            run_id=asked["run_id"],
            **given(asked, "output_form"),
        )

        return {"outputs": text_of(prediction)}

    return [await answered(asked["run_id"], predict(asked)) for asked in runs]


async def describe_each(client: Client, runs: list[Json]) -> list[Json]:
    async def describe(program: str) -> Json:
        described = await client.describe(program)

        return {
            "described": {
                "inputs": json.loads(described.input_schema_json),
                "outputs": json.loads(described.output_schema_json),
                "tools": {
                    tool.name: json.loads(tool.parameters_schema_json) for tool in described.tools
                },
            }
        }

    return [await answered(asked["run_id"], describe(asked["program"])) for asked in runs]
