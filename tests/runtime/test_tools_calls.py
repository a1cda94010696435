"""Calling tools: arguments, threads, both directions, statuses, errors."""

from __future__ import annotations

import asyncio
import copy
import functools
import threading
from collections.abc import Awaitable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import pytest
from headrace.calls import BaseCallback, RunScope, current_call, enter_run, open_call
from headrace.errors import ToolError, UsageError
from headrace.events import Event, Kind, Outcome, Phase, Status, ToolCall
from headrace.settings import context
from headrace.threads import portal
from headrace.tools import Tool
from pydantic import BaseModel

HERE: ContextVar[str] = ContextVar("here", default="nowhere")


class Place(BaseModel):
    city: str


def search(query: str, limit: int = 3, place: Place | None = None) -> tuple[Any, ...]:
    return query, limit, place


async def asearch(query: str, limit: int = 3) -> tuple[Any, ...]:
    await asyncio.sleep(0)
    return query, limit


class Searcher:
    async def __call__(self, query: str) -> str:
        return query

    async def search(self, query: str) -> str:
        return query


def later(query: str) -> Awaitable[str]:
    return asyncio.sleep(0, query)


def everything(**arguments: Any) -> dict[str, Any]:
    return arguments


def double(x: int) -> int:
    return 2 * x


# Arguments


def test_arguments_become_what_the_parameters_ask_for() -> None:
    assert Tool(search)(query="q", limit="4", place={"city": "Ulm"}) == ("q", 4, Place(city="Ulm"))
    assert Tool(search)(query="q") == ("q", 3, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "tool search: argument 'query' is missing"),
        (
            {"query": "q", "limt": 4},
            "there is no argument 'limt'; did you mean 'limit'? it takes query, limit, place",
        ),
        ({"query": "q", "zz": 1}, "there is no argument 'zz'; it takes query, limit, place"),
        ({"query": 3}, "tool search: argument 'query': Input should be a valid string"),
        ({"query": "q", "place": {}}, "argument 'place.city': Field required"),
        (
            {"limit": "many"},
            "'query' is missing; argument 'limit': Input should be a valid integer",
        ),
    ],
)
async def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, Any], said: str) -> None:
    tool = Tool(search)

    with pytest.raises(ToolError) as sync:
        tool(**arguments)

    with pytest.raises(ToolError) as asynchronous:
        await tool.acall(**arguments)

    assert said in sync.value.message
    assert sync.value.message == asynchronous.value.message
    assert sync.value.metadata == {"tool": "search"}


def test_refusals_do_not_repeat_the_values() -> None:
    declared = Tool(everything, name="pay", args={"pin": {"type": "integer"}})

    with pytest.raises(ToolError) as one:
        Tool(search)(query="q", limit="hunter2")

    with pytest.raises(ToolError) as other:
        declared(pin="hunter2")

    assert "hunter2" not in one.value.message + other.value.message
    assert other.value.message == "tool pay: argument 'pin' breaks the rule type 'integer'"


def test_declared_schemas_look_into_values() -> None:
    items = {"type": "array", "items": {"type": "object", "required": ["id"]}}
    tool = Tool(everything, args={"items": items})

    assert tool(items=[{"id": 1}]) == {"items": [{"id": 1}]}

    with pytest.raises(ToolError, match=r"argument 'items\[1\]' breaks the rule required \['id'\]"):
        tool(items=[{"id": 1}, {}])

    with pytest.raises(ToolError, match="argument 'items' has no JSON form"):
        tool(items=print)


# Where functions run


async def test_a_sync_function_runs_in_a_thread_with_the_callers_context() -> None:
    def where() -> tuple[bool, str]:
        return threading.current_thread() is threading.main_thread(), HERE.get()

    HERE.set("here")

    assert await Tool(where).acall() == (False, "here")
    assert Tool(where)() == (True, "here")


async def test_the_loop_goes_on_while_sync_functions_block() -> None:
    gate = threading.Barrier(20, timeout=10)  # opens only when all are inside at once
    tool = Tool(gate.wait, name="wait", args={}, arg_types={"timeout": float})

    arrived = await asyncio.gather(*(tool.acall(timeout=10) for _ in range(20)))

    assert sorted(arrived) == list(range(20))


