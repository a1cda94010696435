"""Deleting runs: ended if need be, forgotten whole, and their ids free again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import headrace
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode
from headrace.errors import RunNotFound, ServerFault
from headrace.hosting.port import StartRequest
from headrace.runs import registry as registries
from headrace.runs.limits import Limits
from headrace.runs.record import RunRecord, RunState
from headrace.runs.registry import Registry
from headrace.runs.stores.base import Intake
from headrace_proto.v1 import headrace_pb2 as pb
from server.row_store import RowOutbox, RowStore
from server.scripted import Gate, Scripted, echo, soon, started, until, write
from server.serving import Served, asking, first, heard, program, refusal, served
from server.stores import new_store

pytestmark = pytest.mark.usefixtures("each_store")


@asynccontextmanager
async def opened(limits: Limits | None = None, **settings: Any) -> AsyncGenerator[Registry]:
    limits = limits or Limits()

    async with Registry(limits, new_store(limits), **settings) as registry:
        yield registry


def order(
    play: Callable[..., Awaitable[object]] = echo, question: str = "why?", **asked: Any
) -> StartRequest:
    return StartRequest(Scripted(play), {"question": question}, **asked)


def held_bytes(registry: Registry) -> object:
    """Bytes that ended runs take of the budget."""
    return getattr(registry.store, "held_bytes")  # noqa: B009 - both stores of the tests tell it


async def ended(registry: Registry, **asked: Any) -> None:
    """A run that is over, and at rest in its store."""
    run = await registry.start(order(**asked))
    await soon(run.ended())
    await soon(until(lambda: not registry.live_count))


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def gated(gate: Gate) -> AsyncIterator[Served]:
    async with served(program(gate.play)) as one:
        yield one


async def deleted(service: Served, run_id: str = "r1") -> None:
    answer = await soon(service.stub.DeleteRun(pb.DeleteRunRequest(run_id=run_id)))

    assert answer == pb.DeleteRunResponse()


async def test_a_run_that_goes_on_ends_cancelled_for_all_its_readers(
    gated: Served, gate: Gate
) -> None:
    starter = asyncio.ensure_future(heard(gated.stub.Run(asking(run_id="r1"))))
    await soon(gate.entered.wait())
    attached = gated.stub.Attach(pb.AttachRequest(run_id="r1"))
    await soon(attached.initial_metadata())
    reader = asyncio.ensure_future(heard(attached))
    await deleted(gated)

    assert gate.stopped.is_set()

    for one in (await soon(starter), await soon(reader)):
        assert one.code is StatusCode.CANCELLED
        assert one.details == "run cancelled by caller: it was deleted"
        assert one.trailers["headrace-error-reason"] == "RUN_CANCELLED"
        assert one.trailers["headrace-run-state"] == "CANCELLED"
        assert one.outline[-1] == "RUN END"


async def test_a_run_that_waits_for_people_goes_with_its_question() -> None:
    async def play(question: str) -> object:
        return await headrace.ask(question)

    options = pb.StreamOptions(
        accept=[pb.EVENT_KIND_INPUT],
        status_detail=pb.STATUS_DETAIL_NONE,
        heartbeat_interval=Duration(),
    )

    async with served(program(play)) as service:
        call = service.stub.Run(asking(run_id="r1", options=options))
        [asked] = await first(call, 1)
        await deleted(service)
        [resolved] = await first(call, 1)
        answer = pb.SendInputRequest(run_id="r1", input_id=asked.input_request.input_id)
        answer.answer_json = '"because"'
        refused = await soon(refusal(service.stub.SendInput(answer)))

        assert resolved.input_resolved.outcome == pb.InputResolved.OUTCOME_WITHDRAWN
        assert refused.trailers["headrace-error-reason"] == "RUN_NOT_FOUND"
        assert await soon(call.code()) is StatusCode.CANCELLED


async def test_nothing_is_left_of_it_and_its_id_is_free(gated: Served, gate: Gate) -> None:
    gate.opened.set()
    await soon(heard(gated.stub.Run(asking(run_id="r1"))))
    await deleted(gated)

    gone = [
        await soon(refusal(gated.stub.GetRun(pb.GetRunRequest(run_id="r1")))),
        await soon(heard(gated.stub.Attach(pb.AttachRequest(run_id="r1")))),
        await soon(heard(gated.stub.Run(asking(run_id="r1", after_sequence=3)))),
        await soon(refusal(gated.stub.DeleteRun(pb.DeleteRunRequest(run_id="r1")))),
    ]

    assert [one.trailers["headrace-error-reason"] for one in gone] == ["RUN_NOT_FOUND"] * 4
    assert list((await soon(gated.stub.ListRuns(pb.ListRunsRequest()))).runs) == []

    again = await soon(heard(gated.stub.Run(asking("how?", run_id="r1"))))
    assert (again.code, again.text) == (StatusCode.OK, "how?")


async def test_a_reader_of_an_ended_run_reads_it_to_its_end() -> None:
    async def floods(question: str) -> object:
        for _ in range(20):
            write("answer", "x" * 50_000)

        return "done"

    async with served(program(floods)) as service:
        whole = await soon(heard(service.stub.Run(asking(run_id="r1"))))
        attached: Any = service.stub.Attach(pb.AttachRequest(run_id="r1"))
        events = aiter(attached)
        begun = await soon(anext(events))
        await deleted(service)

        told = [begun, *[event async for event in events]]

        assert told[-1] == whole.events[-1]
        assert sum(event.event_count for event in told) == told[-1].sequence
        assert await soon(attached.code()) is StatusCode.OK
        assert dict(await attached.trailing_metadata())["headrace-run-state"] == "SUCCEEDED"


async def test_a_queued_run_is_withdrawn_and_leaves_its_place() -> None:
    gates = [Gate(), Gate(), Gate()]

    async with opened(Limits(max_running_count=1, max_queued_count=1)) as registry:
        await started(registry, order(gates[0].play))
        queued = await started(registry, order(gates[1].play, run_id="r1"))
        await soon(registry.delete("", "r1"))
        following = await started(registry, order(gates[2].play, run_id="r1"))
        gates[0].opened.set()
        await soon(gates[2].entered.wait())

        assert (queued.state, queued.log.last_sequence) == (RunState.CANCELLED, 0)
        assert not gates[1].entered.is_set()
        assert following.state is RunState.RUNNING


async def test_the_place_of_a_running_one_goes_to_the_next_that_waits() -> None:
    gate, other = Gate(), Gate()

    async with opened(Limits(max_running_count=1)) as registry:
        await started(registry, order(gate.play, run_id="r1"))
        await started(registry, order(other.play))
        await soon(registry.delete("", "r1"))
        await soon(other.entered.wait())


async def test_what_it_held_is_given_back_to_the_budget() -> None:
    async with opened(keeps_content=lambda: True) as registry:
        await ended(registry, run_id="kept")
        before = held_bytes(registry)
        await ended(registry, run_id="r1", question="x" * 100_000)
        assert held_bytes(registry) != before

        await registry.delete("", "r1")
        assert held_bytes(registry) == before

        await registry.delete("", "kept")
        assert held_bytes(registry) == 0


async def test_a_run_that_takes_the_id_of_one_that_was_deleted_lives_its_own_life() -> None:
    async with opened(Limits(retention=0.05)) as registry:
        await ended(registry, run_id="r1")
        await registry.delete("", "r1")
        gate = Gate()
        run = await started(registry, order(gate.play, run_id="r1"))
        await soon((await registry.start(order(run_id="r2"))).ended())

        async def gone() -> None:
            with contextlib.suppress(RunNotFound):
                while True:
                    await registry.find("", "r2")
                    await asyncio.sleep(0.001)

        await soon(gone())  # and r1, as it was, would have been dropped before
        assert await registry.find("", "r1") is run


async def test_of_two_that_delete_at_once_one_has_done_it() -> None:
    gate = Gate()

    async with opened() as registry:
        await started(registry, order(gate.play, run_id="r1"))
        calls = [registry.delete("", "r1") for _ in range(3)]
        results = await soon(asyncio.gather(*calls, return_exceptions=True))

        assert [type(one) for one in results] == [type(None), RunNotFound, RunNotFound]
        assert registry.live_count == 0


async def test_a_start_that_comes_while_its_id_is_being_deleted_begins_anew() -> None:
    gate = Gate()

    async with opened() as registry:
        deleted_ = await started(registry, order(gate.play, run_id="r1"))
        deleting = asyncio.ensure_future(registry.delete("", "r1"))
        await asyncio.sleep(0)
        run = await soon(registry.start(order(run_id="r1", question="how?")))
        await soon(deleting)
        await soon(run.ended())

        assert run is not deleted_
        assert (deleted_.state, run.state) == (RunState.CANCELLED, RunState.SUCCEEDED)


async def test_a_run_is_deleted_from_under_one_who_cancels_it() -> None:
    gate = Gate()

    async with opened() as registry:
        await started(registry, order(gate.play, run_id="r1"))
        cancelling, deleting = (
            asyncio.ensure_future(call)
            for call in (registry.cancel("", "r1"), registry.delete("", "r1"))
        )
        cancelled = await soon(cancelling)
        await soon(deleting)

        assert cancelled is not None
        assert str(cancelled.failure) == "run cancelled by caller"
        assert (await registry.page("", size=9)) == ([], "")


async def test_a_program_that_does_not_unwind_is_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registries, "STOP_WAIT", 0.02)
    entered, released, left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def stubborn(question: str) -> object:
        entered.set()

        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()

        try:
            write("answer", "too late")
        finally:
            left.set()

        return "never mind"

    async with opened() as registry:
        run = await started(registry, order(stubborn, run_id="r1"))
        await soon(entered.wait())
        await soon(registry.delete("", "r1"))
        events = run.log.last_sequence
        released.set()
        await soon(left.wait())

        assert (run.state, run.log.last_sequence) == (RunState.CANCELLED, events)
        assert await registry.page("", size=9) == ([], "")


async def test_a_store_that_does_not_take_the_end_does_not_keep_a_run_from_being_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Silent(RowStore):
        """A store that is never done with a run."""

        def outbox(self, record: RunRecord, intake: Intake) -> RowOutbox:
            outbox = super().outbox(record, intake)
            setattr(outbox, "end", list[RunRecord]().append)  # noqa: B010 - nothing comes of it

            return outbox

    monkeypatch.setattr(registries, "CLOSE_WAIT", 0.02)
    monkeypatch.setattr(registries, "STOP_WAIT", 0.02)
    gate, limits = Gate(), Limits()

    async with Registry(limits, Silent(limits)) as registry:
        run = await started(registry, order(gate.play, run_id="r1"))
        await soon(registry.delete("", "r1"))
        await soon(until(lambda: run.over))

        assert isinstance(run.failure, ServerFault)
        assert await registry.page("", size=9) == ([], "")
        assert (await registry.start(order(run_id="r1"))) is not run


async def test_each_run_leaves_its_line_of_log_though_it_was_deleted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = Gate()

    with caplog.at_level("INFO", "headrace.runs"):
        async with opened() as registry:
            await started(registry, order(gate.play, run_id="r1"))
            await soon(registry.delete("", "r1"))
            await soon(until(lambda: bool(caplog.messages)))

    assert caplog.messages == ["run cancelled by caller: it was deleted"]
