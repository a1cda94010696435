"""Runs that are cancelled before they come: refused for a minute, and nothing is spent on them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from grpc import StatusCode
from headrace.errors import RunCancelled, RunNotFound, ServerBusy
from headrace.hosting.port import StartRequest
from headrace.runs import refusals
from headrace.runs.limits import Limits
from headrace.runs.record import RunKey, RunRecord, RunState
from headrace.runs.registry import Registry
from headrace.runs.run import Run
from headrace_proto.v1 import headrace_pb2 as pb
from server.row_store import RowStore
from server.scripted import Gate, Scripted, echo, found_for_ever, soon, started, until
from server.serving import Heard, Served, asking, heard, program, refusal, served
from server.stores import new_store

pytestmark = pytest.mark.usefixtures("each_store")

ONE_START = Limits(max_starts_per_second=0.001, max_running_count=1, max_queued_count=0)


class Program:
    """A program that notes what it was called with."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def play(self, question: str = "") -> object:
        self.calls.append(question)

        return await echo(question)


@asynccontextmanager
async def opened(limits: Limits | None = None) -> AsyncGenerator[Registry]:
    limits = limits or Limits()

    async with Registry(limits, new_store(limits)) as registry:
        yield registry


def order(play: Callable[..., Awaitable[object]] = echo, **asked: Any) -> StartRequest:
    return StartRequest(Scripted(play), {"question": "why?"}, **asked)


def predicting(**asked: Any) -> pb.PredictRequest:
    request = pb.PredictRequest(program="scripted", **asked)
    request.inputs.update({"question": "why?"})

    return request


@pytest.fixture
def hosted() -> Program:
    return Program()


@pytest.fixture
async def service(hosted: Program) -> AsyncIterator[Served]:
    async with served(program(hosted.play)) as one:
        yield one


async def cancelled(service: Served, run_id: str = "r1", reason: str = "") -> pb.CancelRunResponse:
    request = pb.CancelRunRequest(run_id=run_id, reason=reason)

    return await soon(service.stub.CancelRun(request))


def metadata_of(ended: Heard) -> dict[str, str]:
    """The metadata of the ErrorInfo that a call ended with."""
    status = status_pb2.Status.FromString(cast("bytes", ended.trailers["grpc-status-details-bin"]))
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)

    return dict(info.metadata)


async def test_a_run_that_is_cancelled_before_it_comes_is_refused_when_it_does(
    service: Served, hosted: Program
) -> None:
    before = time.time()
    answer = await cancelled(service, reason="never mind")
    until_ = answer.refused_until.ToNanoseconds() / 1e9
    streamed = service.stub.Run(asking(run_id="r1"))
    run = await soon(heard(streamed))
    predicted = await soon(refusal(service.stub.Predict(predicting(run_id="r1"))))

    assert not answer.HasField("run")
    assert before + 60 <= until_ + 1e-3
    assert until_ <= time.time() + 60

    for one in (run, predicted):
        assert (one.code, one.events) == (StatusCode.CANCELLED, [])
        assert one.details == "run cancelled by caller: never mind"
        assert metadata_of(one) == {"run_id": "r1", "program": "scripted", "by": "caller"}
        assert one.trailers["headrace-error-reason"] == "RUN_CANCELLED"
        assert one.trailers["headrace-run-state"] == "CANCELLED"
        assert one.trailers["headrace-run-id"] == "r1"

    assert "headrace-run-id" not in dict(await streamed.initial_metadata() or ())
    assert hosted.calls == []


async def test_a_run_that_was_refused_is_no_run(service: Served) -> None:
    await cancelled(service)
    await soon(heard(service.stub.Run(asking(run_id="r1"))))

    refused = [
        await soon(refusal(service.stub.GetRun(pb.GetRunRequest(run_id="r1")))),
        await soon(heard(service.stub.Attach(pb.AttachRequest(run_id="r1")))),
        await soon(refusal(service.stub.DeleteRun(pb.DeleteRunRequest(run_id="r1")))),
        await soon(heard(service.stub.Run(asking(run_id="r1", after_sequence=3)))),
    ]

    assert [one.trailers["headrace-error-reason"] for one in refused] == ["RUN_NOT_FOUND"] * 4
    assert list((await soon(service.stub.ListRuns(pb.ListRunsRequest()))).runs) == []


