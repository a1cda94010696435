"""Defects: whatever fails around a run, the run ends, its readers are told and its place is free."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, cast

import pytest
from anyio import wait_all_tasks_blocked
from grpc import StatusCode
from headrace.calls import StatusMessageProvider, StatusMessages, current_run, open_call
from headrace.errors import HeadraceError, ProgramError, RunNotFound, ServerFault, ToolError
from headrace.events import Event, Kind, PredictionEvent, Status, Token, ToolCall
from headrace.execution import Execution, Work
from headrace.hosting.port import StartRequest
from headrace.runs import expiry, settling
from headrace.runs.limits import Limits
from headrace.runs.record import Ending, RunKey, RunRecord, RunState
from headrace.runs.registry import Registry
from headrace.runs.run import Run
from headrace.runs.stores.base import Intake, Outbox
from headrace.runs.stores.listing import ALL, Page, PagePlace, RunFilter
from headrace.runs.stores.memory import MemoryStore
from headrace_proto.v1 import headrace_pb2 as pb
from server.scripted import Gate, Scripted, echo, found_for_ever, soon, until
from server.serving import asking, heard, program, served
from server.stores import new_store

pytestmark = pytest.mark.usefixtures("each_store")

ONE = Limits(max_running_count=1, max_running_count_per_principal=2)


class Away(ConnectionError):
    """The store cannot be reached."""


class BrokenOutbox:
    """An outbox that cannot take some things."""

    def __init__(self, outbox: Outbox, calls: set[str]) -> None:
        self.log = outbox.log
        self._outbox = outbox
        self._calls = calls

    def put(self, event: Event) -> None:
        if "put" in self._calls and isinstance(event, Token):
            raise Away

        if "put result" in self._calls and isinstance(event, PredictionEvent):
            raise Away

        self._outbox.put(event)

    def end(self, record: RunRecord) -> None:
        if "end" in self._calls:
            raise Away

        self._outbox.end(record)


class Broken:
    """A store that cannot be reached for some calls, in front of one that can."""

    def __init__(self, *calls: str) -> None:
        self.calls = set(calls)
        self.intakes: list[Intake] = []
        self.store = new_store(ONE)

    async def claim(self, record: RunRecord) -> Run | None:
        self._fail("claim")

        return await self.store.claim(record)

    async def drop(self, key: RunKey) -> None:
        self._fail("drop")
        await self.store.drop(key)

    def outbox(self, record: RunRecord, intake: Intake) -> Outbox:
        self._fail("outbox")
        self.intakes.append(intake)

        return BrokenOutbox(self.store.outbox(record, intake), self.calls)

    def update(self, record: RunRecord) -> None:
        self._fail("update")
        self.store.update(record)

    async def get(self, key: RunKey) -> Run | None:
        self._fail("get")

        return await self.store.get(key)

    async def named(self, run_id: str) -> Sequence[Run]:
        self._fail("named")

        return await self.store.named(run_id)

    async def page(
        self, principal: str, wanted: RunFilter, *, after: PagePlace | None = None, size: int
    ) -> Page:
        self._fail("page")

        return await self.store.page(principal, wanted, after=after, size=size)

    async def expire(self, now: float) -> float | None:
        if "expire" in self.calls:
            self.calls.remove("expire")
            raise Away

        return await self.store.expire(now)

    async def close(self) -> None:
        self._fail("close")
        await self.store.close()

    def _fail(self, call: str) -> None:
        if call in self.calls:
            raise Away


def order(hosted: Scripted | None = None, **asked: Any) -> StartRequest:
    return StartRequest(hosted or Scripted(echo), {"question": "why?"}, **asked)


async def all_settled(registry: Registry) -> None:
    """Waits until nothing is live."""
    await wait_all_tasks_blocked()

    assert registry.live_count == 0


async def how_it_ended(registry: Registry, run: Run) -> tuple[RunState, str]:
    """How a run ended, for a reader who has read all of it, once its place is free."""
    cursor = run.join()
    await soon(run.ended())
    run.leave(cursor)
    await all_settled(registry)

    return run.state, run.failure.reason if run.failure is not None else ""


@pytest.mark.parametrize("calls", [("claim",), ("outbox",), ("outbox", "drop")])
async def test_a_run_that_the_store_does_not_take_costs_no_place(calls: Sequence[str]) -> None:
    store = Broken(*calls)

    async with Registry(ONE, store) as registry:
        for number in range(3):  # one more than the caller may have
            with pytest.raises(Away):
                await registry.start(order(run_id=f"r{number}"))

        store.calls.clear()
        assert registry.live_count == 0
        run = await registry.start(order())
        assert await how_it_ended(registry, run) == (RunState.SUCCEEDED, "")
        assert await registry.drain(0) == 0


@pytest.mark.parametrize(
    ("call", "ending"),
    [
        ("put", (RunState.FAILED, "PROGRAM_ERROR")),  # the store's error reached the program
        ("put result", (RunState.FAILED, "SERVER_FAULT")),
        ("end", (RunState.FAILED, "SERVER_FAULT")),
        ("update", (RunState.SUCCEEDED, "")),
    ],
)
async def test_a_run_ends_for_its_readers_whatever_its_store_fails_at(
    call: str, ending: tuple[RunState, str], caplog: pytest.LogCaptureFixture
) -> None:
    async with Registry(ONE, Broken(call)) as registry:
        runs = [await registry.start(order()) for _ in range(2)]  # the second waits for the first

        assert [await how_it_ended(registry, run) for run in runs] == [ending] * 2
        assert await soon(registry.drain(60)) == 0

        if call == "end":  # what the store has of it would never end
            with pytest.raises(RunNotFound):
                await soon(found_for_ever(registry, runs[-1].run_id))

    assert [record.levelname for record in caplog.records if record.levelname == "ERROR"]


async def test_a_run_that_its_store_loses_is_stopped_and_its_readers_are_told_why() -> None:
    gate = Gate()
    store = Broken()

    async with Registry(ONE, store) as registry:
        run = await registry.start(order(Scripted(gate.play)))
        following = await registry.start(order())
        await soon(gate.entered.wait())
        store.intakes[0].when_lost(ServerFault())

        assert await how_it_ended(registry, run) == (RunState.FAILED, "SERVER_FAULT")
        assert gate.stopped.is_set()
        assert await how_it_ended(registry, following) == (RunState.SUCCEEDED, "")


async def test_the_id_of_a_lost_run_is_free_as_soon_as_its_store_has_dropped_it() -> None:
    class Slow(Broken):
        dropping, may_drop = asyncio.Event(), asyncio.Event()

        async def drop(self, key: RunKey) -> None:
            self.dropping.set()
            await self.may_drop.wait()
            await super().drop(key)

    gate = Gate()
    store = Slow()

    async with Registry(ONE, store) as registry:
        lost = await registry.start(order(Scripted(gate.play), run_id="r1"))
        await soon(gate.entered.wait())
        store.intakes[0].when_lost(ServerFault())
        await soon(store.dropping.wait())

        assert await registry.find("", "r1") is lost
        again = asyncio.ensure_future(registry.start(order(run_id="r1")))
        await wait_all_tasks_blocked()
        store.may_drop.set()

        assert await how_it_ended(registry, await soon(again)) == (RunState.SUCCEEDED, "")


async def test_a_run_whose_end_the_store_never_takes_fails_once_the_store_is_given_up() -> None:
    class Silent(Broken):
        def outbox(self, record: RunRecord, intake: Intake) -> Outbox:
            outbox = super().outbox(record, intake)
            cast("Any", outbox).end = list[RunRecord]().append  # and nothing comes of it

            return outbox

    store = Silent()

    async with Registry(ONE, store) as registry:
        run = await registry.start(order())
        reader = asyncio.ensure_future(how_it_ended(registry, run))
        following = await registry.start(order())
        await soon(until(lambda: following.state is RunState.RUNNING))

        assert (run.over, run.state) == (False, RunState.RUNNING)

        for intake in store.intakes:
            intake.when_lost(ServerFault())

        assert await soon(reader) == (RunState.FAILED, "SERVER_FAULT")


async def test_a_store_that_cannot_find_runs_fails_the_call_and_nothing_else() -> None:
    store = Broken("get", "page")

    async with Registry(ONE, store) as registry:
        for asking_ in (
            registry.find("", "r1"),
            registry.page("", size=1),
            registry.start(order(run_id="r1")),
        ):
            with pytest.raises(Away):
                await asking_

        store.calls.clear()
        run = await registry.start(order(run_id="r1"))
        assert await how_it_ended(registry, run) == (RunState.SUCCEEDED, "")


async def test_expiry_that_fails_is_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "EXPIRY_RETRY", 0.01)
    store = Broken("expire")

    async with Registry(ONE, store):
        await soon(until(lambda: not store.calls))

    assert caplog.messages == ["expiring runs failed"]


async def test_a_registry_closes_though_its_store_does_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = asyncio.all_tasks()

    async with Registry(ONE, Broken("close")) as registry:
        run = await registry.start(order())
        await soon(run.ended())

    assert caplog.messages[-1] == "closing the store of runs failed"
    assert asyncio.all_tasks() == before


async def test_a_run_ends_though_its_cause_cannot_be_told(caplog: pytest.LogCaptureFixture) -> None:
    async def play(question: str) -> object:
        raise ToolError("no tool")

    def tell(failure: HeadraceError) -> str:
        raise KeyError

    async with Registry(ONE, new_store(ONE), tell_cause=tell) as registry:
        run = await registry.start(order(Scripted(play)))

        assert await how_it_ended(registry, run) == (RunState.FAILED, "TOOL_ERROR")
        assert caplog.messages == ["telling the cause of a failure failed", "run failed: no tool"]


async def test_a_run_is_settled_though_its_end_cannot_be_reported(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run: Run) -> None:
        raise KeyError

    monkeypatch.setattr(settling, "report", fail)

    async with Registry(ONE, new_store(ONE)) as registry:
        run = await registry.start(order())

        assert await how_it_ended(registry, run) == (RunState.SUCCEEDED, "")
        assert caplog.messages == ["reporting how a run ended failed"]


async def test_a_run_ends_though_taking_leave_of_it_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise ConnectionError

    async def play() -> str:
        return "done"

    execution = Execution(Work(play, name="it"), when_over=fail)
    execution.start()
    await soon(execution.ended())

    assert execution.over
    assert execution.result is not None
    assert caplog.messages == ["taking leave of a run failed"]


async def test_outputs_that_cannot_be_read_fail_the_run() -> None:
    class Unreadable(Scripted):
        def work(self, inputs: Mapping[str, Any]) -> Work:
            return replace(super().work(inputs), outputs_of=self.fail)

        def fail(self, value: object) -> Mapping[str, object]:
            raise RecursionError

    async with Registry(ONE, new_store(ONE)) as registry:
        runs = [await registry.start(order(Unreadable(echo))) for _ in range(2)]

        for run in runs:
            await soon(run.ended())

        await all_settled(registry)
        assert [(run.state, str(run.failure)) for run in runs] == [
            (RunState.FAILED, "the program raised RecursionError")
        ] * 2


class Bare(ToolError):
    """An error of a program's own that never calls the constructor of ours."""

    def __init__(self, code: int) -> None:
        self.code = code


