"""Events as JSON objects: the dialect of the HTTP edge.

Names are those of the contract, values are `plain`, times RFC 3339.
"""

from __future__ import annotations

import json

from headrace_client import (
    CustomEvent,
    Failure,
    InputRequest,
    InputResolved,
    LmCall,
    ModelUsage,
    Prediction,
    StatusUpdate,
    StreamEvent,
    Token,
    ToolCall,
    Usage,
    outputs,
)

from headrace_gateway.plain import Payload, message_object, seconds, short, struct_object


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
        "kind": short(StatusUpdate.Kind.Name, status.kind),
        "phase": short(StatusUpdate.Phase.Name, status.phase),
        "name": status.name,
        "call_id": status.call_id,
        "parent_call_id": status.parent_call_id,
        **_when(envelope),
    }

    if status.outcome:
        payload["outcome"] = short(StatusUpdate.Outcome.Name, status.outcome)

    if status.HasField("elapsed"):
        payload["elapsed"] = seconds(status.elapsed)

    if status.HasField("usage"):
        payload["usage"] = usage_object(status.usage)

    if status.HasField("failure"):
        payload["failure"] = failure_object(status.failure)

    if status.HasField("data"):
        payload["data"] = struct_object(status.data)

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
        "kind": short(InputRequest.Kind.Name, request.kind),
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
        "outcome": short(InputResolved.Outcome.Name, resolved.outcome),
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
        "elapsed": seconds(prediction.elapsed),
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


def _when(envelope: StreamEvent) -> Payload:
    return {"create_time": envelope.create_time.ToJsonString()}


def failure_object(failure: Failure) -> Payload:
    """Why a call or a run failed."""
    shown: Payload = {"reason": failure.reason, "message": failure.message}

    if failure.metadata:
        shown["metadata"] = dict(sorted(failure.metadata.items()))

    if failure.HasField("retry_delay"):
        shown["retry_delay"] = seconds(failure.retry_delay)

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
        shown["time_to_first_token"] = seconds(lm.time_to_first_token)

    return shown
