"""Codec: events, failures and records as rows of JSON, and back, for stores that keep runs elsewhere.

A row is a JSON array on one line. Members are told by their place, and new ones come last: a reader
passes over those it does not know, so that releases can share a store. What must stay in the process
(causes, prompts, provider bodies, a program's own objects) has no place in a row.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, TypeAlias, assert_never

import orjson

from headrace.events import (
    COUNTS,
    CustomEvent,
    Event,
    InputKind,
    InputOutcome,
    InputRequest,
    InputResolved,
    Kind,
    LmCall,
    Outcome,
    Phase,
    PredictionEvent,
    Status,
    Token,
    ToolCall,
    Usage,
)
from headrace.log import Entry
from headrace.runs.error_codec import failure_members, failure_of
from headrace.runs.record import Ending, RunKey, RunRecord

Members: TypeAlias = list[Any]
"""A JSON array whose members are told by their place."""

STATUS, TOKEN, PREDICTION, CUSTOM, INPUT_REQUEST, INPUT_RESOLVED = 1, 2, 3, 4, 5, 6
"""The first member of every event."""

MAX_COUNT = 2**63 - 1
"""Of tokens and calls: providers may report anything."""


def row_of(entry: Entry) -> bytes:
    """The row of an entry of a log."""
    sequence, time, event, count, attempt = entry

    return _written([sequence, time, count, attempt, event_members(event)])


def entry_of(row: bytes) -> Entry:
    """The entry of a row; without the `value` of a prediction, which stays where it was made.

    Raises ValueError for an event of a kind that is not known here.
    """
    sequence, time, count, attempt, event, *_ = _read(row)

    return Entry(sequence, time, event_of(event), count, attempt)


def record_row(record: RunRecord) -> bytes:
    """The row of a run's record."""
    return _written(
        [
            *record.key,
            record.program,
            record.revision,
            record.digest,
            record.create_time,
            record.timeout,
            record.linger,
            dict(record.labels),
            record.peer,
            record.attempt,
            record.begun,
            record.inputs_json,
            None if record.ending is None else _ending_members(record.ending),
            record.end_time,
            record.expire_time,
            record.waiting,
            record.interface_revision,
        ]
    )


def record_of(row: bytes) -> RunRecord:
    """The record of a row."""
    principal, run_id, program, revision, digest, create_time, timeout, linger, *rest = _read(row)
    labels, peer, attempt, begun, inputs_json, ending, end_time, expire_time, *newer = rest

    return RunRecord(
        RunKey(principal, run_id),
        program,
        revision,
        digest,
        create_time,
        timeout,
        linger,
        labels,
        peer,
        attempt,
        begun,
        inputs_json,
        None if ending is None else _ending(ending),
        end_time,
        expire_time,
        *newer[:2],
    )


def event_members(event: Event) -> Members:
    """An event as JSON values."""
    match event:
        case Token():
            return [TOKEN, *event]
        case Status():
            return _status_members(event)
        case PredictionEvent():
            return _prediction_members(event)
        case CustomEvent():
            return [CUSTOM, *_values(event)]
        case InputRequest():
            return [INPUT_REQUEST, *_values(event)]
        case InputResolved():
            return [INPUT_RESOLVED, *_values(event)]
        case _:
            assert_never(event)


def event_of(members: Members) -> Event:
    """The event that was written so."""
    kind = members[0]

    if kind == TOKEN:
        return Token(*members[1:9])

    if kind == STATUS:
        return _status(members)

    if kind == PREDICTION:
        return _prediction(members)

    if kind == CUSTOM:
        return CustomEvent(*members[1:4])

    if kind == INPUT_REQUEST:
        input_id, call_id, asked, *rest = members[1:9]
        return InputRequest(input_id, call_id, InputKind(asked), *rest)

    if kind == INPUT_RESOLVED:
        input_id, call_id, outcome, *rest = members[1:7]
        return InputResolved(input_id, call_id, InputOutcome(outcome), *rest)

    raise ValueError(f"an event of kind {kind} is not known here")


def _prediction_members(result: PredictionEvent) -> Members:
    return [
        PREDICTION,
        dict(result.outputs),
        _usage_members(result.usage),
        result.elapsed,
        dict.fromkeys(result.cut_fields),  # an object: what is in a list is told by its place
        result.reask_count,
    ]


def _values(flat: CustomEvent | InputRequest | InputResolved | LmCall | ToolCall) -> Members:
    return [getattr(flat, field.name) for field in fields(flat)]


def _status_members(status: Status) -> Members:
    usage, failure, lm = status.usage, status.failure, status.lm

    return [
        STATUS,
        status.kind,
        status.phase,
        status.call_id,
        status.parent_call_id,
        str(status.name),
        status.message,
        status.outcome,
        status.elapsed,
        None if usage is None else _usage_members(usage),
        None if failure is None else failure_members(failure),
        None if status.data is None else dict(status.data),
        None if lm is None else _values(lm),
        None if status.tool is None else _values(status.tool),
    ]


def _status(members: Members) -> Status:
    _, kind, phase, call_id, parent, name, message, outcome, elapsed, *rest = members
    usage, failure, data, lm, tool, *_ = rest

    return Status(
        Kind(kind),
        Phase(phase),
        call_id,
        parent,
        name,
        message,
        None if outcome is None else Outcome(outcome),
        elapsed,
        None if usage is None else _usage(usage),
        None if failure is None else failure_of(failure),
        data,
        None if lm is None else LmCall(*lm[:6]),
        None if tool is None else ToolCall(*tool[:3]),
    )


def _usage_members(usage: Usage) -> Members:
    counts = (min(getattr(usage, name), MAX_COUNT) for name in COUNTS)
    models = {name: _usage_members(one) for name, one in usage.models.items()}

    return [usage.cost_usd, models, *counts]


def _usage(members: Members) -> Usage:
    cost, models, *counts = members
    by_model = {name: _usage(one) for name, one in models.items()}

    return Usage(**dict(zip(COUNTS, counts, strict=False)), cost_usd=cost, models=by_model)


def _ending_members(ending: Ending) -> Members:
    failure, result = ending.failure, ending.result

    return [
        None if failure is None else failure_members(failure),
        None if result is None else event_members(result),
        _usage_members(ending.usage),
        ending.cause,
        ending.output_bytes,
        ending.reask_count,
    ]


def _ending(members: Members) -> Ending:
    failure, result, usage, *plain = members

    return Ending(
        None if failure is None else failure_of(failure),
        None if result is None else _prediction(result),
        _usage(usage),
        *plain[:3],
    )


def _prediction(members: Members) -> PredictionEvent:
    _, outputs, usage, elapsed, cut_fields, reask_count, *_ = members

    return PredictionEvent(None, outputs, _usage(usage), elapsed, tuple(cut_fields), reask_count)


def _written(members: Members) -> bytes:
    """One line of JSON.

    What JSON in UTF-8 does not hold (half a surrogate pair, integers of more than 64 bits) is written
    in ASCII escapes and digits by the standard library, and that text is a row's only member.
    """
    try:
        return orjson.dumps(members, default=_type_name)
    except TypeError:
        return orjson.dumps([json.dumps(members, default=_type_name)])


def _read(row: bytes) -> Members:
    members: Members = orjson.loads(row)

    return json.loads(members[0]) if len(members) == 1 else members


def _type_name(value: object) -> str:
    return f"<{type(value).__name__}>"