class Demanding(ToolError):
    """An error of a program's own that cannot be made anew."""

    def __new__(cls, *, code: int) -> Self:
        return super().__new__(cls)

    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise KeyError("no text")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Bare(3), "the program raised Bare"),
        (Demanding(code=3), "code 3"),
        (Unprintable(), "the program raised Unprintable"),
        (ExceptionGroup("", [ToolError("first"), Unprintable()]), "first"),
        (ProgramError(KeyError("x")), "'x'"),  # type: ignore[arg-type]
        (ToolError("odd facts", metadata={"times": 3}), "odd facts"),  # type: ignore[dict-item]
    ],
    ids=["bare", "demanding", "unprintable", "group", "no text", "odd facts"],
)
async def test_errors_of_any_make_end_a_run_and_are_told(error: Exception, told: str) -> None:
    async def play(question: str) -> object:
        raise error

    async with served(program(play), limits=ONE) as service:
        for _ in range(2):  # the second has the place of the first
            run = await soon(heard(service.stub.Run(asking())))
            assert (run.code, run.details) == (StatusCode.INTERNAL, told)
            assert run.trailers["headrace-run-state"] == "FAILED"

        await all_settled(service.server.registry)


async def test_a_reader_that_cannot_be_written_to_hurts_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    opened = asyncio.Event()

    async def play(question: str) -> object:
        scope = current_run()
        assert scope is not None
        scope.emit(Token(3, "answer", "x", True, 0, 1))  # type: ignore[arg-type]  # no name
        await opened.wait()

        return question

    async with served(program(play)) as service:
        silent = asking(run_id="r1")
        silent.options.token_detail = pb.TOKEN_DETAIL_NONE
        other = asyncio.ensure_future(heard(service.stub.Run(silent)))
        failed = await soon(heard(service.stub.Run(asking(run_id="r1"))))
        opened.set()
        run = await soon(other)

        assert (failed.code, run.code) == (StatusCode.INTERNAL, StatusCode.OK)
        assert failed.trailers["headrace-error-reason"] == "SERVER_FAULT"
        assert "headrace-run-state" not in failed.trailers
        assert run.outline[-1] == "prediction"
        assert [record.name for record in caplog.records if record.levelno >= logging.ERROR] == [
            "headrace.server"
        ]


