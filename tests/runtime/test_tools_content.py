"""Content of tool calls: what statuses tell of arguments and results, and of the provider's own id."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from contextvars import copy_context
from typing import Any

import pytest
from headrace.calls import RunScope, enter_run
from headrace.errors import ToolError
from headrace.events import Event, Status, ToolCall
from headrace.tools import Tool
from pydantic import BaseModel


class Place(BaseModel):
    city: str


def double(x: int) -> int:
    return 2 * x


def everything(**arguments: Any) -> dict[str, Any]:
    return arguments


def fail(reason: str) -> None:
    raise LookupError(reason)


async def told_of(work: Awaitable[object], **scope: Any) -> list[ToolCall | None]:
    """What statuses tell of the tools called in some work, whether it fails or not."""
    events: list[Event] = []

    with enter_run(RunScope(events.append, **scope)):
        await asyncio.gather(work, return_exceptions=True)

    return [event.tool for event in events if isinstance(event, Status)]


async def test_a_call_tells_its_arguments_in_their_order_and_its_result_as_json() -> None:
    def weigh(zinc: int, amber: float, place: Place) -> dict[str, Any]:
        return {"zinc": zinc, "amber": amber, "at": place}

    tool = Tool(weigh)
    arguments = {"zinc": 2**63 + 1, "amber": 1.5, "place": {"city": "Köln"}}

    assert await told_of(tool.acall(**arguments)) == [
        ToolCall("", '{"zinc":9223372036854775809,"amber":1.5,"place":{"city":"Köln"}}'),
        ToolCall("", result_json='{"zinc":9223372036854775809,"amber":1.5,"at":{"city":"Köln"}}'),
    ]


async def test_what_has_no_json_form_is_told_as_a_preview() -> None:
    def odd(x: Any) -> object:
        return [float("nan"), object(), {1: float("inf")}]

    assert await told_of(Tool(odd).acall(x=float("-inf"))) == [
        ToolCall("", '{"x":"-inf"}'),
        ToolCall("", result_json='["nan","<object>",{"1":"inf"}]'),
    ]


async def test_a_tool_that_returns_nothing_has_null_as_its_result_and_one_that_fails_none() -> None:
    def nothing() -> None:
        return None

    assert await told_of(Tool(nothing).acall()) == [
        ToolCall("", "{}"),
        ToolCall("", result_json="null"),
    ]
    assert await told_of(Tool(fail).acall(reason="gone")) == [
        ToolCall("", '{"reason":"gone"}'),
        ToolCall(),
    ]


async def test_arguments_are_told_as_they_were_asked_for() -> None:
    def spoil(items: list[int]) -> int:
        items.clear()
        return len(items)

    begin, _ = await told_of(Tool(spoil).acall(items=[1, 2]))

    assert begin == ToolCall("", '{"items":[1,2]}')


async def test_content_of_tools_is_told_only_where_content_is() -> None:
    assert await told_of(Tool(double).acall(x=1), tells_content=False) == [None, None]


async def test_no_lock_of_the_run_is_held_while_content_is_looked_at() -> None:
    """A value may wait for a thread of its own, which calls something itself."""

    class Slow:
        def toDict(self) -> dict[str, int]:
            worker = threading.Thread(target=run.copy().run, args=(double_it,))
            worker.start()
            worker.join(10)
            assert not worker.is_alive()

            return {"x": 1}

    def double_it() -> None:
        Tool(double)(x=1)

    def give() -> object:
        return Slow()

    events: list[Event] = []

    with enter_run(RunScope(events.append)):
        run = copy_context()
        await Tool(give).acall()

    results = [one.tool.result_json for one in events if isinstance(one, Status) and one.tool]
    assert results == ["", "", "2", '{"x":1}']


def asked_for(arguments: object) -> dict[str, Any]:
    return {
        "id": "call_7",
        "type": "function",
        "function": {"name": "double", "arguments": arguments},
    }


@pytest.mark.parametrize("arguments", ['{"x": 3}', {"x": 3}])
async def test_a_call_as_a_provider_writes_it_tells_the_providers_id(arguments: object) -> None:
    call = Tool(double).acall_from(asked_for(arguments))

    assert await told_of(call) == [
        ToolCall("call_7", '{"x":3}'),
        ToolCall("call_7", result_json="6"),
    ]
    assert await Tool(double).acall_from(asked_for(arguments)) == 6


@pytest.mark.parametrize("arguments", ["[]", "3", "{", '{"x": ', [1]])
async def test_a_providers_call_without_an_object_of_arguments_is_an_error(
    arguments: object,
) -> None:
    with pytest.raises(ToolError, match="tool double: its arguments are no JSON object"):
        await Tool(double).acall_from(asked_for(arguments))


@pytest.mark.parametrize("arguments", ["", None, "{}"])
async def test_a_providers_call_may_leave_out_arguments(arguments: object) -> None:
    assert await Tool(everything).acall_from(asked_for(arguments)) == {}
