"""Whoever observes a run is told of every call, in order, and can make something current in it."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar, Token
from typing import Any

import pytest
from headrace.calls import Call, CallEnd, Leave, Observer, current_call, open_call
from headrace.errors import HeadraceError, LMServerError
from headrace.events import Kind, Status
from headrace.execution import Execution, Work
from headrace.lm.base import BaseLM, Completion, Receive, Request
from headrace.module import Module
from headrace.predict import Predict
from headrace.settings import context
from headrace.tools import Tool
from scripted_lm import ScriptedLM, chat

span: ContextVar[str] = ContextVar("span", default="none")
"""As a tracer has one: the call that what runs here belongs to."""


class Journal:
    """Notes what it is told, and makes each call's path the current span."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def begin(self, call: Call) -> Leave:
        self.told.append(("begin", path(call)))
        token: Token[str] = span.set(path(call))

        return lambda: span.reset(token)

    def update(self, call: Call, failure: HeadraceError | None) -> None:
        self.told.append(("update", path(call), str(failure)))

    def end(self, call: Call, end: CallEnd) -> None:
        tokens = call.usage.output_tokens if call.usage else 0
        self.told.append(("end", path(call), end.outcome.name, str(end.failure), tokens))


def path(call: Call) -> str:
    own = f"{call.kind.name} {call.name}"

    return f"{path(call.parent)} > {own}" if call.parent else own


class Retrying(ScriptedLM):
    """An LM whose first attempt fails."""

    async def generate(self, request: Request, receive: Receive) -> Completion:
        call = current_call()
        assert call is not None
        call.update(failure=LMServerError("busy"))

        return await super().generate(request, receive)


class Agent(Module):
    """Asks, and has a sync tool look at the current span."""

    def __init__(self, look: Any) -> None:
        self.ask = Predict("question -> answer")
        self.tool = Tool(look)

    async def aforward(self, question: str) -> Any:
        await self.ask.acall(question=question)

        return await self.tool.acall()


async def observed(
    program: Any, *observers: Observer, lm: BaseLM | None = None, **settings: Any
) -> Execution:
    with context(lm=lm, **settings):
        execution = Execution(
            Work(program, name="program", caller_context={"traceparent": "00-1"}),
            observers=observers,
        )
        execution.start()

    await execution.ended()

    return execution


async def test_it_hears_of_calls_of_all_kinds_and_what_it_sets_is_seen_inside_them() -> None:
    def look() -> tuple[str, bool]:
        return span.get(), threading.current_thread() is threading.main_thread()

    journal = Journal()
    agent = Agent(look)
    execution = await observed(
        lambda: agent.acall(question="?"), journal, lm=Retrying(chat(answer="42"))
    )

    run = "RUN program"
    module, tool = f"{run} > MODULE Agent", f"{run} > MODULE Agent > TOOL look"
    ask = f"{module} > MODULE Predict"
    assert journal.told == [
        ("begin", run),
        ("begin", module),
        ("begin", ask),
        ("begin", f"{ask} > ADAPTER format"),
        ("end", f"{ask} > ADAPTER format", "OK", "None", 0),
        ("begin", f"{ask} > LM scripted"),
        ("update", f"{ask} > LM scripted", "busy"),
        ("end", f"{ask} > LM scripted", "OK", "None", 1),
        ("begin", f"{ask} > ADAPTER parse"),
        ("end", f"{ask} > ADAPTER parse", "OK", "None", 0),
        ("end", ask, "OK", "None", 0),
        ("begin", tool),
        ("end", tool, "OK", "None", 0),
        ("end", module, "OK", "None", 0),
        ("end", run, "OK", "None", 0),
    ]
    assert execution.result is not None
    assert execution.result.value == (tool, False)
    assert span.get() == "none"


async def test_the_end_says_how_a_call_failed_and_what_may_be_told_of_it() -> None:
    def fail() -> None:
        raise LookupError("sk-secret")

    errors: list[BaseException | None] = []

    class Errors(Journal):
        def end(self, call: Call, end: CallEnd) -> None:
            super().end(call, end)
            errors.append(end.error)

    journal = Errors()
    await observed(Tool(fail).acall, journal)

    told = "the program raised LookupError"
    assert journal.told == [
        ("begin", "RUN program"),
        ("begin", "RUN program > TOOL fail"),
        ("end", "RUN program > TOOL fail", "ERROR", told, 0),
        ("end", "RUN program", "ERROR", told, 0),
    ]
    assert [str(error) for error in errors] == ["sk-secret", "sk-secret"]


async def test_what_came_from_the_caller_is_on_the_root_of_every_call() -> None:
    roots: list[Any] = []

    def look() -> None:
        call = current_call()
        assert call is not None
        roots.append((call.root.kind, call.root.caller_context, call.caller_context))

    await observed(Tool(look).acall)

    assert roots == [(Kind.RUN, {"traceparent": "00-1"}, {})]


async def test_calls_left_behind_end_with_their_run_and_once() -> None:
    inside = asyncio.Event()

    async def forgotten() -> None:
        with open_call(Kind.TOOL, "forgotten", None, {}):
            inside.set()
            await asyncio.Event().wait()

    left: list[asyncio.Task[None]] = []

    async def program() -> None:
        left.append(asyncio.create_task(forgotten()))
        await inside.wait()

    journal = Journal()
    await observed(program, journal)
    await asyncio.wait(left)

    assert journal.told == [
        ("begin", "RUN program"),
        ("begin", "RUN program > TOOL forgotten"),
        ("end", "RUN program > TOOL forgotten", "CANCELLED", "None", 0),
        ("end", "RUN program", "OK", "None", 0),
    ]


class Faulty:
    """Raises whenever it is told something."""

    def begin(self, call: Call) -> Leave:
        if call.kind is Kind.LM:
            return self._fail

        raise KeyError(call.name)

    def update(self, call: Call, failure: HeadraceError | None) -> None:
        self._fail()

    def end(self, call: Call, end: CallEnd) -> None:
        self._fail()

    def _fail(self) -> None:
        raise RuntimeError("no")


async def test_one_that_raises_breaks_nothing_and_is_logged_once_a_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal, faulty = Journal(), Faulty()
    agent = Agent(current_span)

    executions = [
        await observed(
            lambda: agent.acall(question="?"), faulty, journal, lm=Retrying(chat(answer="42"))
        )
        for _ in range(2)
    ]

    assert [execution.error for execution in executions] == [None, None]
    assert [record.getMessage() for record in caplog.records] == ["observer Faulty raised"] * 2
    assert len(journal.told) == 2 * 15


def current_span() -> str:
    return span.get()


async def test_a_step_of_an_adapter_leaves_no_status_and_takes_no_call_id() -> None:
    ids: list[tuple[str, int]] = []

    class Ids(Journal):
        def begin(self, call: Call) -> Leave:
            ids.append((call.name, call.call_id))
            return super().begin(call)

    ask = Predict("question -> answer")
    execution = await observed(
        lambda: ask.acall(question="?"), Ids(), lm=ScriptedLM(chat(answer="42"))
    )
    events = [entry.event for entry in execution.log.read()]
    kinds = {event.kind for event in events if isinstance(event, Status)}

    assert ids == [("program", 1), ("Predict", 2), ("format", 2), ("scripted", 3), ("parse", 2)]
    assert kinds == {Kind.RUN, Kind.MODULE, Kind.LM}
