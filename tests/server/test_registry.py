"""The registry: starting, joining, lingering, stopping, expiring, draining."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
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
from headrace.events import Outcome, PredictionEvent, Status, Token
from headrace.execution import Work
from headrace.hosting.port import StartRequest
from headrace.log import Entry
from headrace.runs.admission import Admission
from headrace.runs.limits import Limits
from headrace.runs.record import RunKey, RunRecord, RunState
from headrace.runs.registry import Registry
from headrace.runs.run import Run
from headrace.runs.stores.listing import RunFilter
from server.row_store import RowStore
from server.scripted import Gate, Scripted, echo, found_for_ever, soon, started, until, write
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


def order(play: Callable[..., Awaitable[object]] = echo, **asked: Any) -> StartRequest:
    inputs = asked.pop("inputs", {"question": "why?"})

    return StartRequest(Scripted(play), inputs, **asked)


async def timer(seconds: float) -> None:
    """Waits for a timer that is set now: those that were due before it have gone off."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    await soon(over.wait())


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
    assert (await registry.find("", "r1")).key == run.key


async def test_the_server_picks_an_id_where_the_caller_has_none(registry: Registry) -> None:
    one = await registry.start(order())
    other = await registry.start(order())

    assert one.run_id != other.run_id
    assert (await registry.find("", one.run_id)).key == one.key


@pytest.mark.parametrize("run_id", ["-a", "_a", "a b", "a" * 65, "é", "a\n"])
async def test_a_malformed_run_id_is_refused(run_id: str) -> None:
    with pytest.raises(RequestInvalid, match="run_id: must be 1 to 64"):
        order(run_id=run_id)


async def test_a_second_start_joins_the_first(registry: Registry) -> None:
    gate = Gate()
    first = await started(registry, order(gate.play, run_id="r1"))
    second = await registry.start(order(gate.play, run_id="r1", linger=7.0, labels={"a": "b"}))

    assert second is first
    assert (first.record.linger, first.labels) == (7.0, {})


async def test_who_joins_a_run_that_has_just_ended_changes_nothing_of_its_end(
    registry: Registry,
) -> None:
    run = await registry.start(order(run_id="r1"))
    await soon(run.ended())
    await registry.start(order(run_id="r1", linger=7.0))
    await soon(until(lambda: not registry.live_count))

    assert (await registry.find("", "r1")).state is RunState.SUCCEEDED


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
    assert (await registry.find("ann", "r1")).key == one.key

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

    assert await registry.page("", RunFilter(program="another"), size=9) == ([], "")


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
    assert (await soon(registry.cancel("", "r1"))).key == run.key


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

    async with opened(Limits(max_run_bytes=20_000)) as registry:
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

    async with opened(Limits(max_output_depth=3, max_prediction_bytes=1000)) as registry:
        run = await registry.start(order(gives))
        await soon(run.ended())

        assert isinstance(run.failure, kind)


async def test_runs_beyond_the_limit_wait_and_begin_in_order() -> None:
    gates = [Gate(), Gate(), Gate()]

    async with opened(Limits(max_running_count=1)) as registry:
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

    async with opened(Limits(max_running_count=1, max_queued_count=1)) as registry:
        await started(registry, order(gate.play))
        waiting = await registry.start(order())

        with pytest.raises(ServerBusy) as refusal:
            await registry.start(order())

        assert refusal.value.retry_delay == 1.0
        waiting.stop(RunCancelled("caller"))
        assert (await registry.start(order())).state is RunState.QUEUED


async def test_one_principal_cannot_take_all_places() -> None:
    gate = Gate()

    async with opened(Limits(max_running_count_per_principal=1)) as registry:
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
    admission.reserve("ann")
    admission.reserve("ann")

    with pytest.raises(QuotaExceeded) as refusal:
        admission.reserve("ann")

    assert refusal.value.retry_delay == 0.5

    admission.reserve("bob")
    now += 0.5
    admission.reserve("ann")


def test_a_place_that_is_given_back_was_never_taken() -> None:
    limits = Limits(
        max_starts_per_second=0.001,
        max_running_count=1,
        max_queued_count=0,
        max_running_count_per_principal=1,
    )
    admission = Admission(limits, clock=lambda: 100.0)

    for _ in range(3):
        admission.reserve("ann")

        with pytest.raises(ServerBusy):
            admission.reserve("bob")

        admission.give_back("ann")

    admission.reserve("bob")


async def test_a_registry_keeps_to_its_starts_per_second() -> None:
    async with opened(Limits(max_starts_per_second=0.001)) as registry:
        await registry.start(order())

        with pytest.raises(QuotaExceeded):
            await registry.start(order())


async def test_joining_costs_nothing_of_the_limits() -> None:
    gate = Gate()

    async with opened(Limits(max_running_count=1, max_queued_count=0)) as registry:
        run = await started(registry, order(gate.play, run_id="r1"))

        assert await registry.start(order(gate.play, run_id="r1")) is run


class Counted(Scripted):
    """A program that counts how often it is built."""

    def __init__(self, play: Callable[..., Awaitable[object]]) -> None:
        super().__init__(play)
        self.count = 0

    def work(self, inputs: Mapping[str, Any]) -> Work:
        self.count += 1

        return super().work(inputs)


