"""Records of the server as JSON objects: programs, runs, the server itself. The dialect is that of `payloads`."""

from __future__ import annotations

import json
from typing import cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from headrace_client import Program, Run

from headrace_gateway.payloads import (
    failure_object,
    input_request_object,
    prediction_object,
    usage_object,
)
from headrace_gateway.plain import Payload, message_object, seconds, short, whole, written


def program_object(program: Program) -> Payload:
    """A program: what it takes, gives and can stream. Its schemas are JSON, in their own order."""
    shown = message_object(program)

    for name in ("input_schema", "output_schema"):
        shown[name] = json.loads(shown.pop(f"{name}_json") or "{}")

    for tool in shown["tools"]:
        tool["parameters_schema"] = json.loads(tool.pop("parameters_schema_json") or "{}")

    return shown


def run_object(run: Run) -> Payload:
    """The record of a run."""
    shown: Payload = {
        "run_id": run.run_id,
        "program": run.program,
        "revision": run.revision,
        "interface_revision": run.interface_revision,
        "state": short(Run.State.Name, run.state),
        "attempt": run.attempt,
        "last_sequence": run.last_sequence,
        "reader_count": run.reader_count,
        "labels": dict(sorted(run.labels.items())),
        "usage": usage_object(run.usage),
        "reask_count": run.reask_count,
    }

    if run.input_requests:
        shown["input_requests"] = [input_request_object(one) for one in run.input_requests]

    if run.inputs_json:
        shown["inputs"] = json.loads(run.inputs_json)

    for name in ("create_time", "end_time", "expire_time"):
        if run.HasField(name):
            shown[name] = getattr(run, name).ToJsonString()

    if run.HasField("prediction"):
        shown["prediction"] = prediction_object(run.prediction)

    if run.HasField("failure"):
        shown["failure"] = failure_object(run.failure)

    return shown


def server_object(message: Message) -> Payload:
    """Facts about the server; durations of its limits as seconds."""
    shown = written(message)
    limits = getattr(message, "limits", None)

    for field, value in limits.ListFields() if limits else ():
        if isinstance(value, Duration):
            shown["limits"][field.name] = seconds(value)

    return cast("Payload", whole(shown))
