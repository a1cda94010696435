"""Requests decoded: a start and a reader's options as the core takes them, pages, and inputs.

Whatever is wrong with the form is said by field, before anything starts.
"""

from __future__ import annotations

import enum
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias, TypeVar

from headrace_proto.v1 import headrace_pb2 as pb

from headrace.errors import FieldViolation, RequestInvalid
from headrace.runs.limits import Limits
from headrace.runs.stores.listing import RunFilter
from headrace.server.core import Start
from headrace.server.selection import (
    EventKind,
    OutputForm,
    ReaderOptions,
    StatusDetail,
    TokenDetail,
    selector,
)
from headrace.server.v1.bounded import BoundedJson
from headrace.server.v1.values import moment, seconds

StartMessage: TypeAlias = pb.RunRequest | pb.PredictRequest

PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000

MAX_MERGE_INTERVAL = 60.0
MIN_HEARTBEAT_INTERVAL = 0.05
MAX_HEARTBEAT_INTERVAL = 3600.0

Choice = TypeVar("Choice", bound=enum.IntEnum)

PROTO_LOADER_HINT = (
    "the inputs arrived empty; in Node with proto-loader a plain object does so: send inputs_json"
)


def decode_start(request: StartMessage, limits: Limits) -> tuple[Start, ReaderOptions]:
    """A request to run a program. Raises RequestInvalid, InputInvalid."""
    options = (
        decode_reader(request, limits) if isinstance(request, pb.RunRequest) else ReaderOptions()
    )
    start = Start(
        request.program,
        decode_inputs(request, limits),
        revision=request.revision,
        interface_revision=request.interface_revision,
        run_id=request.run_id,
        timeout=_timeout(request, limits),
        linger=_linger(request, limits),
        labels=_labels(request.labels, limits),
        resumes=options.after > 0,
        input_hint=PROTO_LOADER_HINT if _sends_empty_struct(request) else "",
    )

    return start, options


def decode_reader(request: pb.RunRequest | pb.AttachRequest, limits: Limits) -> ReaderOptions:
    """The options by which the caller follows a run. Raises RequestInvalid."""
    options = request.options
    merge_interval = seconds(options.merge_interval, "options.merge_interval", MAX_MERGE_INTERVAL)
    heartbeat_interval = _heartbeat_interval(options, limits)

    if request.after_sequence < 0:
        raise RequestInvalid([FieldViolation("after_sequence", "must not be negative")])

    return ReaderOptions(
        after=request.after_sequence,
        fields=frozenset(selector(field) for field in options.fields),
        token_detail=_choice(options.token_detail, TokenDetail.ALL),
        status_detail=_choice(options.status_detail, StatusDetail.ALL),
        include_data=options.include_data,
        merge_interval=merge_interval,
        heartbeat_interval=heartbeat_interval,
        output_form=output_form(options.output_form),
        accept=_kinds(options.accept),
    )


def _kinds(asked: Iterable[int]) -> frozenset[EventKind]:
    """The kinds that are known here; a request has room for a million others."""
    distinct = frozenset(asked)

    return frozenset(kind for kind in EventKind if kind in distinct)


def output_form(asked: int) -> OutputForm:
    """The form of outputs that is asked for."""
    return _choice(asked, OutputForm.STRUCT)


def page_size(asked: int) -> int:
    """Items of a page. Raises RequestInvalid."""
    if asked < 0:
        raise RequestInvalid([FieldViolation("page_size", "must not be negative")])

    return min(asked, MAX_PAGE_SIZE) or PAGE_SIZE


def page_token(place: str) -> str:
    """A place between two pages as callers are given it, who are not to read it; "" for none."""
    return urlsafe_b64encode(place.encode()).decode().rstrip("=")


def page_place(token: str) -> str:
    """The place that a token names. Raises RequestInvalid for one that was not given."""
    try:
        place = urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except ValueError:
        place = ""

    if page_token(place) != token:
        problem = "must be the next_page_token of the page before"
        raise RequestInvalid([FieldViolation("page_token", problem)])

    return place


def decode_filter(request: pb.ListRunsRequest) -> RunFilter:
    """Which runs are asked for. Raises RequestInvalid."""
    if pb.Run.STATE_UNSPECIFIED in request.states:
        raise RequestInvalid([FieldViolation("states", "0 is no state; leave it out for any")])

    return RunFilter(
        program=request.program,
        states=frozenset(request.states),
        labels=dict(request.labels),
        created_after=_moment(request, "created_after"),
        created_before=_moment(request, "created_before"),
    )


def decode_inputs(request: StartMessage, limits: Limits) -> dict[str, object]:
    """The inputs of a request, in bounds. Raises InputInvalid."""
    inputs = BoundedJson("inputs", limits)

    match request.WhichOneof("input"):
        case "inputs":
            return inputs.struct(request.inputs)
        case "inputs_json":
            return inputs.object_text(request.inputs_json)
        case _:
            return {}


def _sends_empty_struct(request: StartMessage) -> bool:
    """True as well for clients that meant to send more and do so unawares."""
    return request.WhichOneof("input") == "inputs" and not request.inputs.fields


def _timeout(request: StartMessage, limits: Limits) -> float | None:
    if not request.HasField("timeout"):
        return None

    return seconds(request.timeout, "timeout", limits.max_timeout) or None


def _linger(request: StartMessage, limits: Limits) -> float | None:
    if not request.HasField("linger"):
        return None

    return seconds(request.linger, "linger", limits.max_linger)


def _moment(
    request: pb.ListRunsRequest, field: Literal["created_after", "created_before"]
) -> float | None:
    return moment(getattr(request, field), field) if request.HasField(field) else None


def _labels(labels: Mapping[str, str], limits: Limits) -> dict[str, str]:
    length = limits.max_label_length

    if len(labels) > limits.max_labels:
        raise RequestInvalid([FieldViolation("labels", f"at most {limits.max_labels} are kept")])

    if any(len(text) > length for label in labels.items() for text in label):
        raise RequestInvalid([FieldViolation("labels", f"at most {length} characters each")])

    return dict(labels)


def _choice(asked: int, default: Choice) -> Choice:
    """What is asked for; of a number that is not known here, which a newer contract may have, the default."""
    kind = type(default)

    return kind(asked) if asked in [*kind] else default


def _heartbeat_interval(options: pb.StreamOptions, limits: Limits) -> float:
    if not options.HasField("heartbeat_interval"):
        return limits.heartbeat_interval

    interval = seconds(
        options.heartbeat_interval, "options.heartbeat_interval", MAX_HEARTBEAT_INTERVAL
    )

    return max(interval, MIN_HEARTBEAT_INTERVAL) if interval else 0.0