class Shy:
    """An instance that raises when it is looked at."""

    @property
    def silent(self) -> bool:
        raise KeyError("silent")

    def model_dump(self) -> dict[str, object]:
        raise KeyError("fields")


async def test_instances_that_raise_when_looked_at_do_not_fail_a_run() -> None:
    async def play(question: str) -> object:
        for kind in (Kind.MODULE, Kind.TOOL):
            with open_call(kind, "shy", Shy(), {"shy": Shy()}):
                pass

        return question

    class Hosted(Scripted):
        def work(self, inputs: Mapping[str, Any]) -> Work:
            return replace(super().work(inputs), messages=StatusMessages(StatusMessageProvider()))

    async with Registry(ONE, new_store(ONE), keeps_content=lambda: True) as registry:
        run = await registry.start(order(Hosted(play)))
        await soon(run.ended())

        assert run.state is RunState.SUCCEEDED
        told = [one.event for one in run.log.read() if isinstance(one.event, Status)]
        assert [one.data for one in told if one.kind is Kind.MODULE] == [{"shy": "<Shy>"}, None]
        assert [one.tool for one in told if one.kind is Kind.TOOL] == [
            ToolCall(arguments_json='{"shy":"<Shy>"}'),
            ToolCall(result_json="null"),
        ]


async def test_a_run_whose_end_is_told_twice_does_not_keep_others() -> None:
    store = MemoryStore(Limits(max_retained_bytes=1))
    records = [record_named(name) for name in ("one", "other")]
    intake = Intake(lambda event: event, 1000, lambda: None, lambda error: None)

    for record in records:
        await store.claim(record)

    one, other = (store.outbox(record, intake) for record in records)

    for outbox, record in ((one, records[0]), (one, records[0]), (other, records[1])):
        outbox.end(replace(record, ending=Ending(), end_time=1.0, expire_time=2.0))

    assert (await store.page("", ALL, size=9)).runs == []
    assert store.held_bytes == 0


def record_named(name: str) -> RunRecord:
    return RunRecord(RunKey("", name), "scripted", "1", "", 0.0, 1.0, 0.0)
