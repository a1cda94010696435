"""Runs that wait for people: their state, their linger, their end, and what the store knows of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import headrace
import pytest
from headrace.errors import (
    HeadraceError,
    InputAlreadyResolved,
    InputExpired,
    InputNotFound,
    RunCancelled,
    RunTimeout,
    ServerBusy,
    ServerFault,
)
from headrace.events import InputKind, InputRequest, InputResolved, PredictionEvent, Status
from headrace.hosting.port import StartRequest
from headrace.log import RunLog
from headrace.questions import Reply
from headrace.runs.codec import record_of, record_row
from headrace.runs.inputs import end_recorded
from headrace.runs.limits import Limits
from headrace.runs.record import RunKey, RunRecord, RunState
from headrace.runs.registry import Registry
from headrace.runs.run import Run
from headrace.runs.stores.listing import ALL
from headrace.threads import portal
from server.scripted import Gate, Scripted, soon, until
from server.stores import new_store

pytestmark = pytest.mark.usefixtures("each_store")


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with opened() as one:
        yield one


@asynccontextmanager
async def opened(limits: Limits | None = None) -> AsyncGenerator[Registry, None]:
    limits = limits or Limits()

    async with Registry(limits, new_store(limits)) as registry:
        yield registry


async def asks(question: str = "why?") -> object:
    """Asks for the answer."""
    return await headrace.ask(question)


async def waiting(
    registry: Registry, play: Callable[..., Awaitable[object]] = asks, **asked: Any
) -> Run:
    """Starts a program, and gives its run once that waits and readers can have its question."""
    run = await registry.start(StartRequest(Scripted(play), {"question": "why?"}, **asked))
    await soon(until(lambda: bool(run.input_requests)))

    return run


def outline(run: Run) -> list[str]:
    """The events of a run but for statuses."""
    events = [entry.event for entry in run.log.read()]

    return [
        event.outcome.name if isinstance(event, InputResolved) else type(event).__name__
        for event in events
        if not isinstance(event, Status)
    ]


async def failure_of(run: Run) -> HeadraceError:
    await soon(run.ended())
    assert run.failure is not None

    return run.failure


def succeeded(run: Run) -> bool:
    return run.state is RunState.SUCCEEDED


async def stored(registry: Registry, run: Run) -> Run:
    """The run as its store has it."""
    found = await registry.store.get(run.key)
    assert found is not None

    return found


# State


async def test_a_run_waits_while_it_has_open_questions(registry: Registry) -> None:
    gate = Gate()

    async def play(question: str) -> object:
        answers = await asyncio.gather(headrace.ask("one?"), headrace.ask("other?"))
        await gate.play()
        return answers

    run = await waiting(registry, play)
    one, other = run.input_requests
    states = [run.state]
    await soon(run.reply(one.input_id, Reply("a")))
    states.append(run.state)
    assert run.input_requests == [other]
    await soon(run.reply(other.input_id, Reply("b")))
    await soon(gate.entered.wait())
    states.append(run.state)
    gate.opened.set()
    await soon(run.ended())

    assert states == [RunState.WAITING, RunState.WAITING, RunState.RUNNING]
    assert run.state is RunState.SUCCEEDED
    assert run.result is not None
    assert run.result.outputs == {"answer": ["a", "b"]}


async def test_the_store_knows_which_runs_wait(registry: Registry) -> None:
    run = await waiting(registry)
    found = await stored(registry, run)
    page = await registry.store.page("", ALL, size=10)

    assert (found.state, [one.state for one in page.runs]) == (
        RunState.WAITING,
        [RunState.WAITING],
    )
    assert found.input_requests == run.input_requests

    await soon(run.reply(run.input_requests[0].input_id, Reply("a")))
    await soon(run.ended())
    assert (await stored(registry, run)).state is RunState.SUCCEEDED


async def test_a_question_from_a_thread_makes_the_run_wait_too(registry: Registry) -> None:
    async def play(question: str) -> object:
        return await portal.in_thread(lambda: asyncio.run(headrace.ask(question)))

    run = await waiting(registry, play)
    await soon(until(lambda: run.state is RunState.WAITING))
    await soon(run.reply(run.input_requests[0].input_id, Reply("a")))
    await soon(run.ended())

    assert succeeded(run)


def test_a_record_that_waits_is_read_back_and_one_of_an_older_release_waits_not() -> None:
    record = RunRecord(RunKey("ann", "r1"), "p", "1", "d", 0.0, 1.0, 1.0, begun=True)
    waits = replace(record, waiting=True)

    assert record_of(record_row(waits)) == waits
    assert record_of(record_row(record).replace(b",false]", b"]")) == record


# Linger and timeout


async def test_a_run_that_waits_needs_no_reader(registry: Registry) -> None:
    run = await waiting(registry, linger=0.0)
    run.leave(run.join())
    assert run.state is RunState.WAITING

    reader = run.join()
    await soon(run.reply(run.input_requests[0].input_id, Reply("a")))
    await soon(run.ended())
    run.leave(reader)

    assert succeeded(run)


async def test_its_linger_begins_when_the_waiting_ends(registry: Registry) -> None:
    gate = Gate()

    async def play(question: str) -> object:
        await headrace.ask(question)
        return await gate.play()

    run = await waiting(registry, play, linger=0.02)
    run.leave(run.join())
    await soon(run.reply(run.input_requests[0].input_id, Reply("a")))
    failure = await failure_of(run)

    assert gate.stopped.is_set()
    assert failure.metadata == {"by": "linger"}


async def test_without_linger_and_reader_a_run_ends_with_its_waiting(registry: Registry) -> None:
    gate = Gate()

    async def play(question: str) -> object:
        await headrace.ask(question)
        return await gate.play()

    run = await waiting(registry, play, linger=0.0)
    run.leave(run.join())
    await soon(run.reply(run.input_requests[0].input_id, Reply("a")))

    assert (await failure_of(run)).metadata == {"by": "linger"}


async def test_a_linger_under_way_stops_when_the_run_begins_to_wait(registry: Registry) -> None:
    gate = Gate()

    async def play(question: str) -> object:
        await gate.play()
        return await headrace.ask(question)

    run = await registry.start(StartRequest(Scripted(play), {"question": "why?"}, linger=0.2))
    run.leave(run.join())
    gate.opened.set()
    await soon(until(lambda: run.state is RunState.WAITING))
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(0.3, over.set)
    await soon(over.wait())

    assert run.state is RunState.WAITING
    await soon(run.reply(run.input_requests[0].input_id, Reply("a")))
    await soon(run.ended())
    assert succeeded(run)


async def test_a_program_that_ends_with_a_question_left_behind_succeeds_without_readers(
    registry: Registry,
) -> None:
    tasks: list[asyncio.Task[str]] = []
    gate = Gate()

    async def play(question: str) -> object:
        tasks.append(asyncio.create_task(headrace.ask(question)))
        return await gate.play(question)

    run = await waiting(registry, play, linger=0.0)
    run.leave(run.join())
    gate.opened.set()
    await soon(run.ended())

    assert succeeded(run)
    assert [one for one in outline(run) if one != "Token"] == [
        "InputRequest",
        "WITHDRAWN",
        "PredictionEvent",
    ]
    assert isinstance(run.log.read()[-1].event, PredictionEvent)


async def test_the_timeout_of_a_run_goes_on_while_it_waits(registry: Registry) -> None:
    run = await waiting(registry, timeout=0.05)

    assert isinstance(await failure_of(run), RunTimeout)
    assert (run.state, outline(run)) == (RunState.FAILED, ["InputRequest", "WITHDRAWN"])


async def test_a_question_that_expires_fails_the_run_with_its_own_reason(
    registry: Registry,
) -> None:
    async def play(question: str) -> object:
        return await headrace.ask(question, timeout=0.05)

    run = await waiting(registry, play)

    assert isinstance(await failure_of(run), InputExpired)
    assert (run.state, outline(run)) == (RunState.FAILED, ["InputRequest", "EXPIRED"])


async def test_cancelling_a_run_withdraws_its_questions(registry: Registry) -> None:
    run = await waiting(registry, run_id="r1")
    [request] = run.input_requests
    await soon(registry.cancel("", "r1"))

    assert (run.state, run.input_requests) == (RunState.CANCELLED, [])
    assert outline(run) == ["InputRequest", "WITHDRAWN"]

    with pytest.raises(InputAlreadyResolved) as raised:
        await run.reply(request.input_id, Reply("a"))

    assert raised.value.metadata == {"outcome": "WITHDRAWN"}


async def test_draining_says_who_stopped_a_run_that_waited(registry: Registry) -> None:
    run = await waiting(registry)
    assert await soon(registry.drain(0.0)) == 1

    failure = await failure_of(run)
    assert isinstance(failure, RunCancelled)
    assert (run.state, failure.by) == (RunState.CANCELLED, "drain")
    assert outline(run) == ["InputRequest", "WITHDRAWN"]


# Replies


async def test_a_reply_returns_once_readers_can_have_the_end(registry: Registry) -> None:
    run = await waiting(registry)
    [request] = run.input_requests
    resolved, counts = await soon(run.reply(request.input_id, Reply("a", reason="so")))
    recorded = [entry.event for entry in run.log.read()]

    assert counts
    assert [one.reason for one in recorded if isinstance(one, InputResolved)] == ["so"]
    assert resolved.answer_json == '"a"'


@pytest.mark.parametrize("keeps_content", [False, True])
async def test_the_answer_is_recorded_where_content_is(keeps_content: bool) -> None:
    limits = Limits()

    async with Registry(limits, new_store(limits), keeps_content=lambda: keeps_content) as registry:
        run = await waiting(registry)
        await soon(run.reply(run.input_requests[0].input_id, Reply("a")))
        await soon(run.ended())
        recorded = [entry.event for entry in run.log.read()]

    [resolved] = [one for one in recorded if isinstance(one, InputResolved)]
    assert resolved.answer_json == ('"a"' if keeps_content else "")
    assert resolved.digest


async def test_of_a_run_that_is_over_the_log_says_whether_an_answer_repeats(
    registry: Registry,
) -> None:
    async def play(question: str) -> object:
        return await headrace.ask(question, type=int)

    run = await waiting(registry, play, run_id="r1")
    [request] = run.input_requests
    resolved, _ = await soon(run.reply(request.input_id, Reply("3")))
    await soon(run.ended())
    await soon(until(lambda: not registry.live_count))
    kept = await registry.find("", "r1")

    for same in ("3", 3, 3.0):
        again, counts = await soon(kept.reply(request.input_id, Reply(same)))
        assert (replace(again, answer_json=""), counts) == (
            replace(resolved, answer_json=""),
            False,
        )

    for other in (4, "4", None, [3]):
        with pytest.raises(InputAlreadyResolved, match="was answered otherwise"):
            await kept.reply(request.input_id, Reply(other))

    with pytest.raises(InputAlreadyResolved):
        await kept.reply(request.input_id, Reply(declines=True))

    with pytest.raises(InputNotFound):
        await kept.reply("another", Reply(3))


async def test_an_open_question_of_a_run_elsewhere_can_be_answered_later_or_there() -> None:
    async with opened() as registry:
        run = await waiting(registry)
        [request] = run.input_requests
        elsewhere = Run(run.record, run.log)

        with pytest.raises(ServerBusy, match="lives on another server"):
            await elsewhere.reply(request.input_id, Reply("a"))

        assert run.input_requests == [request]


async def test_whoever_waits_for_an_end_that_the_store_lost_is_told_so() -> None:
    log = RunLog()
    log.append(InputRequest("i1", 1, InputKind.QUESTION, "why?", "{}"))
    waits = asyncio.ensure_future(end_recorded(log, "i1"))
    await asyncio.sleep(0)
    log.close()

    with pytest.raises(ServerFault):
        await soon(waits)


async def test_runs_are_found_by_name_for_those_who_may_answer_others(registry: Registry) -> None:
    for principal in ("ann", "bob"):
        await waiting(registry, run_id="r1", principal=principal)

    await waiting(registry, run_id="r2", principal="ann")
    found = await registry.named("r1")

    assert sorted(run.key.principal for run in found) == ["ann", "bob"]
    assert {run.state for run in found} == {RunState.WAITING}
    assert await registry.named("r3") == []
