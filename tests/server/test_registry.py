"""The registry: starting, joining, lingering, stopping, expiring, draining."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from anyio import wait_all_tasks_blocked
from headrace.errors import (
    OutputUnserialisable,
    ProgramError,
    QuotaExceeded,
    RequestInvalid,
    RunCancelled,
    RunIdReused,
    RunNotFound,
    RunTimeout,
    RunTooLarge,
    ServerBusy,
    ServerDraining,
)
from headrace.events import Outcome, PredictionEvent, Status
from headrace.hosting.port import StartRequest
from headrace.runs.admission import Admission
from headrace.runs.limits import Limits
from headrace.runs.registry import Registry
from headrace.runs.run import Run, RunState
from server.scripted import Gate, Scripted, echo, soon, started, write


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async for one in opened():
        yield one


async def opened(limits: Limits | None = None) -> AsyncIterator[Registry]:
    registry = Registry(limits)

    try:
        yield registry
    finally:
        await registry.close()


def order(play: Callable[..., Awaitable[object]] = echo, **asked: Any) -> StartRequest:
    inputs = asked.pop("inputs", {"question": "why?"})

    return StartRequest(Scripted(play), inputs, **asked)


async def timer(seconds: float) -> None:
    """Waits for a timer that is set now: those that were due before it have gone off."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    await soon(over.wait())


async def found_for_ever(registry: Registry, run_id: str) -> None:
    """Looks for a run again and again. Raises RunNotFound once it is gone."""
    while True:
        await registry.find("", run_id)
        await asyncio.sleep(0.001)


async def result_of(run: Run) -> object:
    await soon(run.ended())
    assert run.result is not None

    return run.result.outputs


async def test_a_run_ends_with_its_result_and_keeps_its_record(registry: Registry) -> None:
    run = await registry.start(order(run_id="r1", labels={"team": "blue"}))

    assert await result_of(run) == {"answer": "why?"}
    assert (run.state, run.run_id, run.program, run.labels) == (
        RunState.SUCCEEDED,
        "r1",
        "scripted",
        {"team": "blue"},
    )
    assert isinstance(run.log.read()[-1].event, PredictionEvent)
    assert await registry.find("", "r1") is run


async def test_the_server_picks_an_id_where_the_caller_has_none(registry: Registry) -> None:
    one = await registry.start(order())
    other = await registry.start(order())

    assert one.run_id != other.run_id
    assert await registry.find("", one.run_id) is one


@pytest.mark.parametrize("run_id", ["-a", "_a", "a b", "a" * 65, "é", "a\n"])
async def test_a_malformed_run_id_is_refused(run_id: str) -> None:
    with pytest.raises(RequestInvalid, match="run_id: must be 1 to 64"):
        order(run_id=run_id)


async def test_a_second_start_joins_the_first(registry: Registry) -> None:
    gate = Gate()
    first = await started(registry, order(gate.play, run_id="r1"))
    second = await registry.start(order(gate.play, run_id="r1", linger=7.0, labels={"a": "b"}))

    assert second is first
    assert (first.linger, first.labels) == (7.0, {})


async def test_an_id_with_other_inputs_is_refused(registry: Registry) -> None:
    await registry.start(order(run_id="r1"))

    with pytest.raises(RunIdReused):
        await registry.start(order(run_id="r1", inputs={"question": "how?"}))


async def test_the_order_of_inputs_does_not_make_them_other(registry: Registry) -> None:
    one = order(run_id="r1", inputs={"a": 1, "b": 2})
    assert one.digest == order(inputs={"b": 2, "a": 1}).digest


async def test_the_same_id_of_two_principals_is_two_runs(registry: Registry) -> None:
    one = await registry.start(order(run_id="r1", principal="ann"))
    other = await registry.start(order(run_id="r1", principal="bob"))

    assert one is not other
    assert await registry.find("ann", "r1") is one

    with pytest.raises(RunNotFound):
        await registry.find("eve", "r1")


async def test_a_principal_s_runs_are_listed_newest_first_in_pages(registry: Registry) -> None:
    for number in range(5):
        await registry.start(order(run_id=f"r{number}", principal="ann"))

    await registry.start(order(run_id="other", principal="bob"))
    first, token = await registry.page("ann", size=2)
    second, token = await registry.page("ann", size=2, token=token)
    third, end = await registry.page("ann", size=2, token=token)

    pages = [[run.run_id for run in page] for page in (first, second, third)]
    assert pages == [["r4", "r3"], ["r2", "r1"], ["r0"]]
    assert end == ""


async def test_runs_that_start_between_pages_repeat_none(registry: Registry) -> None:
    for number in range(3):
        await registry.start(order(run_id=f"r{number}"))

    _, token = await registry.page("", size=1)
    await registry.start(order(run_id="newer"))
    rest, _ = await registry.page("", size=9, token=token)

    assert [run.run_id for run in rest] == ["r1", "r0"]


