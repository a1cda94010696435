"""The requests of the contract, from plain Python values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal, TypeAlias

from headrace_proto.v1 import headrace_pb2 as pb

from headrace_client._values import (
    chosen,
    duration,
    flag,
    json_text,
    labels,
    listed,
    text,
    timestamp,
)

StatusDetail: TypeAlias = Literal["all", "messages", "none"]
TokenDetail: TypeAlias = Literal["all", "whole", "none"]
OutputForm: TypeAlias = Literal["struct", "json", "both", "none"]
Accepted: TypeAlias = Literal["custom", "input"]
RunView: TypeAlias = Literal["basic", "full"]
RunState: TypeAlias = Literal["queued", "running", "waiting", "succeeded", "failed", "cancelled"]

HEARTBEAT_SECONDS = 15.0
"""Asked of the server, so that a longer silence means that the stream is dead."""

LARGEST_PAGE = 1000

STATUS_DETAILS: Mapping[str, pb.StatusDetail.ValueType] = {
    "all": pb.STATUS_DETAIL_ALL,
    "messages": pb.STATUS_DETAIL_MESSAGES,
    "none": pb.STATUS_DETAIL_NONE,
}

TOKEN_DETAILS: Mapping[str, pb.TokenDetail.ValueType] = {
    "all": pb.TOKEN_DETAIL_ALL,
    "whole": pb.TOKEN_DETAIL_WHOLE,
    "none": pb.TOKEN_DETAIL_NONE,
}

OUTPUT_FORMS: Mapping[str, pb.OutputForm.ValueType] = {
    "struct": pb.OUTPUT_FORM_STRUCT,
    "json": pb.OUTPUT_FORM_JSON,
    "both": pb.OUTPUT_FORM_BOTH,
    "none": pb.OUTPUT_FORM_NONE,
}

KINDS: Mapping[str, pb.EventKind.ValueType] = {
    "custom": pb.EVENT_KIND_CUSTOM,
    "input": pb.EVENT_KIND_INPUT,
}

VIEWS: Mapping[str, pb.RunView.ValueType] = {
    "basic": pb.RUN_VIEW_BASIC,
    "full": pb.RUN_VIEW_FULL,
}

STATES: Mapping[str, pb.Run.State.ValueType] = {
    "queued": pb.Run.STATE_QUEUED,
    "running": pb.Run.STATE_RUNNING,
    "waiting": pb.Run.STATE_WAITING,
    "succeeded": pb.Run.STATE_SUCCEEDED,
    "failed": pb.Run.STATE_FAILED,
    "cancelled": pb.Run.STATE_CANCELLED,
}


def inputs_json(inputs: Mapping[str, object] | None, named: Mapping[str, object]) -> str:
    """A program's inputs as JSON text; raises TypeError or ValueError naming the input at fault."""
    both = sorted(set(inputs or {}) & set(named))

    if both:
        raise TypeError(f"input {both[0]!r} is given twice: by keyword and in inputs=")

    members = [
        f"{json.dumps(name)}: {json_text(f'input {name!r}', value)}"
        for name, value in {**(inputs or {}), **named}.items()
    ]

    return "{" + ", ".join(members) + "}"


def stream_options(
    *,
    fields: object,
    token_detail: object,
    status_detail: object,
    include_data: object,
    merge_interval: object,
    output_form: object,
    accept: object,
) -> pb.StreamOptions:
    """Options of one reader; batches and heartbeats are always asked for."""
    selectors = listed("fields", fields, '["compose.answer"]')
    kinds = listed("accept", accept, '["custom", "input"]')

    return pb.StreamOptions(
        fields=[text("fields", selector) for selector in selectors],
        token_detail=chosen("token_detail", token_detail, TOKEN_DETAILS),
        status_detail=chosen("status_detail", status_detail, STATUS_DETAILS),
        include_data=flag("include_data", include_data),
        merge_interval=duration("merge_interval", merge_interval),
        heartbeat_interval=duration("heartbeat_interval", HEARTBEAT_SECONDS),
        output_form=chosen("output_form", output_form, OUTPUT_FORMS),
        accept=[*(chosen("accept", kind, KINDS) for kind in kinds), pb.EVENT_KIND_BATCH],
    )


def answer(run_id: str, input_id: str, value: object, reason: str) -> pb.SendInputRequest:
    """An answer to a question of a run, as JSON text."""
    return pb.SendInputRequest(
        run_id=run_id,
        input_id=input_id,
        answer_json=json_text("the answer", value),
        reason=reason,
    )


def get_run(run_id: str, *, view: object, output_form: object) -> pb.GetRunRequest:
    """Asks for the record of a run."""
    return pb.GetRunRequest(
        run_id=run_id,
        view=chosen("view", view, VIEWS),
        output_form=chosen("output_form", output_form, OUTPUT_FORMS),
    )


def list_runs(
    *,
    program: object,
    states: object,
    labels_: object,
    created_after: object,
    created_before: object,
) -> pb.ListRunsRequest:
    """Asks for the caller's runs, those to which all filters apply."""
    wanted = listed("states", states, '["waiting"]')

    return pb.ListRunsRequest(
        program=text("program", program),
        states=[chosen("states", state, STATES) for state in wanted],
        labels=labels(labels_),
        created_after=timestamp("created_after", created_after),
        created_before=timestamp("created_before", created_before),
    )
