"""Messages of the wire as JSON objects: the dialect of the HTTP edge.

Names are those of the contract. Enum values are short and lower case ("module", "start"), durations are
seconds, times are RFC 3339, whole numbers have no fraction.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from headrace_client import (
    CustomEvent,
    Failure,
    InputRequest,
    InputResolved,
    LmCall,
    ModelUsage,
    Prediction,
    Program,
    Run,
    StatusUpdate,
    StreamEvent,
    Token,
    ToolCall,
    Usage,
    outputs,
)

Payload: TypeAlias = dict[str, Any]


def run_payload(run_id: str, program: str) -> Payload:
    """Opens every stream: which run it is of."""
    return {"type": "run", "run_id": run_id, "program": program}


def event_payload(envelope: StreamEvent) -> Payload:
    """An event; of a kind that has no form of its own here, with the names of the contract."""
    match envelope.WhichOneof("event"):
        case "token":
            return token_payload(envelope.token)
        case "status":
            return status_payload(envelope.status, envelope)
        case "prediction":
            return prediction_payload(envelope.prediction)
        case "custom":
            return {"type": "custom", **custom_object(envelope.custom), **_when(envelope)}
        case "input_request":
            asked = input_request_object(envelope.input_request)
            return {"type": "input_request", **asked, **_when(envelope)}
        case "input_resolved":
            resolved = input_resolved_object(envelope.input_resolved)
            return {"type": "input_resolved", **resolved, **_when(envelope)}
        case other:
            return {"type": other, **message_object(getattr(envelope, str(other)))}


def token_payload(token: Token) -> Payload:
    """Text of a field."""
    payload: Payload = {
        "type": "token",
        "field": token.field,
        "predictor": token.predictor,
        "chunk": token.chunk,
        "is_last": token.is_last,
        "offset": token.offset,
        "call_id": token.call_id,
    }

    if token.cached:
        payload["cached"] = True

    return payload


def status_payload(status: StatusUpdate, envelope: StreamEvent) -> Payload:
    """A call began, moved or ended."""
    payload: Payload = {
        "type": "status",
        "message": status.message,
        "kind": _short(StatusUpdate.Kind.Name, status.kind),
        "phase": _short(StatusUpdate.Phase.Name, status.phase),
        "name": status.name,
        "call_id": status.call_id,
        "parent_call_id": status.parent_call_id,
        **_when(envelope),
    }

    if status.outcome:
        payload["outcome"] = _short(StatusUpdate.Outcome.Name, status.outcome)

    if status.HasField("elapsed"):
        payload["elapsed"] = _seconds(status.elapsed)

    if status.HasField("usage"):
        payload["usage"] = usage_object(status.usage)

    if status.HasField("failure"):
        payload["failure"] = _failure(status.failure)

    if status.HasField("data"):
        payload["data"] = _plain(status.data)

    if status.HasField("tool"):
        payload["tool"] = _tool_call(status.tool)

    if status.HasField("lm"):
        payload["lm"] = _lm(status.lm)

    return payload


def custom_object(custom: CustomEvent) -> Payload:
    """What a program told of itself."""
    return {
        "name": custom.name,
        "call_id": custom.call_id,
        "data": json.loads(custom.data_json),
    }


def input_request_object(request: InputRequest) -> Payload:
    """A question; its schema and the arguments to approve as JSON."""
    shown: Payload = {
        "input_id": request.input_id,
        "call_id": request.call_id,
        "kind": _short(InputRequest.Kind.Name, request.kind),
        "message": request.message,
        "answer_schema": json.loads(request.answer_schema_json or "{}"),
    }

    if request.proposal_json:
        shown |= {"tool": request.tool, "proposal": json.loads(request.proposal_json)}

    if request.HasField("expire_time"):
        shown["expire_time"] = request.expire_time.ToJsonString()

    return shown


def input_resolved_object(resolved: InputResolved) -> Payload:
    """How a question ended."""
    shown: Payload = {
        "input_id": resolved.input_id,
        "call_id": resolved.call_id,
        "outcome": _short(InputResolved.Outcome.Name, resolved.outcome),
        "reason": resolved.reason,
    }

    if resolved.answer_json:
        shown["answer"] = json.loads(resolved.answer_json)

    return shown


def prediction_payload(prediction: Prediction) -> Payload:
    """The program's result."""
    return {"type": "prediction", **prediction_object(prediction)}


