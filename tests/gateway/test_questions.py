"""Runs that ask and tell, over HTTP: what readers are told, and how they are answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from gateway.faucet import Faucet
from gateway.programs import KEEPER, choice, keeper
from gateway.serving import BOUND, Event, Events, Gateway, gateway, hosted

TOPIC = {"topic": "weirs"}
ASKED = {
    "type": "input_request",
    "call_id": 2,
    "kind": "question",
    "message": "Which way, about weirs?",
    "answer_schema": {"enum": ["left", "right"], "type": "string"},
}
OF_THE_MOMENT = {"input_id", "create_time"}
"""What differs from run to run."""


@pytest.fixture
async def edge() -> AsyncIterator[Gateway]:
    """A gateway before a server that shows content and hosts programs that ask."""
    lm = Faucet(KEEPER)
    lm.open()

    async with hosted(lm, choice, keeper, dev=True) as server, gateway(server) as edge:
        yield edge


async def asked_of(events: Events) -> dict[str, Any]:
    """The next question."""
    async with asyncio.timeout(BOUND):
        async for event in events:
            if event.payload["type"] == "input_request":
                return event.payload

    raise AssertionError("the stream ended")


def told(events: list[Event], *types: str) -> list[dict[str, Any]]:
    payloads = [event.payload for event in events if event.data != "[DONE]"]

    return [payload for payload in payloads if payload["type"] in types]


def without(names: set[str], payload: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name not in names}


async def answer(edge: Gateway, request: dict[str, Any], **body: Any) -> dict[str, Any]:
    sent = await edge.http.post(f"/v1/runs/mine/inputs/{request['input_id']}", json=body)
    answered: dict[str, Any] = {"status": sent.status_code, **sent.json()}

    return answered


async def test_a_question_is_told_answered_and_resolved(edge: Gateway) -> None:
    async with edge.stream("choice", TOPIC, run_id="mine", accept="input,custom") as events:
        request = await asked_of(events)
        first = await answer(edge, request, answer="left", reason="it is shorter")
        rest = await events.to_the_end()

    assert without(OF_THE_MOMENT, request) == ASKED
    assert first == {
        "status": 200,
        "run_id": "mine",
        "input_id": request["input_id"],
        "call_id": 2,
        "outcome": "answered",
        "reason": "it is shorter",
    }
    assert [without(OF_THE_MOMENT, one) for one in told(events.seen, "custom")] == [
        {"type": "custom", "name": "progress", "call_id": 2, "data": {"done": done, "of": 2}}
        for done in (1, 2)
    ]
    assert [one["outcome"] for one in told(rest, "input_resolved")] == ["answered"]
    assert told(rest, "prediction")[0]["data"] == {"chosen": "left"}


async def test_the_same_answer_counts_once_and_another_is_refused(edge: Gateway) -> None:
    async with edge.stream("choice", TOPIC, run_id="mine", accept="input") as events:
        request = await asked_of(events)
        answers = [await answer(edge, request, answer=one) for one in ("left", "left", "right")]
        declined = await answer(edge, request, decline=True)

    assert [(one["status"], one.get("reason")) for one in [*answers, declined]] == [
        (200, ""),
        (200, ""),
        (409, "INPUT_RESOLVED"),
        (409, "INPUT_RESOLVED"),
    ]


async def test_an_answer_that_does_not_fit_leaves_the_question_open(edge: Gateway) -> None:
    async with edge.stream("choice", TOPIC, run_id="mine", accept="input") as events:
        request = await asked_of(events)
        refused = await answer(edge, request, answer="up")
        record = (await edge.http.get("/v1/runs/mine")).json()
        await answer(edge, request, answer="right")
        rest = await events.to_the_end()

    assert (refused["status"], refused["reason"]) == (422, "INPUT_INVALID")
    assert [one["field"] for one in refused["violations"]] == ["answer"]
    assert record["state"] == "waiting"
    assert record["input_requests"] == [without({"type", "create_time"}, request)]
    assert told(rest, "prediction")[0]["data"] == {"chosen": "right"}


async def test_a_declined_question_fails_the_run_with_its_reason(edge: Gateway) -> None:
    async with edge.stream("choice", TOPIC, run_id="mine", accept="input") as events:
        request = await asked_of(events)
        await answer(edge, request, decline=True, reason="ask again tomorrow")
        rest = await events.to_the_end()

    assert told(rest, "error")[0]["reason"] == "INPUT_DECLINED"
    assert [without(OF_THE_MOMENT, one) for one in told(rest, "input_resolved")] == [
        {
            "type": "input_resolved",
            "call_id": 2,
            "outcome": "declined",
            "reason": "ask again tomorrow",
        }
    ]


async def test_who_accepts_nothing_is_told_nothing_of_it(edge: Gateway) -> None:
    async with edge.stream("choice", TOPIC, run_id="mine") as events:
        record = await waiting(edge)
        await answer(edge, record["input_requests"][0], answer="left")
        seen = await events.to_the_end()

    assert told(seen, "custom", "input_request", "input_resolved") == []
    assert told(seen, "prediction")[0]["data"] == {"chosen": "left"}


async def waiting(edge: Gateway) -> dict[str, Any]:
    """The record of the run, once it waits."""
    async with asyncio.timeout(BOUND):
        while True:
            record: dict[str, Any] = (await edge.http.get("/v1/runs/mine")).json()

            if record.get("state") == "waiting":
                return record


async def test_a_tool_is_approved_with_other_arguments(edge: Gateway) -> None:
    inputs = {"question": "Let in less water."}
    options = {"run_id": "mine", "accept": "input", "status_detail": "all", "include_data": "true"}

    async with edge.stream("keeper", inputs, **options) as events:
        request = await asked_of(events)
        refused = await answer(edge, request, answer={"height": "low"})
        await answer(edge, request, answer={"height": 0.75})
        rest = await events.to_the_end()

    assert (request["kind"], request["tool"]) == ("approval", "set_gate")
    assert request["proposal"] == {"height": 0.5, "note": "by night"}
    assert [*request["answer_schema"]["properties"]] == ["height", "note"]
    assert [one["field"] for one in refused["violations"]] == ["answer.height"]
    ended = [one for one in told(rest, "status") if one["name"] == "set_gate" and "outcome" in one]
    assert [one["tool"]["result"] for one in ended] == ["The gate is at 0.75 m."]


async def test_runs_are_listed_by_what_they_are(edge: Gateway) -> None:
    async with edge.stream("choice", TOPIC, run_id="mine", labels="team=mill"):
        record = await waiting(edge)
        lists = {
            query: [
                run["run_id"] for run in (await edge.http.get(f"/v1/runs?{query}")).json()["runs"]
            ]
            for query in (
                "states=waiting",
                "states=succeeded,failed",
                "labels=team=mill&program=choice",
                "labels=team=weir",
                f"created_before={record['create_time']}",
                "created_after=2020-01-01T00:00:00Z&limit=1",
            )
        }

    assert lists == {
        "states=waiting": ["mine"],
        "states=succeeded,failed": [],
        "labels=team=mill&program=choice": ["mine"],
        "labels=team=weir": [],
        f"created_before={record['create_time']}": [],
        "created_after=2020-01-01T00:00:00Z&limit=1": ["mine"],
    }


@pytest.mark.parametrize(
    "query",
    [
        "states=dead",
        "limit=0",
        "limit=1001",
        "created_after=yesterday",
        "created_after=2020-01-01",
        "created_after=0001-01-01T00:00:00%2B14:00",
        "created_before=9999-12-31T23:59:59-14:00",
        "x=1",
    ],
)
async def test_a_malformed_filter_is_refused_by_name(edge: Gateway, query: str) -> None:
    answer = await edge.http.get(f"/v1/runs?{query}")

    assert (answer.status_code, answer.json()["violations"][0]["field"]) == (
        400,
        query.partition("=")[0],
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "programs"),
        ("GET", "programs/choice"),
        ("GET", "server"),
        ("POST", "runs/mine/cancel"),
        ("POST", "runs/mine/inputs/q1"),
        ("DELETE", "runs/mine"),
    ],
)
async def test_calls_without_options_refuse_every_one(
    edge: Gateway, method: str, path: str
) -> None:
    sent = await edge.http.request(method, f"/v1/{path}?reason=late")

    assert (sent.status_code, sent.json()["message"]) == (
        400,
        "reason is no option; there are none",
    )


async def test_a_method_that_a_record_does_not_take_is_told_with_those_it_takes(
    edge: Gateway,
) -> None:
    sent = await edge.http.put("/v1/runs/mine")

    assert (sent.status_code, {*sent.headers["allow"].split(", ")}) == (
        405,
        {"GET", "HEAD", "DELETE"},
    )


@pytest.mark.parametrize(
    "body", [{}, {"decline": False}, {"decline": 1}, {"answer": "left", "decline": True}]
)
async def test_an_answer_is_one_thing_or_a_decline(edge: Gateway, body: dict[str, Any]) -> None:
    sent = await edge.http.post("/v1/runs/mine/inputs/q1", json=body)

    assert (sent.status_code, sent.json()["violations"][0]["field"]) == (400, "answer")


async def test_a_reader_that_comes_back_after_any_event_gets_what_came_after_it(
    edge: Gateway,
) -> None:
    asks: dict[str, Any] = {"accept": "input,custom", "status_detail": "all"}

    async with edge.stream("choice", TOPIC, run_id="mine", **asks) as events:
        await answer(edge, await asked_of(events), answer="left")
        await events.to_the_end()

    whole = [event for event in events.seen[1:] if event.id]

    for at, event in enumerate(whole[:-1]):
        async with edge.events("mine", event.id, **asks) as rest:
            again = await rest.to_the_end()

        assert [(one.id, one.data) for one in again[1:]] == [
            (one.id, one.data) for one in whole[at + 1 :]
        ]

    kinds = [one.payload["type"] for one in whole[:-1]]
    assert [one for one in kinds if one != "status"] == [
        "custom",
        "input_request",
        "input_resolved",
        "custom",
        "prediction",
    ]


async def test_a_run_is_deleted(edge: Gateway) -> None:
    async with edge.stream("choice", TOPIC, run_id="mine") as events:
        await waiting(edge)
        deleted = await edge.http.delete("/v1/runs/mine")
        rest = await events.to_the_end()

    gone = await edge.http.get("/v1/runs/mine")
    again = await edge.http.delete("/v1/runs/mine")

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert told(rest, "error")[0]["reason"] == "RUN_CANCELLED"
    assert [one.status_code for one in (gone, again)] == [404, 404]


async def test_a_run_that_is_yet_to_start_is_refused_once_it_was_cancelled(edge: Gateway) -> None:
    cancelled = (await edge.http.post("/v1/runs/mine/cancel", json={"reason": "late"})).json()
    refused = await edge.http.post("/v1/programs/choice/predict?run_id=mine", json=TOPIC)

    assert cancelled["run_id"] == "mine"
    assert datetime.fromisoformat(cancelled["refused_until"]).tzinfo is not None
    assert (refused.status_code, refused.json()["reason"]) == (409, "RUN_CANCELLED")


async def test_the_full_record_has_the_inputs_where_the_caller_may_see_them(edge: Gateway) -> None:
    async with edge.stream("choice", TOPIC, run_id="mine"):
        await waiting(edge)
        views = [
            (await edge.http.get(f"/v1/runs/mine?view={view}")).json() for view in ("basic", "full")
        ]

    assert [view.get("inputs") for view in views] == [None, TOPIC]
