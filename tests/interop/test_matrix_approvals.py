"""Cases that every client passes, as in test_matrix.py: an agent whose tool wants leave, and who gives it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack

import pytest
from conformance.invariants import contiguous
from conformance.proxy import proxied
from headrace.server.config import Config
from headrace.testing import serve_programs
from interop.programs import PROGRAMS
from interop.road import Road, asked, ended, paved
from interop.waiting import ANN, BEN, EVE, JOE, PRINCIPALS, endings, keeping, to, waiting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EDITED = {"sluice": "mill", "height": 0.75, "by": "motor"}
"""What is made of the keeper's proposal, which is the mill's gate at 0.5 m, by hand."""


@pytest.fixture
async def road(command: Sequence[str]) -> AsyncGenerator[Road, None]:
    """A road to a server that knows its callers, for Ann."""
    async with paved(command, principals=PRINCIPALS) as road:
        road.token = ANN
        yield road


async def test_approval_edited_by_another(road: Road) -> None:
    """A tool's arguments are edited by another who may, over another connection; what does not fit leaves
    the question open."""
    order = keeping("set_gate")

    async with waiting(road, order) as (question, reading):
        replies = [
            to(order, question, value={**EDITED, "height": "low"}),
            to(order, question, value=EDITED, reason="the river is high"),
        ]
        misfit, taken = await road.play("send_inputs", replies=replies, token=BEN)

    (told,) = reading.result()
    (request,) = told.bodies("input_request")
    (resolved,) = told.bodies("input_resolved")

    assert (request["kind"], request["tool"]) == ("APPROVAL", "set_gate")
    assert request["proposal"] == {"sluice": "mill", "height": 0.5}
    assert ended(misfit) == ("RequestRefused", "INVALID_ARGUMENT", "INPUT_INVALID")
    assert misfit.failure.violations == ["answer.height"]
    assert taken.resolved == {**resolved, "answer": None}
    assert (resolved["outcome"], resolved["answer"]) == ("ANSWERED", EDITED)
    assert resolved["reason"] == "the river is high"
    assert told.values["report"] == "mill at 0.75 m by motor"
    assert [*told.breaches(), *contiguous(told.journal)] == []


async def test_approval_refused_to_a_third(road: Road) -> None:
    """Who may not answer is told of no such run, and so is who may answer for other programs alone."""
    order = keeping("set_gate")

    async with waiting(road, order) as (question, reading):
        replies = [to(order, question, value=True), to(order, question, decline=True)]
        strangers = [
            *await road.play("send_inputs", replies=replies, token=EVE),
            *await road.play("send_inputs", replies=replies, token=JOE),
            *await road.play("attach_each", order, token=EVE),
            *await road.play("get_each", order, token=EVE),
            *await road.play("attach_each", {**order, "include_data": False}, token=BEN),
        ]
        (waits,) = await road.play("get_each", order)
        (taken,) = await road.play("send_inputs", replies=replies[:1])

    (told,) = reading.result()

    assert [ended(one) for one in strangers] == [
        ("RequestRefused", "NOT_FOUND", "RUN_NOT_FOUND")
    ] * 7
    assert waits.state == "STATE_WAITING"
    assert taken.resolved is not None
    assert taken.resolved["outcome"] == "ANSWERED"
    assert told.values["report"] == "mill at 0.5 m by hand"


async def test_approval_answered_twice(road: Road) -> None:
    """The same answer again is taken, whoever gives it; another one is refused, and so is declining."""
    order = keeping("set_gate")

    async with waiting(road, order) as (question, reading):
        edited = to(order, question, value=EDITED)
        others = [
            to(order, question, value=True),
            to(order, question, decline=True),
            {**edited, "input_id": "never"},
        ]
        once, twice, *refused = await road.play(
            "send_inputs", replies=[edited, edited, *others], token=BEN
        )
        (again,) = await road.play("send_inputs", replies=[edited])

    (told,) = reading.result()
    exists = ("RequestRefused", "ALREADY_EXISTS", "INPUT_RESOLVED")

    assert once.resolved == twice.resolved == again.resolved
    assert [ended(one) for one in refused] == [
        exists,
        exists,
        ("RequestRefused", "NOT_FOUND", "INPUT_NOT_FOUND"),
    ]
    assert [one.failure.metadata["outcome"] for one in refused[:2]] == ["ANSWERED"] * 2
    assert endings(told) == [("ANSWERED", "")]
    assert told.values["report"] == "mill at 0.75 m by motor"
    assert told.breaches() == []


async def test_approval_declined(road: Road) -> None:
    """A tool that is declined is not called; the agent's model is told why, and goes on."""
    order = keeping("set_gate")

    async with waiting(road, order) as (question, reading):
        reply = to(order, question, decline=True, reason="not by night")
        (declined,) = await road.play("send_inputs", replies=[reply], token=BEN)

    (told,) = reading.result()
    assert declined.resolved is not None

    assert declined.resolved["outcome"] == "DECLINED"
    assert endings(told) == [("DECLINED", "not by night")]
    assert "declined: not by night" in told.values["report"]
    assert [one["outcome"] for one in told.bodies("status") if one["name"] == "set_gate"] == [
        "UNSPECIFIED",
        "ERROR",
    ]
    assert told.breaches() == []


