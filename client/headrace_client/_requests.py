"""The requests of the contract, from plain Python values.

Keywords of a call are the program's inputs, so an option that gets a value of the wrong type is
most likely an input of the same name: the errors here say how to pass it.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, cast

from google.protobuf.duration_pb2 import Duration
from headrace_proto.v1 import headrace_pb2 as pb

Detail: TypeAlias = Literal["all", "messages", "none"]
TokenDetail: TypeAlias = Literal["all", "whole", "none"]

HEARTBEAT_SECONDS = 15.0
"""Asked of the server, so that a longer silence means that the stream is dead."""

STATUS_DETAILS: dict[object, pb.StatusDetail.ValueType] = {
    "all": pb.STATUS_DETAIL_ALL,
    "messages": pb.STATUS_DETAIL_MESSAGES,
    "none": pb.STATUS_DETAIL_NONE,
}

TOKEN_DETAILS: dict[object, pb.TokenDetail.ValueType] = {
    "all": pb.TOKEN_DETAIL_ALL,
    "whole": pb.TOKEN_DETAIL_WHOLE,
    "none": pb.TOKEN_DETAIL_NONE,
}


def inputs_json(inputs: Mapping[str, object] | None, named: Mapping[str, object]) -> str:
    """A program's inputs as JSON text; raises TypeError or ValueError naming the input at fault."""
    both = sorted(set(inputs or {}) & set(named))

    if both:
        raise TypeError(f"input {both[0]!r} is given twice: by keyword and in inputs=")

    members = {**(inputs or {}), **named}.items()

    return (
        "{"
        + ", ".join(f"{json.dumps(name)}: {_json(name, value)}" for name, value in members)
        + "}"
    )


def stream_options(
    *,
    fields: object,
    token_detail: object,
    status_detail: object,
    include_data: object,
    merge_interval: object,
) -> pb.StreamOptions:
    """Options of one reader; exact outputs and heartbeats are always asked for."""
    if status_detail not in STATUS_DETAILS:
        raise _misused("status_detail", status_detail, '"all", "messages" or "none"')

    if token_detail not in TOKEN_DETAILS:
        raise _misused("token_detail", token_detail, '"all", "whole" or "none"')

    return pb.StreamOptions(
        fields=_selectors(fields),
        token_detail=TOKEN_DETAILS[token_detail],
        status_detail=STATUS_DETAILS[status_detail],
        include_data=_flag("include_data", include_data),
        merge_interval=duration("merge_interval", merge_interval),
        heartbeat_interval=duration("heartbeat_interval", HEARTBEAT_SECONDS),
        output_form=pb.OUTPUT_FORM_JSON,
    )


def duration(name: str, seconds: object) -> Duration | None:
    """Seconds as the wire has them; None stays unset."""
    if seconds is None:
        return None

    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise _misused(name, seconds, "a number of seconds")

    length = Duration()

    try:
        length.FromTimedelta(datetime.timedelta(seconds=seconds))
    except (OverflowError, ValueError):
        raise ValueError(f"{name}: {seconds:g} s is no length of time") from None

    return length


def text(name: str, value: object) -> str:
    """An option that is a string; None is the empty one."""
    if value is not None and not isinstance(value, str):
        raise _misused(name, value, "a string")

    return value or ""


def labels(value: object) -> dict[str, str]:
    """The labels of a run; None is none."""
    if value is None:
        return {}

    if not isinstance(value, Mapping):
        raise _misused("labels", value, "a mapping of strings to strings")

    pairs = cast("Mapping[object, object]", value).items()

    return {text("labels", name): text("labels", label) for name, label in pairs}


def _selectors(value: object) -> list[str]:
    if not isinstance(value, list | tuple):
        raise _misused("fields", value, 'a list of selectors such as ["compose.answer"]')

    return [text("fields", field) for field in cast("Sequence[object]", value)]


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _misused(name, value, "True or False")

    return value


def _misused(name: str, value: object, wanted: str) -> TypeError:
    return TypeError(
        f"{name} is an option and wants {wanted}, not {value!r}; "
        f"an input of that name goes into inputs={{{name!r}: ...}}"
    )


def _json(name: str, value: object) -> str:
    try:
        written = json.dumps(value, ensure_ascii=False, allow_nan=False)
        written.encode()  # a lone surrogate has no place in JSON that travels
    except TypeError as error:
        raise TypeError(f"input {name!r} has no JSON form: {error}") from None
    except ValueError as error:
        raise ValueError(f"input {name!r} has no JSON form: {error}") from None

    return written
