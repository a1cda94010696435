"""The client against the real server, in runs that tell, ask and wait."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Literal

import pytest
from client.programs import acting
from client.reading import read_all
from client.road import road_to
from headrace import ask
from headrace.calls import current_run
from headrace.errors import InputExpired as ExpiredInside
from headrace.events import CustomEvent as Told
from headrace.testing import serve_programs
from headrace_client import (
    Client,
    CustomEvent,
    Event,
    InputAlreadyResolved,
    InputDeclined,
    InputExpired,
    InputInvalid,
    InputNotFound,
    InputRequest,
    InputResolved,
    Prediction,
    Run,
    RunStream,
    StatusUpdate,
    SyncClient,
    outputs,
)

BOUND = 20.0
"""Seconds; a test that waits so long has failed."""


@pytest.fixture(autouse=True)
async def bound() -> AsyncGenerator[None, None]:
    async with asyncio.timeout(BOUND):
        yield


async def choosing(number: int) -> object:
    """Tells, asks, and tells what it was told."""
    tell("progress", done=1)
    choice = await ask("Which of these?", type=Literal["a", "b"])
    tell("progress", done=2)

    return {"answer": choice}


def tell(name: str, **data: object) -> None:
    run = current_run()
    assert run is not None
    run.emit(Told(name, 1, json.dumps(data)))


@pytest.fixture
async def address() -> AsyncGenerator[str, None]:
    async with serve_programs(acting(choosing)) as address:
        yield address


@pytest.fixture
async def client(address: str) -> AsyncGenerator[Client, None]:
    async with Client(address) as client:
        yield client


async def asked(run: RunStream) -> InputRequest:
    """Reads up to the next question."""
    async for event in run:
        if isinstance(event, InputRequest):
            return event

    raise AssertionError("the run asks nothing")


def names(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events if not isinstance(event, StatusUpdate)]


async def test_a_question_is_read_answered_and_resolved_in_order(client: Client) -> None:
    events: list[Event] = []

    async with client.run("acting") as run:
        async for event in run:
            events.append(event)

            if isinstance(event, InputRequest):
                assert (event.message, json.loads(event.answer_schema_json)["enum"]) == (
                    "Which of these?",
                    ["a", "b"],
                )
                await run.answer(event.input_id, "b")

        assert await run.result() == {"answer": "b"}

    assert names(events) == [
        "CustomEvent",
        "InputRequest",
        "InputResolved",
        "CustomEvent",
        "Prediction",
    ]


async def test_the_record_shows_a_waiting_run_and_what_it_asks(client: Client) -> None:
    async with client.run("acting", run_id="r") as run:
        question = await asked(run)
        record = await client.get_run("r")
        await client.answer("r", question.input_id, "a", reason="the first")
        await run.prediction()
        after = await client.get_run("r")

    assert record.state == Run.STATE_WAITING
    assert list(record.input_requests) == [question]
    assert (after.state, list(after.input_requests)) == (Run.STATE_SUCCEEDED, [])
    assert outputs(after.prediction) == {"answer": "a"}


async def test_answers_that_cannot_be_taken_are_refused_and_leave_the_question_open(
    client: Client,
) -> None:
    async with client.run("acting", run_id="r") as run:
        question = await asked(run)

        with pytest.raises(InputInvalid) as caught:
            await run.answer(question.input_id, "c")

        with pytest.raises(InputNotFound):
            await run.answer("never-asked", "a")

        first = await run.answer(question.input_id, "a")
        again = await client.answer("r", question.input_id, "a")

        with pytest.raises(InputAlreadyResolved):
            await run.answer(question.input_id, "b")

        assert await run.result() == {"answer": "a"}

    assert [violation.field for violation in caught.value.violations] == ["answer"]
    assert first.outcome == again.outcome == InputResolved.OUTCOME_ANSWERED


async def test_a_declined_question_fails_a_run_that_does_not_recover(client: Client) -> None:
    async with client.run("acting") as run:
        question = await asked(run)
        resolved = await run.decline(question.input_id, reason="not now")

        with pytest.raises(InputDeclined, match="not now") as caught:
            await run.prediction()

    assert resolved.outcome == InputResolved.OUTCOME_DECLINED
    assert (caught.value.reason, caught.value.run_state) == ("INPUT_DECLINED", "FAILED")


async def test_a_question_that_nobody_answers_expires_and_the_program_may_go_on() -> None:
    async def impatient(number: int) -> object:
        try:
            return {"answer": await ask("Well?", timeout=0.05)}
        except ExpiredInside:
            return {"answer": "nobody spoke"}

    async with serve_programs(acting(impatient)) as address, Client(address) as client:
        events = await read_all(client.run("acting"))

    assert [event.outcome for event in events if isinstance(event, InputResolved)] == [
        InputResolved.OUTCOME_EXPIRED
    ]
    assert [outputs(event) for event in events if isinstance(event, Prediction)] == [
        {"answer": "nobody spoke"}
    ]


async def test_or_the_run_fails_with_it() -> None:
    async def impatient(number: int) -> object:
        return await ask("Well?", timeout=0.05)

    async with serve_programs(acting(impatient)) as address, Client(address) as client:
        with pytest.raises(InputExpired) as caught:
            await client.predict("acting")

    assert (caught.value.reason, caught.value.run_state) == ("INPUT_EXPIRED", "FAILED")


async def test_roads_that_break_while_a_run_waits_lose_nothing(address: str) -> None:
    async with road_to(address) as road, Client(road.address, linger=30) as client:
        events: list[Event] = []

        async with client.run("acting") as run:
            async for event in run:
                events.append(event)
                road.break_now()
                await asyncio.sleep(0)

                if isinstance(event, InputRequest):
                    await run.answer(event.input_id, "b")

    async with Client(address) as client:
        assert await read_all(client.attach(run.run_id)) == events

    assert road.breaks > 1
    assert names(events).count("InputRequest") == names(events).count("InputResolved") == 1


async def test_a_run_read_on_after_any_event_equals_the_run_read_whole(client: Client) -> None:
    async with client.run("acting", run_id="r") as run:
        await run.answer((await asked(run)).input_id, "a")
        await run.prediction()

    whole = await read_all(client.attach("r"))

    for taken in range(len(whole)):
        async with client.attach("r") as first:
            iterator = aiter(first)
            events = [await anext(iterator) for _ in range(taken)]

        events += await read_all(client.attach("r", after_sequence=first.cursor))
        assert events == whole


@pytest.mark.parametrize(
    ("accept", "kinds"),
    [
        ([], ["Prediction"]),
        (["custom"], ["CustomEvent", "CustomEvent", "Prediction"]),
        (["input"], ["InputRequest", "InputResolved", "Prediction"]),
    ],
)
async def test_a_reader_gets_no_kind_that_it_does_not_accept(
    client: Client, accept: list[Literal["custom", "input"]], kinds: list[str]
) -> None:
    async with client.run("acting", run_id="r") as run:
        await run.answer((await asked(run)).input_id, "a")
        await run.prediction()

    async with client.attach("r", accept=accept) as narrow:
        events = [event async for event in narrow]

    assert names(events) == kinds
    assert narrow.cursor == run.cursor


async def test_code_without_an_event_loop_answers_too(address: str) -> None:
    def read() -> tuple[list[object], dict[str, str]]:
        told: list[object] = []

        with SyncClient(address) as client, client.run("acting") as run:
            for event in run:
                match event:
                    case CustomEvent():
                        told.append(json.loads(event.data_json))
                    case InputRequest():
                        with SyncClient(address) as other:
                            other.answer(run.run_id, event.input_id, "b")
                    case _:
                        pass

            return told, run.result()

    assert await asyncio.to_thread(read) == ([{"done": 1}, {"done": 2}], {"answer": "b"})
