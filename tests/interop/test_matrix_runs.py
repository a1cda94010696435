"""Cases that every client passes, as in test_matrix.py: what runs tell and ask, and their records."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
from client.events import log, start
from client.scripted_service import Ending, ScriptedService, serving
from conformance.invariants import contiguous
from conformance.proxy import proxied
from grpc import StatusCode
from headrace_proto.v1 import headrace_pb2 as pb
from interop.road import Road, asked, ended

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ANSWERS: list[dict[str, Any]] = [
    {"value": "Köln"},
    {"value": 3},
    {"value": {"city": "Köln", "days": 2}, "reason": "three is too long"},
]


async def test_custom_events(road: Road) -> None:
    """What a program tells of itself arrives in order, integers exact, in batches that nobody sees."""
    (told,) = await road.play("read_each", asked("teller", steps=300))

    assert told.bodies("custom") == [
        {"call": 2, "name": "progress", "data": {"done": step, "exact": 2**53 + 1}}
        for step in range(300)
    ]
    assert told.bodies("batch") == []
    assert [*told.breaches(), *contiguous(told.journal)] == []


async def test_batches_cut(road: Road) -> None:
    """Connections that are reset in the middle of batches lose nothing, and nothing comes twice."""
    budgets = iter(random.Random(7).choices(range(2_000, 8_000), k=10))
    road.proxy.budget = lambda: next(budgets, None)
    (told,) = await road.play("read_each", asked("teller", bursts=50, steps=20))

    assert told.error is None
    assert [one["data"]["done"] for one in told.bodies("custom")] == list(range(1_000))
    assert [*told.breaches(), *contiguous(told.journal)] == []
    assert road.proxy.cuts == 10


async def test_accepting_nothing(road: Road) -> None:
    """A reader that accepts nothing new is sent nothing new, and it is counted all the same."""
    (told,) = await road.play("read_each", {**asked("teller", steps=3), "accept": []})

    assert {message.kind for message in told.messages} == {"status", "prediction"}
    assert list(contiguous(told.journal)) == []


async def test_question_answered(road: Road) -> None:
    """Questions of a run, and leave to call a tool, are answered by the reader of the run."""
    order = {**asked("planner", task="a trip"), "answers": ANSWERS, "include_data": True}
    (reading,) = await road.play("answer_each", order)
    requests = reading.bodies("input_request")
    resolved = reading.bodies("input_resolved")

    assert [(one["kind"], one["message"] or one["tool"]) for one in requests[:2]] == [
        ("QUESTION", "Which city?"),
        ("QUESTION", "How many days?"),
    ]
    assert (requests[2]["kind"], requests[2]["tool"]) == ("APPROVAL", "book")
    assert requests[2]["proposal"] == {"city": "Köln", "days": 3}
    assert [(one["outcome"], one["answer"], one["reason"]) for one in resolved] == [
        ("ANSWERED", "Köln", ""),
        ("ANSWERED", 3, ""),
        ("ANSWERED", {"city": "Köln", "days": 2}, "three is too long"),
    ]
    assert reading.values == {"task": "a trip", "booked": {"city": "Köln", "days": 2}}
    assert [*reading.breaches(), *contiguous(reading.journal)] == []


async def test_question_declined(road: Road) -> None:
    """Somebody else declines a question; the program does not recover, and the run says so."""
    answers = [{"decline": True, "reason": "nobody is here"}]
    (reading,) = await road.play(
        "answer_by_client", {**asked("planner", task="a trip"), "answers": answers}
    )

    assert ended(reading) == ("RunFailed", "FAILED_PRECONDITION", "INPUT_DECLINED")
    assert [(one["outcome"], one["reason"]) for one in reading.bodies("input_resolved")] == [
        ("DECLINED", "nobody is here")
    ]
    assert reading.failure.lm_calls == 0
    assert reading.breaches() == []


async def test_answer_again(road: Road) -> None:
    """The same answer again counts once; another one is refused, and changes nothing."""
    answers = [{"value": {"city": "Bonn", "days": 1}}, {"value": True}]
    reading, refused = await road.play("answer_again", {**asked("booking"), "answers": answers})

    assert reading.values == {"booked": {"city": "Bonn", "days": 1}}
    assert ended(refused) == ("RequestRefused", "ALREADY_EXISTS", "INPUT_RESOLVED")
    assert refused.failure.metadata["outcome"] == "ANSWERED"
    assert reading.breaches() == []


async def test_tool_data(road: Road) -> None:
    """A tool's arguments and result come as exact JSON to those who ask for data, and to no others."""
    shown = {**asked("booking"), "answers": [{"value": True}], "include_data": True}
    hidden = {**asked("booking"), "answers": [{"value": True}]}
    (told,) = await road.play("answer_each", shown)
    (bare,) = await road.play("answer_each", hidden)
    tools = [one["tool"] for one in told.bodies("status") if "tool" in one]

    assert [(one["arguments"], one["result"]) for one in tools] == [
        ({"city": "Köln", "days": 2**53 + 1}, None),
        (None, {"city": "Köln", "days": 2**53 + 1}),
    ]
    assert [one for one in bare.bodies("status") if "tool" in one] == []