async def test_whoever_cancels_it_again_is_told_the_same(service: Served) -> None:
    first = await cancelled(service, reason="first")
    again = await cancelled(service, reason="second")
    run = await soon(heard(service.stub.Run(asking(run_id="r1"))))

    assert again == first
    assert run.details == "run cancelled by caller: first"


@pytest.mark.parametrize("run_id", ["-", "a b", "x" * 65])
async def test_what_can_be_no_run_s_id_is_not_remembered(service: Served, run_id: str) -> None:
    refused = await soon(refusal(service.stub.CancelRun(pb.CancelRunRequest(run_id=run_id))))

    assert refused.trailers["headrace-error-reason"] == "REQUEST_INVALID"
    assert refused.details.startswith("run_id: must be 1 to 64 letters")


async def test_it_may_start_after_a_minute(
    service: Served, hosted: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "REFUSED_FOR", 0.0)
    await cancelled(service)
    run = await soon(heard(service.stub.Run(asking(run_id="r1"))))

    assert (run.code, hosted.calls) == (StatusCode.OK, ["why?"])


async def test_a_refusal_goes_by_itself_though_ended_runs_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refusals, "REFUSED_FOR", 0.02)

    async with opened() as registry:
        ended = await registry.start(order(run_id="ended"))
        await soon(ended.ended())
        await soon(until(lambda: not registry.live_count))
        refused = await registry.cancel("", "r1")

        async def dropped() -> None:
            while await registry.store.get(refused.key) is not None:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.001)

        await soon(dropped())
        assert (await registry.find("", "ended")).state is RunState.SUCCEEDED


async def test_a_refused_run_takes_no_place_and_no_start() -> None:
    async with opened(ONE_START) as registry:
        await registry.cancel("", "r1")

        for _ in range(3):
            refused = await registry.start(order(run_id="r1"))
            assert (refused.record.refused, refused.over) == (True, True)
            assert isinstance(refused.failure, RunCancelled)

        run = await registry.start(order(run_id="r2"))
        await soon(run.ended())
        assert run.state is RunState.SUCCEEDED


async def test_a_full_server_still_says_that_a_run_was_cancelled() -> None:
    gate = Gate()

    async with opened(Limits(max_running_count=1, max_queued_count=0)) as registry:
        await started(registry, order(gate.play))
        await registry.cancel("", "r1")

        assert (await registry.start(order(run_id="r1"))).record.refused

        with pytest.raises(ServerBusy):
            await registry.start(order(run_id="r2"))


async def test_other_inputs_are_refused_too_for_they_were_never_known() -> None:
    async with opened() as registry:
        await registry.cancel("", "r1")
        other = StartRequest(Scripted(echo, revision="2"), {"question": "how?"}, run_id="r1")

        assert (await registry.start(other)).record.refused


async def test_each_caller_s_ids_are_his_own() -> None:
    async with opened() as registry:
        await registry.cancel("ann", "r1")
        run = await registry.start(order(run_id="r1", principal="bob"))

        assert not run.record.refused


async def test_only_so_many_are_remembered_and_the_oldest_go_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refusals, "MAX_PER_PRINCIPAL", 2)
    monkeypatch.setattr(refusals, "MAX_REFUSALS", 4)

    async with opened() as registry:
        for principal in ("ann", "bob", "eve"):
            for number in range(3):
                await registry.cancel(principal, f"r{number}")

        refused = [
            (principal, number)
            for principal in ("ann", "bob", "eve")
            for number in range(3)
            if (
                await registry.start(order(run_id=f"r{number}", principal=principal))
            ).record.refused
        ]

    assert refused == [("bob", 1), ("bob", 2), ("eve", 1), ("eve", 2)]


async def test_what_is_remembered_no_more_counts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "MAX_PER_PRINCIPAL", 1)
    monkeypatch.setattr(refusals, "REFUSED_FOR", 0.0)

    async with opened() as registry:
        await registry.cancel("", "r1")
        run = await started(registry, order(Gate().play, run_id="r1"))
        monkeypatch.setattr(refusals, "REFUSED_FOR", 60.0)
        await registry.cancel("", "r2")

        assert (await registry.find("", "r1")).key == run.key
        assert (await registry.start(order(run_id="r2"))).record.refused


