"""Runs that tell of themselves, ask and are answered, as Python code sees them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from client.events import answered, approval, custom, log, prediction, question, token
from client.scripted_service import Ending, ScriptedService, serving
from grpc import StatusCode
from headrace_client import (
    Client,
    CustomEvent,
    Event,
    FieldViolation,
    InputAlreadyResolved,
    InputInvalid,
    InputNotFound,
    InputRequest,
    InputResolved,
)
from headrace_proto.v1 import headrace_pb2 as pb

TOLD: list[Event] = [
    custom("progress", done=3, of=10),
    question("q1", "Which of these?", enum=["a", "b"]),
    answered("q1"),
    approval("q2", "send_mail", to="ann"),
    answered("q2"),
    token("self.answer", "done", last=True),
    prediction(answer="done"),
]


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    """Plays a run that tells how far it is, and asks two things."""
    async with serving(ScriptedService(log(*TOLD))) as service:
        yield service


async def test_a_run_is_answered_while_it_is_read(client: Client, service: ScriptedService) -> None:
    events: list[Event] = []

    async with client.run("asker") as run:
        async for event in run:
            events.append(event)

            match event:
                case InputRequest(kind=InputRequest.KIND_QUESTION):
                    options = json.loads(event.answer_schema_json)["enum"]
                    await run.answer(event.input_id, options[1], reason="the better one")
                case InputRequest(proposal_json=proposal):
                    await run.answer(event.input_id, {**json.loads(proposal), "to": "bob"})
                case _:
                    pass

    assert events == TOLD
    assert service.requests_of(pb.SendInputRequest) == [
        pb.SendInputRequest(
            run_id=run.run_id, input_id="q1", answer_json='"b"', reason="the better one"
        ),
        pb.SendInputRequest(run_id=run.run_id, input_id="q2", answer_json='{"to": "bob"}'),
    ]


async def test_what_a_run_tells_can_be_matched_by_its_parts(client: Client) -> None:
    told: list[object] = []

    async with client.run("asker") as run:
        async for event in run:
            match event:
                case CustomEvent(name="progress", data_json=data):
                    told.append(json.loads(data))
                case InputRequest(input_id=input_id):
                    await run.decline(input_id)
                case InputResolved(input_id=input_id):
                    told.append(input_id)
                case _:
                    pass

    assert told == [{"done": 3, "of": 10}, "q1", "q2"]


async def test_somebody_else_may_answer(client: Client, service: ScriptedService) -> None:
    resolved = await client.answer("r", "q1", 2**60 + 1)

    assert resolved == InputResolved(
        input_id="q1",
        outcome=InputResolved.OUTCOME_ANSWERED,
        answer_json="1152921504606846977",
    )
    assert service.requests == [
        pb.SendInputRequest(run_id="r", input_id="q1", answer_json="1152921504606846977")
    ]


async def test_somebody_else_may_decline(client: Client, service: ScriptedService) -> None:
    resolved = await client.decline("r", "q2", reason="not today")

    assert resolved == InputResolved(
        input_id="q2", outcome=InputResolved.OUTCOME_DECLINED, reason="not today"
    )
    assert service.requests == [
        pb.SendInputRequest(run_id="r", input_id="q2", decline=True, reason="not today")
    ]


async def test_the_same_answer_again_is_no_error_and_another_one_is(client: Client) -> None:
    first = await client.answer("r", "q1", "a")

    assert await client.answer("r", "q1", "a") == first

    with pytest.raises(InputAlreadyResolved, match="answered otherwise") as caught:
        await client.decline("r", "q1")

    assert caught.value.metadata["outcome"] == "ANSWERED"


async def test_a_question_that_was_never_asked_cannot_be_answered(client: Client) -> None:
    with pytest.raises(InputNotFound, match="no such question"):
        await client.answer("r", "q9", "a")


async def test_an_answer_that_does_not_fit_is_refused_by_name(
    client: Client, service: ScriptedService
) -> None:
    service.endings = [
        Ending(
            StatusCode.INVALID_ARGUMENT,
            "answer: 'c' is neither 'a' nor 'b'",
            "INPUT_INVALID",
            violations={"answer": "'c' is neither 'a' nor 'b'"},
        )
    ]

    with pytest.raises(InputInvalid) as caught:
        await client.answer("r", "q1", "c")

    assert caught.value.violations == (FieldViolation("answer", "'c' is neither 'a' nor 'b'"),)
    assert (await client.answer("r", "q1", "a")).outcome == InputResolved.OUTCOME_ANSWERED


@pytest.mark.parametrize(
    ("value", "kind"),
    [({1, 2}, TypeError), (float("nan"), ValueError), ("\ud800", ValueError)],
)
async def test_an_answer_that_is_no_json_is_refused_here(
    client: Client, service: ScriptedService, value: object, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match="the answer has no JSON form"):
        await client.answer("r", "q1", value)

    assert service.requests == []


async def test_an_answer_whose_receipt_was_lost_is_sent_again(
    client: Client, service: ScriptedService
) -> None:
    service.endings = [Ending(StatusCode.UNAVAILABLE)]

    assert (await client.answer("r", "q1", "a")).outcome == InputResolved.OUTCOME_ANSWERED
    assert len(service.requests) == 2


async def test_a_field_is_read_past_what_the_run_asks(
    client: Client, service: ScriptedService
) -> None:
    await client.answer("r", "q1", "a")
    await client.answer("r", "q2", True)

    async with client.attach("r") as run:
        assert [piece async for piece in run.field("answer")] == ["done"]
        assert await run.result() == {"answer": "done"}