async def test_whole_fields(road: Road) -> None:
    """Who asks for whole fields gets the text of each once, complete; who asks for none gets none."""
    order = asked(seed=3, branches=2)
    whole, none = await road.play(
        "read_each",
        {**order, "token_detail": "whole"},
        {**order, "token_detail": "none"},
    )
    tokens = whole.bodies("token")

    assert sorted((one["predictor"], one["field"]) for one in tokens) == sorted(whole.texts)
    assert {(one["offset"], one["is_last"]) for one in tokens} == {(0, True)}
    assert none.bodies("token") == []
    assert whole.values == none.values
    assert [*whole.breaches(), *contiguous(whole.journal), *contiguous(none.journal)] == []


async def test_suspended(command: Sequence[str]) -> None:
    """A run of which the server says neither over nor resume ends its reading at once, by that name."""
    endings = [Ending(code, run_state="PARKED") for code in (StatusCode.UNAVAILABLE, StatusCode.OK)]
    parked = ScriptedService(log(start(pb.StatusUpdate.KIND_RUN)), endings)

    async with serving(parked), proxied(parked.address) as proxy:
        readings = await Road(parked.address, proxy, command).play("read_each", asked(), asked())

    assert [one.failure.kind for one in readings] == ["RunSuspended"] * 2
    assert [one.failure.state for one in readings] == ["PARKED"] * 2
    assert [[message.sequence for message in one.messages] for one in readings] == [[1], [1]]
    assert len(parked.requests_of(pb.RunRequest)) == 2


# Records


async def test_run_filters(road: Road) -> None:
    """Runs are listed newest first: those to which the program, the states, all labels and times apply."""
    blue = {**asked("echo", text="1"), "labels": {"team": "blue"}}
    both = {**asked("echo", text="2"), "labels": {"team": "blue", "case": "7"}}
    failed = {**asked("limited"), "labels": {"team": "blue"}}
    filters: list[dict[str, Any]] = [
        {},
        {"program": "echo"},
        {"states": ["STATE_FAILED", "STATE_CANCELLED"]},
        {"labels": {"team": "blue", "case": "7"}},
        {"created_before": 1.0},
        {"created_after": 1.0, "program": "limited"},
    ]
    readings = await road.play("list_runs", blue, both, failed, filters=filters)
    one, two, three = (order["run_id"] for order in (blue, both, failed))

    assert [list(reading.listed) for reading in readings] == [
        [three, two, one],
        [two, one],
        [three],
        [two],
        [],
        [three],
    ]


async def test_deleted_run(road: Road) -> None:
    """A run that was deleted cannot be read any more."""
    whole, gone = await road.play("delete_after_end", asked("echo", text="é"))

    assert whole.values == {"text": "é", "number": 0}
    assert ended(gone) == ("RequestRefused", "NOT_FOUND", "RUN_NOT_FOUND")


async def test_cancelled_before_it_came(road: Road) -> None:
    """A run that was cancelled before it came is refused, and the client says that it is over."""
    (reading,) = await road.play("cancel_before_begin", asked("echo", text="é"))

    assert reading.state == "REFUSED"
    assert ended(reading) == ("RunFailed", "CANCELLED", "RUN_CANCELLED")
    assert list(reading.messages) == []


async def test_record_in_full(road: Road) -> None:
    """A record in full has the inputs and the outputs as exact JSON text."""
    read, record = await road.play("get_full", asked("echo", text="é", number=str(2**53 + 1)))

    assert record.state == "STATE_SUCCEEDED"
    assert record.values == read.values == {"text": "é", "number": 2**53 + 1}
    assert json.loads(record.inputs or "") == {"text": "é", "number": 2**53 + 1}
