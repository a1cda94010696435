"""Programs that the interop cases need beside the conformance kit's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from headrace import ReAct, Tool, ask, emit
from headrace.calls import current_call, current_run, open_call
from headrace.errors import LMRateLimitError
from headrace.events import Kind
from headrace.hosting import Program
from headrace.module import Module
from headrace.parsing import FieldDelta
from headrace.values import Prediction
from scripted_lm import Script, ScriptedLM, chat, cut, section

LINE = "the quick brown föx jumps over ninety 漢字\n"


class Flood(Module):
    """Writes far more text than a reader that has stalled can be sent."""

    async def aforward(self, lines: int = 1_500) -> Prediction:
        """lines: one token each."""
        with open_call(Kind.MODULE, "flood", None, {}):
            run, call = current_run(), current_call()
            assert run is not None
            assert call is not None

            with run.fields("flood", call.call_id, typed=()) as writer:
                for number in range(lines):
                    writer.write(FieldDelta("text", LINE, number == lines - 1))

                    await asyncio.sleep(0.001)  # slow enough for each to be sent by itself

        return Prediction(text=LINE * lines)


class Echo(Module):
    """Gives its inputs back."""

    async def aforward(self, text: str, number: int = 0) -> Prediction:
        return Prediction(text=text, number=number)


class Limited(Module):
    """Fails as a program does whose provider asks to slow down."""

    async def aforward(self) -> Prediction:
        raise LMRateLimitError("the provider asks to slow down", retry_after=7.0)


class Teller(Module):
    """Tells of its progress, in bursts."""

    async def aforward(self, bursts: int = 1, steps: int = 3) -> Prediction:
        """steps: of a burst, one event each, with an integer that no double holds."""
        for step in range(bursts * steps):
            emit("progress", {"done": step, "exact": 2**53 + 1})

            if (step + 1) % steps == 0:
                await asyncio.sleep(0.005)  # so that the burst is sent by itself

        return Prediction(steps=bursts * steps)


class Planner(Module):
    """Asks two questions, and leave to book."""

    def __init__(self) -> None:
        self.book = Tool(_book, name="book", approve=True)

    async def aforward(self, task: str) -> Prediction:
        city = await ask("Which city?")
        days = await ask("How many days?", type=int)
        booked = await self.book.acall(city=city, days=days)

        return Prediction(task=task, booked=booked)


def _book(city: str, days: int) -> dict[str, object]:
    return {"city": city, "days": days}


class Booking(Module):
    """Asks leave to book, with an integer that no double holds."""

    def __init__(self) -> None:
        self.book = Tool(_book, name="book", approve=True)

    async def aforward(self) -> Prediction:
        return Prediction(booked=await self.book.acall(city="Köln", days=2**53 + 1))


class Counter(Module):
    """Gives numbers back, of one digit each unless they have a base."""

    async def aforward(self, count: int, base: int = 0) -> Prediction:
        """base: added to each."""
        return Prediction(numbers=[base + number % 10 for number in range(count)])


class Hasty(Module):
    """Asks a question that nobody can answer in time."""

    async def aforward(self) -> Prediction:
        return Prediction(city=await ask("Which city?", timeout=0.1))


def set_gate(sluice: str, height: float, by: str = "hand") -> str:
    """Moves a gate. height: metres."""
    return f"{sluice} at {height} m by {by}"


def ring_bell(times: int) -> str:
    """Rings for the keeper."""
    return f"rung {times} times"


PROPOSALS: Mapping[str, Mapping[str, Any]] = {
    "set_gate": {"sluice": "mill", "height": 0.5},
    "ring_bell": {"times": 3},
}


def keep(prompt: str) -> Script:
    """The keeper's model: calls the tool that is its task, finishes, and reports what it was told."""
    told, task = section(prompt, "observation_0"), section(prompt, "task")

    if "next_tool_name" not in prompt:
        return cut(chat(reasoning="It was tried.", report=told, grade="good"))

    tool = "finish" if told else task
    arguments = json.dumps(PROPOSALS.get(tool, {}))

    return cut(chat(next_thought="On it.", next_tool_name=tool, next_tool_args=arguments))


KEEPER = ReAct(
    "task, area -> report, grade",
    tools=[
        Tool(set_gate, approve=True),
        Tool(ring_bell, approve=True, approval_timeout=0.1),
    ],
)


PROGRAMS = (
    Program(Flood(), name="flood"),
    Program(Echo(), name="echo"),
    Program(Limited(), name="limited"),
    Program(Teller(), name="teller"),
    Program(Planner(), name="planner"),
    Program(Booking(), name="booking"),
    Program(Counter(), name="counter"),
    Program(Hasty(), name="hasty"),
    Program(KEEPER, name="keeper", lm=ScriptedLM(by_prompt=keep)),
)