class Slow(RowStore):
    """A store that answers a claim only once the test lets it."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.asked = asyncio.Event()
        self.opened = asyncio.Event()

    async def claim(self, record: RunRecord) -> Run | None:
        self.asked.set()
        await self.opened.wait()

        return await super().claim(record)


async def test_a_run_that_is_on_its_way_is_stopped_once_it_is_there() -> None:
    gate, limits = Gate(), Limits()
    store = Slow(limits)

    async with Registry(limits, store) as registry:
        starting = asyncio.ensure_future(registry.start(order(gate.play, run_id="r1")))
        await soon(store.asked.wait())
        cancelling = asyncio.ensure_future(registry.cancel("", "r1"))
        store.opened.set()
        run = await soon(starting)

        assert await soon(cancelling) is run
        assert run.state is RunState.CANCELLED
        assert not run.record.refused


async def test_a_run_whose_caller_left_on_its_way_is_refused_when_he_comes_again() -> None:
    limits = Limits()
    store = Slow(limits)

    async with Registry(limits, store) as registry:
        starting = asyncio.ensure_future(registry.start(order(run_id="r1")))
        await soon(store.asked.wait())
        cancelling = asyncio.ensure_future(registry.cancel("", "r1"))
        starting.cancel()
        store.opened.set()

        assert (await soon(cancelling)).record.refused
        assert (await soon(registry.start(order(run_id="r1")))).record.refused


@pytest.mark.parametrize("turns", range(8))
@pytest.mark.parametrize("first", ["start", "cancel"])
async def test_nothing_goes_on_after_a_cancel_that_comes_with_the_start(
    first: str, turns: int
) -> None:
    gate = Gate()

    async with opened() as registry:
        calls: list[Callable[[], Coroutine[None, None, Run]]] = [
            lambda: registry.start(order(gate.play, run_id="r1")),
            lambda: registry.cancel("", "r1"),
        ]
        earlier, later = calls if first == "start" else reversed(calls)
        one = asyncio.ensure_future(earlier())

        for _ in range(turns):
            await asyncio.sleep(0)

        runs = await soon(asyncio.gather(one, later()))
        await soon(until(lambda: not registry.live_count))

        assert [run.state for run in runs] == [RunState.CANCELLED] * 2
        assert [run.record.refused for run in runs] == [first == "cancel"] * 2


async def test_in_which_process_ever_the_store_decides_who_was_first() -> None:
    """Two registries over one store, which finds nothing before it is claimed."""

    class Late(RowStore):
        async def get(self, key: RunKey) -> Run | None:
            return None

    hosted, limits = Program(), ONE_START
    store = Late(limits)

    async with Registry(limits, store) as one, Registry(limits, store) as other:
        refused = await one.cancel("", "r1")
        second = await other.start(order(hosted.play, run_id="r1"))
        assert (refused.record.refused, second.record.refused, hosted.calls) == (True, True, [])

        first = await other.start(order(run_id="r2"))
        await soon(first.ended())
        await soon(until(lambda: not other.live_count))
        ended = await one.cancel("", "r2")
        assert (ended.state, ended.record.refused) == (RunState.SUCCEEDED, False)


async def test_a_run_that_lingers_is_cancelled_by_id_and_not_refused(service: Served) -> None:
    call = service.stub.Run(asking(run_id="r1", linger=Duration(seconds=30)))
    await soon(heard(call))
    answer = await cancelled(service)

    assert answer.run.state == pb.Run.STATE_SUCCEEDED
    assert not answer.HasField("refused_until")


async def test_ended_runs_that_expire_are_found_no_more_though_refusals_are_kept() -> None:
    async with opened(Limits(retention=0.02)) as registry:
        await registry.cancel("", "refused")
        run = await registry.start(order(run_id="r1"))
        await soon(run.ended())

        with pytest.raises(RunNotFound):
            await soon(found_for_ever(registry, "r1"))

        assert (await registry.start(order(run_id="refused"))).record.refused
