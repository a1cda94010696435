"""Defects: whatever fails around a run, the run ends, its readers are told and its place is free."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import pytest
from anyio import wait_all_tasks_blocked
from grpc import StatusCode
from headrace.calls import current_run, open_call
from headrace.errors import ProgramError, RunCancelled, ToolError
from headrace.events import Kind, Token
from headrace.execution import Execution, Work
from headrace.hosting.port import StartRequest
from headrace.runs.limits import Limits
from headrace.runs.registry import Registry
from headrace.runs.run import Run, RunKey, RunState
from headrace.runs.store import MemoryStore
from headrace.streaming.status import ProviderMessages, StatusMessageProvider
from server.scripted import Scripted, echo, soon
from server.serving import asking, heard, program, served

ONE = Limits(max_running_count=1, max_running_count_per_principal=2)


class Broken(MemoryStore):
    """A store that cannot be reached for some calls."""

    def __init__(self, *calls: str) -> None:
        super().__init__(ONE)
        self.calls = set(calls)
        self.asked: list[Run] = []

    async def add(self, run: Run) -> Run:
        self.asked.append(run)
        self._fail("add")

        return await super().add(run)

    async def retain(self, run: Run) -> None:
        self._fail("retain")
        await super().retain(run)

    def _fail(self, call: str) -> None:
        if call in self.calls:
            raise ConnectionError("the store is away")


def order(hosted: Scripted | None = None, **asked: Any) -> StartRequest:
    return StartRequest(hosted or Scripted(echo), {"question": "why?"}, **asked)


async def all_settled(registry: Registry) -> None:
    """Waits until nothing is live."""
    await wait_all_tasks_blocked()

    assert registry.live_count == 0


async def test_a_run_that_the_store_does_not_take_is_over_and_costs_no_place() -> None:
    store = Broken("add")
    registry = Registry(ONE, store)

    for _ in range(3):  # one more than the caller may have
        with pytest.raises(ConnectionError):
            await registry.start(order())

    assert [(run.over, run.state) for run in store.asked] == [(True, RunState.CANCELLED)] * 3
    assert isinstance(store.asked[0].failure, RunCancelled)

    store.calls.clear()
    run = await registry.start(order())
    await soon(run.ended())
    await all_settled(registry)
    assert run.state is RunState.SUCCEEDED
    assert await registry.drain(0) == 0
    await registry.close()


async def test_a_run_that_the_store_does_not_retain_frees_its_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = Registry(ONE, Broken("retain"))
    runs = [await registry.start(order()) for _ in range(2)]

    for run in runs:
        await soon(run.ended())

    await all_settled(registry)
    assert [run.state for run in runs] == [RunState.SUCCEEDED] * 2
    assert caplog.messages == ["retaining a run failed"] * 2
    assert await soon(registry.drain(60)) == 0
    await registry.close()


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

    registry = Registry(ONE)
    runs = [await registry.start(order(Unreadable(echo))) for _ in range(2)]

    for run in runs:
        await soon(run.ended())

    await all_settled(registry)
    assert [(run.state, str(run.failure)) for run in runs] == [
        (RunState.FAILED, "the program raised RecursionError")
    ] * 2
    await registry.close()


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
        silent.options.no_tokens = True
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
        with open_call(Kind.TOOL, "shy", Shy(), {"shy": Shy()}):
            return question

    class Hosted(Scripted):
        def work(self, inputs: Mapping[str, Any]) -> Work:
            return replace(super().work(inputs), messages=ProviderMessages(StatusMessageProvider()))

    registry = Registry(ONE, keeps_content=lambda: True)
    run = await registry.start(order(Hosted(play)))
    await soon(run.ended())

    assert run.state is RunState.SUCCEEDED
    data = [getattr(entry.event, "data", None) for entry in run.log.read()]
    assert {"shy": "<Shy>"} in data
    await registry.close()


async def test_a_run_that_was_retained_twice_does_not_keep_others() -> None:
    store = MemoryStore(Limits(max_retained_bytes=1))
    one, other = (Run(RunKey("", name), order(), ONE) for name in ("one", "other"))

    for run in (one, other):
        await store.add(run)
        run.discard()

    for run in (one, one, other):
        await store.retain(run)

    assert await store.of("") == []
    assert store.held_bytes == 0
