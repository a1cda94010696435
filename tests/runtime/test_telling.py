"""emit: what programs and tools tell of themselves, in which order, and what they may not."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import headrace
import pytest
from headrace.errors import HeadraceError, UsageError
from headrace.events import CustomEvent, Event, Kind, Phase, Status
from headrace.execution import Execution, Work
from headrace.module import Module
from headrace.parallel import Parallel
from headrace.predict import Predict
from headrace.settings import context
from headrace.streaming import StatusMessage, StreamResponse, streamify
from headrace.tools import Tool
from hypothesis import given
from hypothesis import strategies as st
from scripted_lm import ScriptedLM, echo


async def all_of(stream: AsyncGenerator[Any, None]) -> list[Any]:
    return [item async for item in stream]


async def told(play: Callable[[], Awaitable[object]], **options: Any) -> list[Event]:
    """The events of a run in process, which does what is written in the test."""
    execution = Execution(Work(play), **options)
    execution.start()
    await execution.ended()

    if execution.error is not None:
        raise execution.error

    return [entry.event for entry in execution.log.read()]


def customs(events: list[Event]) -> list[CustomEvent]:
    return [event for event in events if isinstance(event, CustomEvent)]


async def test_what_a_program_tells_stands_in_its_order_between_text_and_statuses() -> None:
    class Mill(Module):
        def __init__(self) -> None:
            self.ask = Predict("question -> answer")

        async def aforward(self, question: str) -> str:
            headrace.emit("begun")
            answer = await self.ask.acall(question=question)
            headrace.emit("sacks", {"ground": 1, "of": 3})
            return str(answer.answer)

    with context(lm=ScriptedLM(by_prompt=echo("answer"))):
        items = await all_of(streamify(Mill())(question="rye"))

    text = [item for item in items if isinstance(item, StreamResponse)]
    assert "".join(item.chunk for item in text) == "answer of rye"
    assert items == [
        CustomEvent("begun", 2, "null"),
        *text,
        CustomEvent("sacks", 2, '{"ground":1,"of":3}'),
        "answer of rye",
    ]
    assert items[-2].data == {"ground": 1, "of": 3}


def test_sync_streams_yield_it_too_and_no_listener_is_needed() -> None:
    def program() -> int:
        headrace.emit("half", 0.5)
        return 1

    stream = streamify(program, stream_listeners=[], async_streaming=False)

    assert [*stream()] == [CustomEvent("half", 1, "0.5"), 1]


async def test_sync_code_in_a_worker_thread_tells_of_the_call_it_is_part_of() -> None:
    def grind(sacks: int) -> int:
        headrace.emit("ground", sacks)
        return sacks

    class Mill(Module):
        def __init__(self) -> None:
            self.grind = Tool(grind)

        def forward(self) -> int:
            headrace.emit("begun")
            return int(self.grind(sacks=3))

    items = await all_of(streamify(Mill())())
    tool = next(item for item in items if isinstance(item, StatusMessage))

    assert customs(items) == [CustomEvent("begun", 2), CustomEvent("ground", tool.call_id, "3")]
    assert tool.call_id == 3


async def test_parallel_calls_are_told_apart() -> None:
    class Sack(Module):
        def forward(self, number: int) -> int:
            headrace.emit("sack", number)
            return number

    sack = Sack()

    async def play() -> object:
        return await Parallel(num_threads=4).acall([(sack, {"number": n}) for n in range(8)])

    events = await told(play)
    started = {
        event.call_id
        for event in events
        if isinstance(event, Status) and event.phase is Phase.START
    }

    assert sorted(event.data for event in customs(events)) == [*range(8)]
    assert len({event.call_id for event in customs(events)}) == 8
    assert {event.call_id for event in customs(events)} <= started


async def test_a_thread_of_ones_own_tells_where_the_context_was_carried_to() -> None:
    async def play() -> object:
        carried = contextvars.copy_context()

        for thread in (
            threading.Thread(target=carried.run, args=(headrace.emit, "from", "afar")),
            threading.Thread(target=headrace.emit, args=("from", "nowhere")),
        ):
            thread.start()
            await asyncio.to_thread(thread.join)

        return 1

    assert customs(await told(play)) == [CustomEvent("from", 1, '"afar"')]


async def test_a_task_that_outlives_its_call_tells_of_the_call_around_it() -> None:
    over = asyncio.Event()

    async def later() -> None:
        await over.wait()
        headrace.emit("late")

    class Short(Module):
        async def aforward(self) -> asyncio.Task[None]:
            return asyncio.create_task(later())

    async def play() -> object:
        task = await Short().acall()
        over.set()
        await task
        return 1

    assert customs(await told(play)) == [CustomEvent("late", 1)]


async def test_nothing_is_told_once_the_program_has_returned() -> None:
    carried: list[contextvars.Context] = []

    async def play() -> object:
        carried.append(contextvars.copy_context())
        return 1

    execution = Execution(Work(play))
    execution.start()
    await execution.ended()
    before = execution.log.last_sequence
    carried[0].run(headrace.emit, "late")

    assert execution.log.last_sequence == before


def test_outside_of_any_run_nothing_happens_and_nothing_is_asked() -> None:
    headrace.emit("progress", {"done": 1})
    headrace.emit("\n", threading.Lock())


async def test_a_module_that_is_called_plainly_works_although_it_tells() -> None:
    class Mill(Module):
        async def aforward(self) -> int:
            headrace.emit("begun")
            return 1

    assert await Mill().acall() == 1


@dataclass
class Sack:
    grain: str
    weight: float


async def test_models_and_dataclasses_have_the_form_that_outputs_have() -> None:
    async def play() -> object:
        headrace.emit("sack", Sack("rye", 2.5))
        headrace.emit("sacks", {"all": (Sack("é", 1), {3, 1})})
        return 1

    assert [event.data_json for event in customs(await told(play))] == [
        '{"grain":"rye","weight":2.5}',
        '{"all":[{"grain":"é","weight":1},[1,3]]}',
    ]


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    )
)
def test_what_json_has_comes_as_it_was_told(data: Any) -> None:
    async def play() -> object:
        headrace.emit("data", data)
        return 1

    (event,) = customs(asyncio.run(told(play)))

    assert event.data == data
    assert "\n" not in event.data_json


async def refused(name: Any, data: object = None, **options: Any) -> str:
    async def play() -> object:
        headrace.emit(name, data)
        return 1

    with pytest.raises(UsageError) as caught:
        await told(play, **options)

    return caught.value.message


@pytest.mark.parametrize("name", ["", "two\nlines", "tab\t", "\x00", "\u2028", "x" * 65])
async def test_a_name_is_a_short_line_of_printable_text(name: str) -> None:
    assert await refused(name) == (
        "emit(name, data): name takes 1 to 64 printable characters, without line breaks and other "
        f"control characters; {name[:64]!r} has {len(name)}"
    )


async def test_a_name_is_text() -> None:
    assert await refused(7) == "emit(name, data): name is text such as 'progress', not of type int"


@pytest.mark.parametrize("name", ["x", "x" * 64, "Mahlgang läuft"])
async def test_every_other_name_is_the_authors_to_choose(name: str) -> None:
    async def play() -> object:
        headrace.emit(name)
        return 1

    assert customs(await told(play)) == [CustomEvent(name, 1)]


async def test_data_without_a_json_form_is_refused_by_its_place() -> None:
    assert await refused("sack", {"of": [1, threading.Lock()]}) == (
        "emit('sack', data): data.of[1] has no JSON form: it is of type lock; "
        "tell what JSON has, or a model or dataclass of it"
    )
    assert "data has no JSON form: it is nan" in await refused("sack", float("nan"))


async def test_data_is_measured_as_utf_8_and_the_edge_is_still_within() -> None:
    async def play() -> object:
        headrace.emit("sack", "é" * 4)
        return 1

    assert len(customs(await told(play, max_custom_event_bytes=10))) == 1
    assert await refused("sack", "é" * 4 + "e", max_custom_event_bytes=10) == (
        "emit('sack', data): data takes 11 bytes of JSON, and an event at most 10; "
        "tell less at a time, or a summary"
    )
    assert "takes 65537 bytes of JSON, and an event at most 65536" in await refused(
        "sack", "x" * 65_535
    )


async def test_a_program_may_catch_what_it_was_refused_and_go_on() -> None:
    async def play() -> object:
        try:
            headrace.emit("sack", threading.Lock())
        except HeadraceError:
            headrace.emit("sack", "a lock")

        return 1

    events = await told(play)
    assert customs(events) == [CustomEvent("sack", 1, '"a lock"')]
    assert [event.kind for event in events if isinstance(event, Status)] == [Kind.RUN, Kind.RUN]
