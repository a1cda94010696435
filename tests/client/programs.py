"""Programs for the client to run, without a provider."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from headrace import Module, Program, ReAct, StatusMessageProvider
from headrace.demo.programs import ParallelComposer, ParallelStatus
from scripted_lm import ScriptedLM, chat, cut, section

FIELDS = ("reasoning", "brainstorm", "evidence", "answer")


def answer(prompt: str) -> list[str]:
    """Answers each field asked for with its name and the question, in small pieces."""
    question = section(prompt, "question")
    asked = prompt.rpartition("Respond with")[2]
    fields = {name: f"{name} for {question}" for name in FIELDS if f"[[ ## {name} ## ]]" in asked}

    return list(cut(chat(**fields)))


def composing(lm: ScriptedLM | None = None) -> Program:
    """The demo's composer over a scripted LM."""
    return Program(
        ParallelComposer(),
        name="composer",
        status=ParallelStatus(),
        lm=lm or ScriptedLM(by_prompt=answer),
    )


class Acting(Module):
    """Does what the test has written."""

    def __init__(self, act: Callable[..., Awaitable[object]]) -> None:
        self.act = act

    async def aforward(self, number: int = 0) -> Any:
        return await self.act(number)


def acting(act: Callable[..., Awaitable[object]]) -> Program:
    return Program(Acting(act), name="acting")


class Held:
    """A program that waits until the test lets it on."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.stopped = asyncio.Event()
        self.let_on = asyncio.Event()
        self.program = acting(self._wait)

    async def _wait(self, number: int) -> object:
        self.begun.set()

        try:
            await self.let_on.wait()
        except asyncio.CancelledError:
            self.stopped.set()
            raise

        return number


def measure(place: str) -> str:
    """Measures the water level at a place."""
    if place == "weir":
        raise ValueError("the gauge is broken")

    return "1.5 m"


class Words(StatusMessageProvider):
    """Says where is measured."""

    def tool_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str | None:
        return f"Measuring at {inputs['place']}..." if "place" in inputs else None

    def tool_end_status_message(self, outputs: Any) -> str | None:
        return None


def agent() -> Program:
    """An agent that measures at two places, fails at one, and answers."""
    turns = [
        chat(
            next_thought="First the mill.",
            next_tool_name="measure",
            next_tool_args='{"place": "mill"}',
        ),
        chat(
            next_thought="Then the weir.",
            next_tool_name="measure",
            next_tool_args='{"place": "weir"}',
        ),
        chat(next_thought="That will do.", next_tool_name="finish", next_tool_args="{}"),
        chat(reasoning="Measured once.", answer="1.5 m at the mill"),
    ]
    lm = ScriptedLM(*(cut(turn) for turn in turns))

    return Program(
        ReAct("question -> answer", tools=[measure]), name="agent", status=Words(), lm=lm
    )