async def test_runs_are_listed_by_program(registry: Registry) -> None:
    await registry.start(order(run_id="r1"))

    assert await registry.page("", "another", size=9) == ([], "")


@pytest.mark.parametrize("token", ["x", "nan:r1", "1.2.3:r1", ":"])
async def test_a_page_token_that_is_none_is_refused(registry: Registry, token: str) -> None:
    with pytest.raises(RequestInvalid, match="page_token"):
        await registry.page("", size=9, token=token)


async def test_an_order_that_resumes_never_starts_a_run(registry: Registry) -> None:
    with pytest.raises(RunNotFound):
        await registry.start(order(run_id="r1", resumes=True))

    assert registry.live_count == 0


async def test_a_run_whose_last_reader_leaves_is_stopped(registry: Registry) -> None:
    gate = Gate()
    run = await started(registry, order(gate.play))
    one, other = run.join(), run.join()
    run.leave(one)
    assert not run.over

    run.leave(other)
    await soon(gate.stopped.wait())
    await soon(run.ended())
    assert run.state is RunState.CANCELLED
    assert run.failure is not None
    assert run.failure.metadata == {"by": "linger"}


async def test_a_run_lingers_for_a_reader_that_comes_back(registry: Registry) -> None:
    gate = Gate()
    run = await started(registry, order(gate.play, linger=0.05))
    run.leave(run.join())
    cursor = run.join()
    await timer(0.05)
    assert not run.over

    run.leave(cursor)
    await soon(run.ended())
    assert run.state is RunState.CANCELLED


async def test_a_reader_that_the_server_sends_away_does_not_count_as_leaving(
    registry: Registry,
) -> None:
    gate = Gate()
    run = await started(registry, order(gate.play))
    run.leave(run.join(), counts=False)
    await wait_all_tasks_blocked()
    assert not run.over

    gate.opened.set()
    assert await result_of(run) == {"answer": "why?"}


async def test_cancelling_ends_open_calls_and_is_repeatable(registry: Registry) -> None:
    gate = Gate()
    await started(registry, order(gate.play, run_id="r1"))
    run = await soon(registry.cancel("", "r1", "not needed"))

    assert run.state is RunState.CANCELLED
    assert str(run.failure) == "run cancelled by caller: not needed"
    ends = [entry.event for entry in run.log.read() if isinstance(entry.event, Status)]
    assert ends[-1].outcome is Outcome.CANCELLED
    assert await soon(registry.cancel("", "r1")) is run


async def test_cancelling_an_ended_run_changes_nothing(registry: Registry) -> None:
    run = await registry.start(order(run_id="r1"))
    await soon(run.ended())

    assert (await registry.cancel("", "r1")).state is RunState.SUCCEEDED


async def test_the_timeout_is_that_of_the_run(registry: Registry) -> None:
    run = await registry.start(order(Gate().play, timeout=0.02))
    await soon(run.ended())

    assert run.state is RunState.FAILED
    assert isinstance(run.failure, RunTimeout)
    assert run.failure.seconds == 0.02


async def test_what_a_program_raises_stays_inside(registry: Registry) -> None:
    async def fails(question: str) -> object:
        raise RuntimeError("sk-secret")

    run = await registry.start(order(fails))
    await soon(run.ended())

    assert isinstance(run.failure, ProgramError)
    assert "sk-secret" not in run.failure.message


async def test_a_run_that_records_too_much_fails() -> None:
    async def floods(question: str) -> object:
        for _ in range(1000):
            write("answer", "x" * 1000)
            await asyncio.sleep(0)

        return "done"

    async for registry in opened(Limits(max_run_bytes=20_000)):
        run = await registry.start(order(floods))
        await soon(run.ended())

        assert isinstance(run.failure, RunTooLarge)
        assert run.log.recorded_bytes < 40_000


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (float("nan"), OutputUnserialisable),
        ({"a": {"b": {"c": {}}}}, OutputUnserialisable),
        ("x" * 1100, RunTooLarge),
    ],
)
async def test_outputs_that_no_reader_could_be_sent_fail_the_run(
    value: object, kind: type[Exception]
) -> None:
    async def gives(question: str) -> object:
        return value

    async for registry in opened(Limits(max_output_depth=3, max_prediction_bytes=1000)):
        run = await registry.start(order(gives))
        await soon(run.ended())

        assert isinstance(run.failure, kind)