class Held(RowStore):
    """A store that does not answer a claim before the test lets it, and then may refuse it."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.asked = asyncio.Event()
        self.opened = asyncio.Event()
        self.claims: list[str] = []
        self.refuses = False

    async def claim(self, record: RunRecord) -> Run | None:
        self.claims.append(record.key.run_id)
        self.asked.set()
        await self.opened.wait()

        if self.refuses:
            self.refuses = False
            raise ConnectionError

        return await super().claim(record)


ONE_START = Limits(max_starts_per_second=0.001, max_running_count=1, max_queued_count=0)


async def test_whoever_comes_second_builds_nothing_and_spends_nothing() -> None:
    gate, store = Gate(), Held(ONE_START)
    program = Counted(gate.play)
    wanted = StartRequest(program, {"question": "why?"}, run_id="r1")

    async with Registry(ONE_START, store) as registry:
        starts = [asyncio.ensure_future(registry.start(wanted)) for _ in range(3)]
        await soon(store.asked.wait())
        store.opened.set()
        first, *others = await soon(asyncio.gather(*starts))
        later = await registry.start(wanted)

        assert [run is first for run in (*others, later)] == [True] * 3
        assert (program.count, store.claims, registry.live_count) == (1, ["r1"], 1)


async def test_whoever_comes_second_to_a_claim_that_fails_makes_his_own() -> None:
    store = Held(ONE_START)
    store.refuses = True

    async with Registry(ONE_START, store) as registry:
        starts = [asyncio.ensure_future(registry.start(order(run_id="r1"))) for _ in range(3)]
        await soon(store.asked.wait())
        store.opened.set()
        first, *others = await soon(asyncio.gather(*starts, return_exceptions=True))

        assert isinstance(first, ConnectionError)
        assert [isinstance(run, Run) for run in others] == [True, True]
        assert others[0] == others[1]
        assert store.claims == ["r1", "r1"]


async def test_whoever_comes_second_to_a_caller_who_leaves_is_the_first() -> None:
    store = Held(ONE_START)

    async with Registry(ONE_START, store) as registry:
        first, second = (asyncio.ensure_future(registry.start(order(run_id="r1"))) for _ in "12")
        await soon(store.asked.wait())
        first.cancel()
        store.opened.set()

        assert await result_of(await soon(second)) == {"answer": "why?"}
        assert first.cancelled()


async def test_a_start_that_is_refused_claims_nothing_and_so_is_the_second() -> None:
    gate, store = Gate(), Held(ONE_START)
    store.opened.set()

    async with Registry(ONE_START, store) as registry:
        await registry.start(order(gate.play, run_id="r1"))
        starts = [registry.start(order(run_id="r2")) for _ in range(2)]
        refused = await soon(asyncio.gather(*starts, return_exceptions=True))

        assert [type(one) for one in refused] == [ServerBusy, ServerBusy]
        assert store.claims == ["r1"]

        with pytest.raises(RunNotFound):
            await registry.find("", "r2")


async def test_a_run_that_another_process_was_first_with_is_joined_and_costs_nothing() -> None:
    class Late(RowStore):
        """A store in which a run is found only once it is claimed: another was first in between."""

        async def get(self, key: RunKey) -> Run | None:
            return None

    store = Late(ONE_START)
    program = Counted(echo)

    async with Registry(ONE_START, store) as one, Registry(ONE_START, store) as other:
        first = await one.start(order(run_id="r1"))
        await soon(first.ended())
        wanted = StartRequest(program, {"question": "why?"}, run_id="r1")
        second = await other.start(wanted)

        assert (second.key, second.state, program.count) == (first.key, RunState.SUCCEEDED, 0)
        assert await result_of(await other.start(order(run_id="r2"))) == {"answer": "why?"}


async def test_a_reader_sees_nothing_that_the_store_has_not_taken() -> None:
    gate = Gate()

    async with opened() as registry:
        run = await started(registry, order(gate.play, run_id="r1"))
        await soon(gate.entered.wait())
        gate.opened.set()
        cursor = run.join()
        seen: list[int] = []

        while not run.over:
            seen += [entry.sequence for entry in cursor.read()]
            kept = await registry.store.get(run.key)
            assert kept is not None
            assert kept.log.last_sequence >= max(seen, default=0)
            await cursor.follow()

        assert (await registry.find("", "r1")).state is RunState.SUCCEEDED
        run.leave(cursor)


async def test_an_ended_run_is_read_as_it_was_live(registry: Registry) -> None:
    run = await registry.start(order(run_id="r1"))
    cursor = run.join()
    await soon(run.ended())
    live = cursor.read()
    run.leave(cursor)

    await soon(until(lambda: not registry.live_count))
    kept = await registry.find("", "r1")
    replayed = kept.join().read()

    assert kept is not run
    assert [entry[:2] for entry in replayed] == [entry[:2] for entry in live]
    assert "".join(texts(replayed)) == "".join(texts(live)) == "why?"
    assert (kept.state, kept.usage, kept.reader_count) == (run.state, run.usage, 1)


def texts(entries: Sequence[Entry]) -> list[str]:
    return [entry.event.chunk for entry in entries if isinstance(entry.event, Token)]


async def test_ended_runs_expire() -> None:
    async with opened(Limits(retention=0.02)) as registry:
        run = await registry.start(order(run_id="r1"))
        await soon(run.ended())

        with pytest.raises(RunNotFound):
            await soon(found_for_ever(registry, "r1"))


async def test_ended_runs_make_room_for_newer_ones() -> None:
    async with opened(Limits(max_retained_bytes=20_000)) as registry:
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


async def test_nothing_is_left_behind() -> None:
    before = asyncio.all_tasks()

    async with opened() as registry:
        runs = [await registry.start(order()) for _ in range(20)]
        await soon(asyncio.gather(*(run.ended() for run in runs)))

    assert asyncio.all_tasks() == before
    assert registry.live_count == 0