async def test_approval_expired(road: Road) -> None:
    """A tool for which nobody gave leave in time is not called; the model is told, and goes on."""
    order = keeping("ring_bell")
    (told,) = await road.play("read_each", order)
    (question,) = told.bodies("input_request")
    late = {"run_id": order["run_id"], "input_id": question["input_id"], "value": True}
    (refused,) = await road.play("send_inputs", replies=[late], token=BEN)

    assert endings(told) == [("EXPIRED", "")]
    assert "not answered within 0.1 s" in told.values["report"]
    assert ended(refused) == ("RequestRefused", "ALREADY_EXISTS", "INPUT_RESOLVED")
    assert refused.failure.metadata["outcome"] == "EXPIRED"
    assert told.breaches() == []


async def test_question_expired(road: Road) -> None:
    """A question that nobody answers in time fails a program that does not recover, by that name."""
    order = asked("hasty")
    (told,) = await road.play("read_each", order)
    (record,) = await road.play("get_each", order)

    assert ended(told) == ("RunFailed", "DEADLINE_EXCEEDED", "INPUT_EXPIRED")
    assert (told.failure.run_state, record.state) == ("FAILED", "STATE_FAILED")
    assert endings(told) == [("EXPIRED", "")]
    assert record.record is not None
    assert record.record["reason"] == "INPUT_EXPIRED"
    assert told.breaches() == []


async def test_waiting_is_told(road: Road) -> None:
    """Who accepts no questions is sent none, and finds in the run's record that it waits, and for what."""
    order = keeping("set_gate", accept=[])
    states = [{"states": ["STATE_WAITING"]}, {"states": ["STATE_RUNNING", "STATE_SUCCEEDED"]}]

    async with waiting(road, order) as (question, reading):
        (record,) = await road.play("get_each", order)
        waits, goes_on = await road.play("list_runs", filters=states)
        await road.play("send_inputs", replies=[to(order, question, value=True)])

    (told,) = reading.result()
    assert record.record is not None
    (shown,) = record.record["questions"]

    assert record.state == "STATE_WAITING"
    assert (shown["input_id"], shown["tool"]) == (question.input_id, "set_gate")
    assert shown["proposal"] == json.loads(question.proposal_json)
    assert [list(waits.listed), list(goes_on.listed)] == [[order["run_id"]], []]
    assert {message.kind for message in told.messages} == {"status", "token", "prediction"}
    assert told.values["report"] == "mill at 0.5 m by hand"
    assert [*told.breaches(), *contiguous(told.journal)] == []


async def test_cancelled_while_waiting(road: Road) -> None:
    """Cancelling a run withdraws what it asks; stream and record say who did it, and answers come too late."""
    order = keeping("set_gate")

    async with waiting(road, order) as (question, reading):
        (stopped,) = await road.play("cancel_each", order)
        (record,) = await road.play("get_each", order)
        reply = to(order, question, value=True)
        (late,) = await road.play("send_inputs", replies=[reply], token=BEN)

    (told,) = reading.result()

    assert ended(told) == ("RunFailed", "CANCELLED", "RUN_CANCELLED")
    assert (told.failure.metadata["by"], told.failure.run_state) == ("caller", "CANCELLED")
    assert endings(told) == [("WITHDRAWN", "")]
    assert [stopped.state, record.state] == ["STATE_CANCELLED"] * 2
    assert record.record == {
        "reason": "RUN_CANCELLED",
        "metadata": {"by": "caller"},
        "questions": [],
    }
    assert ended(late) == ("RequestRefused", "ALREADY_EXISTS", "INPUT_RESOLVED")
    assert late.failure.metadata["outcome"] == "WITHDRAWN"
    assert told.breaches() == []


async def test_drained_while_waiting(command: Sequence[str]) -> None:
    """A server that ends withdraws what its runs ask, and says to their readers that it was the drain."""
    async with AsyncExitStack() as serving:
        config = Config(principals=PRINCIPALS)
        address = await serving.enter_async_context(serve_programs(*PROGRAMS, config=config))

        async with proxied(address) as proxy:
            road = Road(address, proxy, command)
            road.token = ANN

            async with waiting(road, keeping("set_gate")) as (_, reading):
                await serving.aclose()

    (told,) = reading.result()

    assert ended(told) == ("RunFailed", "CANCELLED", "RUN_CANCELLED")
    assert (told.failure.metadata["by"], told.failure.run_state) == ("drain", "CANCELLED")
    assert endings(told) == [("WITHDRAWN", "")]
    assert told.breaches() == []