def prediction_object(prediction: Prediction) -> Payload:
    """A prediction: its outputs as `data`, and what they took."""
    return {
        "data": outputs(prediction),
        "usage": usage_object(prediction.usage),
        "elapsed": _seconds(prediction.elapsed),
        "revision": prediction.revision,
        "interface_revision": prediction.interface_revision,
        "cut_fields": list(prediction.cut_fields),
        "reask_count": prediction.reask_count,
    }


def usage_object(usage: Usage) -> Payload:
    """LM work done."""
    shown = _counts(usage)

    if usage.models:
        shown["models"] = {one.model: _counts(one) for one in usage.models}

    return shown


def _counts(usage: Usage | ModelUsage) -> Payload:
    shown: Payload = {
        "input_token_count": usage.input_token_count,
        "output_token_count": usage.output_token_count,
        "cached_input_token_count": usage.cached_input_token_count,
        "cache_write_token_count": usage.cache_write_token_count,
        "reasoning_token_count": usage.reasoning_token_count,
        "lm_call_count": usage.lm_call_count,
        "cache_hit_count": usage.cache_hit_count,
    }

    if usage.HasField("cost_usd"):
        shown["cost_usd"] = usage.cost_usd

    return shown


def program_object(program: Program) -> Payload:
    """A program: what it takes, gives and can stream. Its schemas are JSON, in their own order."""
    shown = message_object(program)

    for name in ("input_schema", "output_schema"):
        shown[name] = json.loads(shown.pop(f"{name}_json") or "{}")

    for tool in shown["tools"]:
        tool["parameters_schema"] = json.loads(tool.pop("parameters_schema_json") or "{}")

    return shown


def message_object(message: Message) -> Payload:
    """Any message as it is."""
    return cast("Payload", _whole(_written(message)))


def run_object(run: Run) -> Payload:
    """The record of a run."""
    shown: Payload = {
        "run_id": run.run_id,
        "program": run.program,
        "revision": run.revision,
        "interface_revision": run.interface_revision,
        "state": _short(Run.State.Name, run.state),
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
        shown["failure"] = _failure(run.failure)

    return shown


def server_object(message: Message) -> Payload:
    """Facts about the server; durations of its limits as seconds."""
    shown = _written(message)
    limits = getattr(message, "limits", None)

    for field, value in limits.ListFields() if limits else ():
        if isinstance(value, Duration):
            shown["limits"][field.name] = _seconds(value)

    return cast("Payload", _whole(shown))


def _when(envelope: StreamEvent) -> Payload:
    return {"create_time": envelope.create_time.ToJsonString()}


def _failure(failure: Failure) -> Payload:
    shown: Payload = {"reason": failure.reason, "message": failure.message}

    if failure.metadata:
        shown["metadata"] = dict(sorted(failure.metadata.items()))

    if failure.HasField("retry_delay"):
        shown["retry_delay"] = _seconds(failure.retry_delay)

    if failure.call_id:
        shown["call_id"] = failure.call_id

    return shown


def _tool_call(tool: ToolCall) -> Payload:
    shown: Payload = {"provider_call_id": tool.provider_call_id}

    if tool.arguments_json:
        shown["arguments"] = json.loads(tool.arguments_json)

    if tool.result_json:
        shown["result"] = json.loads(tool.result_json)

    return shown


def _lm(lm: LmCall) -> Payload:
    shown: Payload = {
        "model": lm.model,
        "engine": lm.engine,
        "finish_reason": lm.finish_reason,
        "cached": lm.cached,
        "attempt": lm.attempt,
    }

    if lm.HasField("time_to_first_token"):
        shown["time_to_first_token"] = _seconds(lm.time_to_first_token)

    return shown


def _plain(struct: Struct) -> Payload:
    return cast("Payload", _whole(MessageToDict(struct)))


def _written(message: Message) -> Payload:
    return MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _whole(value: Any) -> Any:
    """Numbers of a Struct are doubles: whole ones lose their ".0"."""
    match value:
        case dict():
            return {name: _whole(one) for name, one in value.items()}  # pyright: ignore[reportUnknownVariableType]  # JSON
        case list():
            return [_whole(one) for one in value]  # pyright: ignore[reportUnknownVariableType]  # JSON
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case _:
            return value


def _short(name_of: Callable[[Any], str], value: int) -> str:
    """KIND_LM as "lm"; a value of a later version as its number."""
    try:
        return name_of(value).partition("_")[2].lower()
    except ValueError:
        return str(value)


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9
