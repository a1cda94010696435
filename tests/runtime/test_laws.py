"""Laws of a run that hold whatever a program does, and whenever it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

from headrace.events import Event, Outcome, Phase, PredictionEvent, Status, Token
from headrace.execution import Execution, Work
from headrace.module import Module
from headrace.predict import Predict
from headrace.settings import context
from hypothesis import given
from hypothesis import strategies as st
from scripted_lm import Script, ScriptedLM, chat, cut

Plan: TypeAlias = tuple[Any, ...]
"""What a module does, as a word and the plans of its parts."""

ask = Predict("question -> answer")

LEAVES = st.sampled_from([("ask",), ("ask badly",), ("raise",), ("wait",), ("return",)])
PLANS: st.SearchStrategy[Plan] = st.recursive(
    LEAVES,
    lambda parts: st.tuples(
        st.sampled_from(["after", "together", "group", "thread", "try", "leave", "leave thread"]),
        parts,
        parts,
    ),
    max_leaves=6,
)


class Planned(Module):
    """Does as it is told."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.parts = [Planned(part) for part in plan[1:]]

    async def aforward(self) -> object:
        match self.plan[0]:
            case "ask" | "ask badly":
                return await ask.acall(question=self.plan[0])
            case "raise":
                raise KeyError
            case "wait":
                await asyncio.sleep(0)
            case "after":
                for part in self.parts:
                    await part.acall()
            case "together":
                await asyncio.gather(*(part.acall() for part in self.parts))
            case "group":
                async with asyncio.TaskGroup() as group:
                    for part in self.parts:
                        group.create_task(part.acall())
            case "thread":
                await asyncio.gather(*(asyncio.to_thread(part) for part in self.parts))
            case "try":
                with contextlib.suppress(KeyError, asyncio.CancelledError):
                    await self.parts[0].acall()

                await self.parts[1].acall()
            case "leave":
                task = asyncio.create_task(self.parts[0].acall())
                left.add(task)
                task.add_done_callback(forget)
                await self.parts[1].acall()
            case "leave thread":
                run = contextvars.copy_context().run
                thread = threading.Thread(target=run, args=(quietly(self.parts[0]),), daemon=True)
                thread.start()
                await self.parts[1].acall()
            case _:
                pass

        return "done"


left: set[asyncio.Task[Any]] = set()


def forget(task: asyncio.Task[Any]) -> None:
    left.discard(task)
    _ = task.cancelled() or task.exception()


def quietly(program: Callable[[], object]) -> Callable[[], None]:
    def call() -> None:
        with contextlib.suppress(BaseException):
            program()

    return call


def script(prompt: str) -> Script:
    if "ask badly" in prompt:
        return [*cut(chat(answer="half"))[:8], KeyError("broken")]

    return cut(chat(answer="a whole answer"))


async def events_of(plan: Plan, stop_after: int | None) -> list[Event]:
    execution = Execution(Work(Planned(plan).acall, name="program"))

    with context(lm=ScriptedLM(by_prompt=script)):
        execution.start()

    if stop_after is not None:
        for _ in range(stop_after):
            await asyncio.sleep(0)

        execution.cancel("caller")

    await execution.ended()
    return [entry.event for entry in execution.log.read()]


def check(log: list[Event]) -> None:
    statuses = [event for event in log if isinstance(event, Status)]
    tokens = [event for event in log if isinstance(event, Token)]
    starts = Counter(one.call_id for one in statuses if one.phase is Phase.START)
    ends = Counter(one.call_id for one in statuses if one.phase is Phase.END)
    fields = {(one.call_id, one.field) for one in tokens}
    lasts = Counter((one.call_id, one.field) for one in tokens if one.is_last)

    assert starts == ends
    assert set(starts.values()) == {1}
    assert {one.parent_call_id for one in statuses} <= {0, *starts}
    assert lasts == Counter(fields)
    assert {call for call, _ in fields} <= set(starts)

    final = log[-1]
    last_status = final if isinstance(final, Status) else log[-2]
    assert isinstance(last_status, Status)
    assert last_status.call_id == 1
    assert (last_status.outcome is Outcome.OK) == isinstance(final, PredictionEvent)

    for call, field in fields:
        check_text([one for one in tokens if (one.call_id, one.field) == (call, field)], log)


def check_text(tokens: list[Token], log: list[Event]) -> None:
    """A field's tokens join without gaps, the last one last, and none after its call's end."""
    at = 0

    for token in tokens:
        assert token.offset == at
        at += len(token.chunk)

    assert [token.is_last for token in tokens] == [False] * (len(tokens) - 1) + [True]
    (end,) = (
        place
        for place, one in enumerate(log)
        if isinstance(one, Status) and one.phase is Phase.END and one.call_id == tokens[0].call_id
    )
    assert log.index(tokens[-1]) < end


@given(plan=PLANS, stop_after=st.none() | st.integers(1, 60))
def test_everything_that_starts_ends_once_and_in_order(plan: Plan, stop_after: int | None) -> None:
    check(asyncio.run(asyncio.wait_for(events_of(plan, stop_after), 20)))
