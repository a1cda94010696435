"""A run as Server-Sent Events, over real sockets, before a real server."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import httpx
import pytest
from gateway.cutting import cutting
from gateway.faucet import Faucet
from gateway.programs import ANSWER, COMPOSER, EVIDENCE, IDEAS, QUESTION, REASONING, composer
from gateway.serving import BOUND, Event, Events, Gateway, gateway, hosted, texts_of
from headrace import Predict, Program
from headrace.errors import LMRateLimitError
from headrace_client import Client

INPUTS = {"question": QUESTION}

one = Program(Predict("question -> answer"), name="one")

WHOLE = {
    "ideas.brainstorm.reasoning": REASONING["brainstorm"],
    "ideas.brainstorm.brainstorm": IDEAS,
    "evidence.probe.reasoning": REASONING["evidence"],
    "evidence.probe.evidence": EVIDENCE,
    "compose.reasoning": REASONING["answer"],
    "compose.answer": ANSWER,
}


async def test_a_run_streams_the_payloads_that_the_field_knows(edge: Gateway, lm: Faucet) -> None:
    lm.open()

    async with edge.stream("composer", INPUTS) as events:
        seen = await events.to_the_end()

    assert events.response.headers["content-type"] == "text/event-stream"
    kinds = [event.payload["type"] for event in seen[:-1]]
    assert sorted(set(kinds)) == ["prediction", "run", "status", "token"]
    assert messages(seen) == [
        "Spinning ideas...",
        "Pulling evidence...",
        "Ideas ready.",
        "Evidence ready.",
    ]
    assert texts_of(seen) == WHOLE
    prediction = seen[-2].payload
    assert prediction["data"] == {"reasoning": REASONING["answer"], "answer": ANSWER}
    assert prediction["usage"]["lm_call_count"] == 3
    assert seen[-1].data == "[DONE]"


async def test_the_first_event_and_the_headers_name_the_run(edge: Gateway, lm: Faucet) -> None:
    lm.open()

    async with edge.stream("composer", INPUTS, run_id="mine") as events:
        seen = await events.to_the_end()

    assert seen[0].payload == {"type": "run", "run_id": "mine", "program": "composer"}
    assert events.response.headers["headrace-run-id"] == "mine"
    assert events.retry == "1000"


async def test_ids_are_positions_and_grow_and_the_last_one_says_end(
    edge: Gateway, lm: Faucet
) -> None:
    lm.open()

    async with edge.stream("composer", INPUTS, run_id="mine") as events:
        seen = await events.to_the_end()

    ids = [event.id for event in seen if event.id]
    positions = [int(id.removeprefix("mine:")) for id in ids[:-1]]
    assert positions == sorted(set(positions))
    assert ids[-1] == seen[-1].id == "mine:end"


async def test_every_call_is_told_of_to_who_asks_for_all_statuses(
    edge: Gateway, lm: Faucet
) -> None:
    lm.open()

    async with edge.stream("composer", INPUTS, status_detail="all", token_detail="none") as events:
        seen = [event.payload for event in (await events.to_the_end())[1:-2]]

    starts = {one["call_id"]: one["kind"] for one in seen if one["phase"] == "start"}
    ends = {one["call_id"]: one["outcome"] for one in seen if one["phase"] == "end"}
    assert [kind for _, kind in sorted(starts.items())][:2] == ["run", "module"]
    assert {*starts.values()} == {"run", "module", "lm"}
    assert ends == dict.fromkeys(starts, "ok")


async def test_fields_and_statuses_can_be_left_out(edge: Gateway, lm: Faucet) -> None:
    lm.open()

    async with edge.stream(
        "composer", INPUTS, fields="compose.answer", status_detail="none"
    ) as events:
        seen = await events.to_the_end()

    assert texts_of(seen) == {"compose.answer": ANSWER}
    assert messages(seen) == []


async def test_a_reader_goes_on_after_the_last_event_it_saw(edge: Gateway, lm: Faucet) -> None:
    async with edge.stream("composer", INPUTS, run_id="mine") as events:
        lm.let(40)
        first = await up_to_text(events)
        last_id = events.last_id

    await edge.left_alone("mine")
    lm.open()

    async with edge.events("mine", last_id) as events:
        rest = await events.to_the_end()

    assert texts_of(first + rest[1:]) == WHOLE
    positions = [int(one.id.split(":")[1]) for one in rest if one.id and one.id != "mine:end"]
    assert min(positions) > int(last_id.split(":")[1])


async def test_a_position_may_be_asked_for_in_the_query(edge: Gateway, lm: Faucet) -> None:
    lm.open()

    async with edge.stream("composer", INPUTS, run_id="mine") as events:
        whole = await events.to_the_end()

    last = next(event.id for event in reversed(whole) if event.id != "mine:end")
    position = int(last.split(":")[1]) - 1

    async with edge.events("mine", after_sequence=position) as events:
        rest = await events.to_the_end()

    assert [event.payload["type"] for event in rest[:-1]] == ["run", "prediction"]


@pytest.mark.parametrize("last", ["mine:end", "end"])
async def test_a_reader_that_saw_the_end_is_told_not_to_come_again(
    edge: Gateway, lm: Faucet, last: str
) -> None:
    lm.open()

    async with edge.stream("composer", INPUTS, run_id="mine") as events:
        await events.to_the_end()

    async with edge.events("mine", last) as events:
        assert (events.response.status_code, await events.to_the_end()) == (204, [])


async def test_an_ended_run_can_be_read_from_its_start(edge: Gateway, lm: Faucet) -> None:
    lm.open()

    async with edge.stream("composer", INPUTS, run_id="mine") as events:
        await events.to_the_end()

    async with edge.events("mine") as events:
        again = await events.to_the_end()

    assert texts_of(again) == WHOLE
    assert again[-1].data == "[DONE]"


async def test_the_same_request_again_joins_the_run(edge: Gateway, lm: Faucet) -> None:
    lm.open()

    async with edge.stream("composer", INPUTS, run_id="mine") as events:
        first = await events.to_the_end()

    async with edge.stream("composer", INPUTS, run_id="mine") as events:
        second = await events.to_the_end()

    assert first[-2].data == second[-2].data


async def test_a_run_that_fails_ends_with_an_error_and_no_done(
    lm: Faucet,
) -> None:
    limited = LMRateLimitError("the provider asks to slow down", model="m", retry_after=7.0)
    lm = Faucet({**COMPOSER, "answer": limited})
    lm.open()

    async with (
        hosted(lm, composer) as address,
        gateway(address) as edge,
        edge.stream("composer", INPUTS, run_id="mine") as events,
    ):
        seen = await events.to_the_end()

        error = seen[-1]
        assert error.id == "mine:end"
        assert error.payload["reason"] == "LM_RATE_LIMITED"
        assert error.payload["run_id"] == "mine"
        assert error.payload["run_state"] == "failed"
        assert error.payload["usage"]["lm_call_count"] == 2
        assert "Traceback" not in error.data

        async with edge.events("mine", seen[-2].id) as events:
            assert [one.data for one in (await events.to_the_end())[1:]] == [error.data]


@pytest.mark.parametrize(
    ("program", "inputs", "query", "status", "reason"),
    [
        ("composr", INPUTS, {}, 404, "PROGRAM_NOT_FOUND"),
        ("composer", {}, {}, 422, "INPUT_INVALID"),
        ("composer", {"qestion": "?"}, {}, 422, "INPUT_INVALID"),
        ("composer", INPUTS, {"fields": "compose.anser"}, 400, "REQUEST_INVALID"),
        ("composer", INPUTS, {"run_id": "not an id"}, 400, "REQUEST_INVALID"),
        ("composer", INPUTS, {"linger": "-1"}, 400, "REQUEST_INVALID"),
        ("composer", INPUTS, {"revision": "000000000000"}, 412, "REVISION_MISMATCH"),
    ],
)
async def test_what_the_server_refuses_is_a_status_and_no_stream(
    edge: Gateway,
    program: str,
    inputs: dict[str, Any],
    query: dict[str, str],
    status: int,
    reason: str,
) -> None:
    async with edge.stream(program, inputs, **query) as events:
        body = json.loads(await events.response.aread())

    assert (events.response.status_code, body["reason"]) == (status, reason)
    assert body["type"] == "error"
    assert "run_id" not in body  # nothing was started


async def test_a_position_beyond_the_run_is_refused(edge: Gateway, lm: Faucet) -> None:
    lm.open()

    async with edge.stream("composer", INPUTS, run_id="mine") as events:
        await events.to_the_end()

    async with edge.events("mine", "mine:9999") as events:
        body = json.loads(await events.response.aread())

    assert (events.response.status_code, body["reason"]) == (400, "CURSOR_AHEAD")


@pytest.mark.parametrize("last", ["other:3", "mine:x", "mine:-1", "mine:99999999999", "mine:"])
async def test_a_position_that_is_none_is_refused(edge: Gateway, lm: Faucet, last: str) -> None:
    lm.open()

    async with edge.stream("composer", INPUTS, run_id="mine") as events:
        await events.to_the_end()

    async with edge.events("mine", last) as events:
        body = json.loads(await events.response.aread())

    assert (events.response.status_code, body["reason"]) == (400, "REQUEST_INVALID")
    assert body["violations"][0]["field"] == "Last-Event-ID"


async def test_a_run_nobody_knows_is_not_found(edge: Gateway) -> None:
    async with edge.events("nobodys") as events:
        body = json.loads(await events.response.aread())

    assert (events.response.status_code, body["reason"]) == (404, "RUN_NOT_FOUND")


async def test_who_leaves_lets_the_run_linger(edge: Gateway, lm: Faucet) -> None:
    async with edge.stream("composer", INPUTS, run_id="mine") as events:
        lm.let(40)
        await up_to_text(events)

    await edge.left_alone("mine")
    record = (await edge.http.get("/v1/runs/mine")).json()
    assert (record["state"], lm.stopped.is_set()) == ("running", False)


async def test_who_leaves_a_run_that_does_not_linger_stops_it(edge: Gateway, lm: Faucet) -> None:
    async with edge.stream("composer", INPUTS, run_id="mine", linger=0) as events:
        lm.let(40)
        await up_to_text(events)

    async with asyncio.timeout(BOUND):
        await lm.stopped.wait()


async def test_a_run_stopped_elsewhere_ends_the_stream_with_why(edge: Gateway, lm: Faucet) -> None:
    async with edge.stream("composer", INPUTS, run_id="mine") as events:
        reading = asyncio.ensure_future(events.to_the_end())
        lm.let(8)
        await asyncio.wait_for(lm.waiting.wait(), BOUND)
        stopped = await edge.http.post("/v1/runs/mine/cancel", json={"reason": "enough"})
        seen = await reading

    assert stopped.json()["state"] in ("running", "cancelled")
    error = seen[-1].payload
    assert (error["reason"], error["run_state"]) == ("RUN_CANCELLED", "cancelled")
    assert error["metadata"]["by"] == "caller"


async def test_silence_is_filled_with_comments(server: str, lm: Faucet) -> None:
    async with (
        gateway(server, heartbeat_interval=0.05) as edge,
        edge.stream("composer", INPUTS) as events,
    ):
        reading = asyncio.ensure_future(events.to_the_end())
        await asyncio.wait_for(events.was_silent.wait(), BOUND)
        lm.open()
        seen = await reading

    assert texts_of(seen) == WHOLE


async def test_a_response_begins_before_a_slow_run_has_said_anything(
    edge: Gateway, lm: Faucet, server: str
) -> None:
    async with Client(server) as client, client.run("composer", question="q", run_id="mine") as run:
        await anext(aiter(run))
        at = run.cursor

        while (await client.get_run("mine")).last_sequence > at:
            at = (await client.get_run("mine")).last_sequence

        async with edge.events("mine", after_sequence=at) as events:
            assert events.response.status_code == 200
            lm.open()
            seen = await events.to_the_end()

    assert seen[0].payload["type"] == "run"
    assert seen[-1].data == "[DONE]"


async def test_a_slow_reader_gets_merged_text_and_loses_none() -> None:
    long = "".join(f"{number} drops fall. " for number in range(20_000)).strip()
    lm = Faucet({"answer": {"answer": long}}, size=12)
    lm.open()
    small = httpx.AsyncHTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)])
    path = "/v1/programs/one"

    async with (
        hosted(lm, one) as address,
        gateway(address) as edge,
        httpx.AsyncClient(base_url=edge.url, transport=small, timeout=BOUND) as http,
        http.stream("POST", f"{path}/stream", json=INPUTS, params={"run_id": "mine"}) as response,
    ):
        await edge.http.post(f"{path}/predict", json=INPUTS, params={"run_id": "mine"})
        seen = await Events(response).to_the_end()

    assert texts_of(seen) == {"self.answer": long}
    assert len(seen) < len(long) / 12 / 6  # what sockets hold came as it was


async def test_the_way_to_the_server_may_break(server: str, lm: Faucet) -> None:
    async with (
        cutting(port_of(server)) as way,
        gateway(f"127.0.0.1:{way.port}") as edge,
        edge.stream("composer", INPUTS) as events,
    ):
        reading = asyncio.ensure_future(events.to_the_end())

        for _ in range(3):
            lm.let(30)
            await asyncio.wait_for(lm.waiting.wait(), BOUND)
            way.cut()

        lm.open()
        seen = await reading

    assert texts_of(seen) == WHOLE
    assert way.accepted > 1


async def test_a_server_that_has_forgotten_the_run_is_said_in_an_event(
    server: str, lm: Faucet
) -> None:
    async with (
        hosted(lm, composer) as another,
        cutting(port_of(server)) as way,
        gateway(f"127.0.0.1:{way.port}") as edge,
        edge.stream("composer", INPUTS, run_id="mine") as events,
    ):
        lm.let(40)
        await up_to_text(events)
        way.target = port_of(another)
        way.cut()
        error = (await events.to_the_end())[-1]

    assert error.id == "mine:end"
    assert error.payload["reason"] == "RUN_NOT_FOUND"
    assert "run_state" not in error.payload  # nobody knows how far it got


async def test_a_server_out_of_reach_is_said_in_a_status() -> None:
    async with (
        gateway("127.0.0.1:1") as edge,
        edge.stream("composer", INPUTS, run_id="mine") as events,
    ):
        body = json.loads(await events.response.aread())

    assert events.response.status_code == 503
    assert body == {
        "type": "error",
        "reason": "SERVER_UNREACHABLE",
        "message": "the gateway cannot reach the headrace server",
        "run_id": "mine",  # it may have been started
    }


async def test_a_gateway_that_ends_cuts_its_streams_and_the_runs_go_on(
    server: str, lm: Faucet
) -> None:
    async with (
        gateway(server) as edge,
        edge.stream("composer", INPUTS, run_id="mine") as events,
    ):
        reading = asyncio.ensure_future(events.to_the_end())
        lm.let(20)
        await asyncio.wait_for(lm.waiting.wait(), BOUND)
        edge.waiting.end()
        first = await reading

    assert first[-1].data != "[DONE]"
    lm.open()

    async with gateway(server) as edge, edge.events("mine", events.last_id) as events:
        rest = await events.to_the_end()

    assert texts_of(first + rest[1:]) == WHOLE


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def messages(seen: list[Event]) -> list[str]:
    statuses = [event.payload for event in seen if event.data.startswith('{"type":"status"')]

    return [status["message"] for status in statuses]


async def up_to_text(events: Events) -> list[Event]:
    """The events up to the first text that comes under an id."""
    async with asyncio.timeout(BOUND):
        async for event in events:
            if event.id and event.payload["type"] == "token":
                return events.seen

    raise AssertionError("the run ended without text")
