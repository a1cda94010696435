"""Sync and async callers see the same events, whatever the module."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from headrace.chain_of_thought import ChainOfThought
from headrace.events import Event, PredictionEvent, Status
from headrace.execution import Execution, Work
from headrace.module import Module
from headrace.parallel import Parallel
from headrace.predict import Predict
from headrace.react import ReAct
from headrace.settings import context
from headrace.threads import portal
from headrace.values import Prediction
from scripted_lm import Script, ScriptedLM, chat, cut


def look(question: str) -> str:
    """Looks."""
    return f"seen {question}"


async def listen(question: str) -> str:
    """Listens."""
    return f"heard {question}"


class SyncChain(Module):
    def __init__(self) -> None:
        self.first = Predict("question -> answer")
        self.second = ChainOfThought("question -> answer")

    def forward(self, question: str) -> Prediction:
        return self.second(question=self.first(question=question).answer)


class AsyncChain(SyncChain):
    async def aforward(self, question: str) -> Prediction:
        draft = await self.first.acall(question=question)
        return await self.second.acall(question=draft.answer)


class OneAtATime(Module):
    def __init__(self) -> None:
        self.ask = Predict("question -> answer")

    def forward(self, question: str) -> list[str]:
        pairs = [(self.ask, {"question": f"{question} {number}"}) for number in range(3)]
        return [prediction.answer for prediction in Parallel(num_threads=1)(pairs)]


def answers() -> ScriptedLM:
    """Answers whatever is asked; an agent uses its first tool once and then finishes."""

    def script(prompt: str) -> Script:
        if "next_tool_name" not in prompt:
            return cut(chat(reasoning="thought", answer="answer"))

        done = "[[ ## observation_0 ## ]]" in prompt
        tool = "finish" if done else "look" if "look" in prompt else "listen"
        arguments = "{}" if done else json.dumps({"question": "why"})

        return cut(chat(next_thought="hm", next_tool_name=tool, next_tool_args=arguments))

    return ScriptedLM(by_prompt=script)


async def events_of(module: Module, call: Callable[[], Awaitable[object]]) -> list[Event]:
    addresses = {id(one): path for path, one in module.named_modules()}
    execution = Execution(Work(call, addresses=addresses))

    with context(lm=answers()):
        execution.start()

    await execution.ended()
    assert execution.error is None

    return [without_time(entry.event) for entry in execution.log.read()]


def without_time(event: Event) -> Event:
    return replace(event, elapsed=0.0) if isinstance(event, Status | PredictionEvent) else event


@pytest.mark.parametrize(
    "module",
    [
        Predict("question -> answer, reasoning"),
        ChainOfThought("question -> answer"),
        ReAct("question -> answer", tools=[look]),
        ReAct("question -> answer", tools=[listen]),
        SyncChain(),
        AsyncChain(),
        OneAtATime(),
    ],
    ids=["predict", "chain", "react-sync-tool", "react-async-tool", "sync", "async", "parallel"],
)
async def test_sync_and_async_calls_record_the_same_events(module: Module) -> None:
    asynchronous = await events_of(module, lambda: module.acall(question="why"))
    synchronous = await events_of(module, lambda: portal.in_thread(module, question="why"))

    assert asynchronous == synchronous
    assert len(asynchronous) > 6
