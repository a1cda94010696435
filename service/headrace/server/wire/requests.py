"""Requests decoded: inputs as plain values, and everything else checked for form.

Whatever is wrong is said by field, before anything starts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TypeAlias, TypeVar

from google.protobuf.message import DecodeError, Message
from google.protobuf.struct_pb2 import Struct
from headrace_proto.v1 import headrace_pb2 as pb

from headrace.errors import CursorAhead, FieldViolation, InputInvalid, RequestInvalid
from headrace.runs.json_limits import UnfitValue, count_elements
from headrace.runs.limits import Limits
from headrace.server.wire.durations import seconds
from headrace.server.wire.values import from_json, from_struct

CALLER_CONTEXT_BYTES: Mapping[str, int] = {"traceparent": 256, "tracestate": 512, "baggage": 8192}
"""Metadata that goes with a run for those who trace it, and how long it may be."""

StartMessage: TypeAlias = pb.RunRequest | pb.PredictRequest
M = TypeVar("M", bound=Message)

PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000

PROTO_LOADER_HINT = (
    "the inputs arrived empty; in Node with proto-loader a plain object does so: send inputs_json"
)


def parse(kind: type[M], payload: bytes) -> M:
    """A request message. Raises RequestInvalid for bytes that are none."""
    try:
        return kind.FromString(payload)
    except (DecodeError, RecursionError):
        violation = FieldViolation("request", f"is no {kind.DESCRIPTOR.full_name} message")
        raise RequestInvalid([violation]) from None


def decode_inputs(request: StartMessage, limits: Limits) -> dict[str, object]:
    """The inputs of a request, in bounds. Raises InputInvalid."""
    inputs = _inputs(request, limits)

    try:
        elements = count_elements(inputs, limits.max_input_depth)
    except UnfitValue as error:
        raise _invalid(f"{error.reason}", error.path) from None

    if elements > limits.max_input_elements:
        raise _invalid(f"hold {elements} values; at most {limits.max_input_elements} are taken")

    return inputs


def explain_empty(request: StartMessage, error: InputInvalid) -> InputInvalid:
    """The error, with a hint where inputs were sent as an empty Struct, as some clients do unawares."""
    if request.WhichOneof("input") != "inputs" or request.inputs.fields:
        return error

    return InputInvalid([*error.violations, FieldViolation("inputs", PROTO_LOADER_HINT)])


def start_timeout(request: StartMessage, limits: Limits) -> float | None:
    """Seconds the run may take; None where the caller leaves it to the server."""
    if not request.HasField("timeout"):
        return None

    return seconds(request.timeout, "timeout", limits.max_timeout) or None


def start_linger(request: StartMessage, limits: Limits) -> float | None:
    """Seconds the run outlives its last reader; None where the caller leaves it to the server."""
    if not request.HasField("linger"):
        return None

    return seconds(request.linger, "linger", limits.max_linger)


def check_labels(labels: Mapping[str, str], limits: Limits) -> dict[str, str]:
    """The labels of a run. Raises RequestInvalid for too many or too long ones."""
    length = limits.max_label_length

    if len(labels) > limits.max_labels:
        raise RequestInvalid([FieldViolation("labels", f"at most {limits.max_labels} are kept")])

    if any(len(text) > length for label in labels.items() for text in label):
        raise RequestInvalid([FieldViolation("labels", f"at most {length} characters each")])

    return dict(labels)


def check_not_negative(after: int) -> None:
    """Raises RequestInvalid for a cursor below 0."""
    if after < 0:
        raise RequestInvalid([FieldViolation("after_sequence", "must not be negative")])


def check_not_ahead(after: int, last_sequence: int) -> None:
    """Raises CursorAhead for a cursor that the run's log has not reached."""
    if after > last_sequence:
        raise CursorAhead(f"after_sequence is {after}, and the run's last event is {last_sequence}")


def _inputs(request: StartMessage, limits: Limits) -> dict[str, object]:
    match request.WhichOneof("input"):
        case "inputs":
            return _from_struct(request.inputs, limits)
        case "inputs_json":
            return _from_json(request.inputs_json, limits)
        case _:
            return {}


def _from_struct(struct: Struct, limits: Limits) -> dict[str, object]:
    _check_size(struct.ByteSize(), limits)

    return from_struct(struct)


def _from_json(text: str, limits: Limits) -> dict[str, object]:
    _check_size(len(text.encode()), limits)

    try:
        value = from_json(text)
    except json.JSONDecodeError as error:
        raise _invalid(f"is not JSON: {error.msg} at character {error.pos}", json=True) from None
    except ValueError as error:
        raise _invalid(f"is not JSON: {error}", json=True) from None
    except RecursionError:
        raise _invalid("nests too deep", json=True) from None

    if not isinstance(value, dict):
        raise _invalid("must be a JSON object", json=True)

    return {str(name): member for name, member in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON


def _check_size(size: int, limits: Limits) -> None:
    if size > limits.max_input_bytes:
        raise _invalid(f"are {size} bytes; at most {limits.max_input_bytes} are taken")


def _invalid(reason: str, path: str = "", *, json: bool = False) -> InputInvalid:
    field = "inputs_json" if json else "inputs"

    return InputInvalid([FieldViolation(f"{field}.{path}" if path else field, reason)])


def page_size(asked: int) -> int:
    """How many items a page has. Raises RequestInvalid."""
    if not 0 <= asked <= MAX_PAGE_SIZE:
        raise RequestInvalid([FieldViolation("page_size", f"must be 0 to {MAX_PAGE_SIZE}")])

    return asked or PAGE_SIZE


def caller_context(metadata: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
    """The trace context in a call's metadata; what is too long is left out, for half of it says nothing.

    Of several values under one name the list counts, as HTTP has it.
    """
    found: dict[str, str] = {}

    for name, value in metadata:
        if name in CALLER_CONTEXT_BYTES and isinstance(value, str):
            found[name] = f"{found[name]},{value}" if name in found else value

    return {
        name: value for name, value in found.items() if len(value) <= CALLER_CONTEXT_BYTES[name]
    }