async def test_runs_beyond_the_limit_wait_and_begin_in_order() -> None:
    gates = [Gate(), Gate(), Gate()]

    async for registry in opened(Limits(max_running_count=1)):
        first, second, third = [await started(registry, order(gate.play)) for gate in gates]
        assert [run.state.name for run in (first, second, third)] == ["RUNNING", "QUEUED", "QUEUED"]

        gates[0].opened.set()
        await soon(gates[1].entered.wait())
        assert not gates[2].entered.is_set()
        await soon(registry.cancel("", third.run_id))
        gates[1].opened.set()
        assert await result_of(second) == {"answer": "why?"}
        assert (third.state.name, third.log.last_sequence) == ("CANCELLED", 0)


async def test_a_stopped_run_gives_its_place_in_the_queue_up() -> None:
    gate = Gate()

    async for registry in opened(Limits(max_running_count=1, max_queued_count=1)):
        await started(registry, order(gate.play))
        waiting = await registry.start(order())

        with pytest.raises(ServerBusy) as refusal:
            await registry.start(order())

        assert refusal.value.retry_delay == 1.0
        waiting.stop(RunCancelled("caller"))
        assert (await registry.start(order())).state is RunState.QUEUED


async def test_one_principal_cannot_take_all_places() -> None:
    gate = Gate()

    async for registry in opened(Limits(max_running_count_per_principal=1)):
        run = await started(registry, order(gate.play, principal="ann"))

        with pytest.raises(QuotaExceeded):
            await registry.start(order(principal="ann"))

        await registry.start(order(principal="bob"))
        gate.opened.set()
        await soon(run.ended())
        await wait_all_tasks_blocked()
        await registry.start(order(principal="ann"))


def test_starts_per_second_are_limited_and_the_refusal_says_for_how_long() -> None:
    now = 100.0
    admission = Admission(Limits(max_starts_per_second=2), clock=lambda: now)
    admission.check("ann")
    admission.check("ann")

    with pytest.raises(QuotaExceeded) as refusal:
        admission.check("ann")

    assert refusal.value.retry_delay == 0.5

    admission.check("bob")
    now += 0.5
    admission.check("ann")


async def test_a_registry_keeps_to_its_starts_per_second() -> None:
    async for registry in opened(Limits(max_starts_per_second=0.001)):
        await registry.start(order())

        with pytest.raises(QuotaExceeded):
            await registry.start(order())


async def test_joining_costs_nothing_of_the_limits() -> None:
    gate = Gate()

    async for registry in opened(Limits(max_running_count=1, max_queued_count=0)):
        run = await started(registry, order(gate.play, run_id="r1"))

        assert await registry.start(order(gate.play, run_id="r1")) is run


async def test_ended_runs_expire() -> None:
    async for registry in opened(Limits(retention=0.02)):
        run = await registry.start(order(run_id="r1"))
        await soon(run.ended())

        with pytest.raises(RunNotFound):
            await soon(found_for_ever(registry, "r1"))


async def test_ended_runs_make_room_for_newer_ones() -> None:
    async for registry in opened(Limits(max_retained_bytes=20_000)):
        for number in range(5):
            run = await registry.start(order(run_id=f"r{number}"))
            await soon(run.ended())
            await wait_all_tasks_blocked()

        assert await registry.find("", "r4")

        with pytest.raises(RunNotFound):
            await registry.find("", "r0")


async def test_draining_lets_runs_end_and_takes_no_new_ones(registry: Registry) -> None:
    gate = Gate()
    run = await started(registry, order(gate.play, run_id="r1"))
    draining = asyncio.ensure_future(registry.drain(5.0))
    await wait_all_tasks_blocked()

    with pytest.raises(ServerDraining):
        await registry.start(order())

    assert await registry.start(order(gate.play, run_id="r1")) is run
    gate.opened.set()
    assert await soon(draining) == 0
    assert run.state is RunState.SUCCEEDED


async def test_draining_stops_what_does_not_end_in_time(registry: Registry) -> None:
    run = await started(registry, order(Gate().play))

    assert await soon(registry.drain(0.01)) == 1
    assert run.failure is not None
    assert run.failure.metadata == {"by": "drain"}


async def test_draining_does_not_wait_for_a_program_that_will_not_stop(registry: Registry) -> None:
    entered, released = asyncio.Event(), asyncio.Event()

    async def stubborn(question: str) -> object:
        entered.set()

        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()

        return "never mind"

    run = await started(registry, order(stubborn))
    await soon(entered.wait())

    assert await soon(registry.drain(0.01, unwind=0.01)) == 1
    assert run.state is RunState.CANCELLED
    released.set()


async def test_nothing_is_left_behind(registry: Registry) -> None:
    before = asyncio.all_tasks()
    runs = [await registry.start(order()) for _ in range(20)]
    await soon(asyncio.gather(*(run.ended() for run in runs)))
    await registry.close()

    assert asyncio.all_tasks() == before
    assert registry.live_count == 0