async def test_an_async_function_runs_on_the_loop() -> None:
    loop = asyncio.get_running_loop()

    async def where() -> bool:
        return asyncio.get_running_loop() is loop

    assert await Tool(where).acall()


@pytest.mark.parametrize(
    "function",
    [asearch, functools.partial(asearch, limit=3), Searcher(), Searcher().search, later],
)
async def test_whatever_gives_an_awaitable_is_awaited(function: Any) -> None:
    assert await Tool(function, name="search").acall(query="q") in ("q", ("q", 3))


async def test_a_cancelled_call_leaves_its_thread_behind() -> None:
    started, released = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        released.wait(10)

    task = asyncio.create_task(Tool(block).acall())
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    released.set()

    with pytest.raises(asyncio.CancelledError):
        await task


# Async tools from sync code


def test_an_async_tool_in_sync_code_is_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError, match="allow_tool_async_sync_conversion=True"):
        Tool(asearch)(query="q")


async def test_where_conversion_is_allowed_sync_code_gets_the_result() -> None:
    def program() -> Any:
        return Tool(asearch)(query="q"), Tool(later)(query="q")

    with context(allow_tool_async_sync_conversion=True):
        assert program() == (("q", 3), "q")
        assert await portal.in_thread(program) == (("q", 3), "q")


def test_an_awaitable_that_is_refused_is_not_run() -> None:
    ran: list[str] = []

    async def work() -> None:
        ran.append("work")

    def give() -> Awaitable[None]:
        return work()

    with pytest.raises(UsageError, match="tool give is async"):
        Tool(give)()

    assert ran == []


# What is recorded


def fail(reason: str) -> None:
    raise LookupError(reason)


async def call_in_a_run(tool: Tool, **arguments: Any) -> list[Status]:
    """The statuses of one call of the tool, without the time it took."""
    events: list[Event] = []

    with (
        enter_run(RunScope(events.append)),
        open_call(Kind.MODULE, "agent", None, {}),
        suppress(LookupError, ToolError),
    ):
        await tool.acall(**arguments)

    return [
        replace(event, elapsed=0.0)
        for event in events
        if isinstance(event, Status) and event.kind is Kind.TOOL
    ]


async def test_a_call_is_recorded_with_its_arguments_and_outputs() -> None:
    asked = ToolCall(arguments_json='{"query":"q","limit":"4"}')

    assert await call_in_a_run(Tool(search), query="q", limit="4") == [
        Status(Kind.TOOL, Phase.START, 2, 1, "search", tool=asked),
        Status(
            Kind.TOOL,
            Phase.END,
            2,
            1,
            "search",
            outcome=Outcome.OK,
            tool=ToolCall(result_json='["q",4,null]'),
        ),
    ]


@pytest.mark.parametrize("arguments", [{"reason": "gone"}, {}])
async def test_a_call_that_raises_ends_with_an_error(arguments: dict[str, Any]) -> None:
    start, end = await call_in_a_run(Tool(fail), **arguments)

    assert (start.phase, end.phase, end.outcome) == (Phase.START, Phase.END, Outcome.ERROR)
    assert "gone" not in str(end.failure)


async def test_what_the_function_raises_keeps_its_type() -> None:
    with pytest.raises(LookupError, match="gone"):
        Tool(fail)(reason="gone")

    with pytest.raises(LookupError, match="gone"):
        await Tool(fail).acall(reason="gone")


async def test_what_a_tool_calls_is_inside_its_call() -> None:
    def inside() -> str:
        call = current_call()
        return call.name if call else "outside"

    assert await Tool(inside).acall() == "inside"
    assert Tool(inside)() == "inside"


def test_a_tools_own_callbacks_are_told() -> None:
    told: list[tuple[Any, ...]] = []

    class Telling(BaseCallback):
        def on_tool_start(self, call_id: int, instance: Any, inputs: dict[str, Any]) -> None:
            told.append(("start", instance.name, inputs))

        def on_tool_end(self, call_id: int, outputs: Any, exception: BaseException | None) -> None:
            told.append(("end", outputs, exception))

    tool = Tool(double)
    tool.callbacks.append(Telling())
    tool(x=3)

    assert told == [("start", "double", {"x": 3}), ("end", 6, None)]


def test_a_tool_can_be_copied_deeply() -> None:
    assert copy.deepcopy(Tool(search))(query="q", limit="1") == ("q", 1, None)
