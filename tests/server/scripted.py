"""Programs without a model: what they do is written in the test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from headrace.calls import current_call, current_run, open_call
from headrace.events import Kind, Token
from headrace.execution import Work
from headrace.hosting.port import ProgramInfo, StartRequest
from headrace.parsing import FieldDelta
from headrace.runs.registry import Registry
from headrace.runs.run import Run

T = TypeVar("T")

BOUND = 20.0
"""Seconds after which a test gives up waiting."""


class Scripted:
    """A hosted program that calls an async function with its inputs."""

    def __init__(
        self, play: Callable[..., Awaitable[object]], name: str = "scripted", revision: str = "1"
    ) -> None:
        self.name = name
        self.revision = revision
        self.interface_revision = f"i{revision}"
        self._play = play

    def describe(self) -> ProgramInfo:
        return ProgramInfo(self.name, self.revision, interface_revision=self.interface_revision)

    def check(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        return inputs

    def work(self, inputs: Mapping[str, Any]) -> Work:
        return Work(lambda: self._play(**inputs), name=self.name, outputs_of=outputs_of)


def outputs_of(value: object) -> Mapping[str, object]:
    return {"answer": value}


async def echo(question: str = "") -> object:
    """Streams the question back, a character a token."""
    write("answer", *question)

    return question


def write(field: str, *chunks: str, predictor: str = "self", last: bool = True) -> None:
    """Writes one field of one predictor call."""
    run = current_run()
    assert run is not None

    with open_call(Kind.MODULE, predictor, None, {}):
        call = current_call()
        assert call is not None

        with run.fields(predictor, call.call_id, typed=()) as writer:
            for chunk in chunks:
                writer.write(FieldDelta(field, chunk, False))

            if last:
                writer.write(FieldDelta(field, "", True))


def write_token(chunk: str, offset: int) -> None:
    """Writes one token into the current call."""
    run, call = current_run(), current_call()
    assert run is not None
    assert call is not None
    run.emit(Token("self", "answer", chunk, False, offset, call.call_id))


class Gate:
    """Holds a program until the test lets it on, and tells how it was stopped."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.opened = asyncio.Event()
        self.stopped = asyncio.Event()

    async def play(self, question: str = "") -> object:
        write("answer", question)
        self.entered.set()

        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.stopped.set()
            raise

        return question


async def started(registry: Registry, order: StartRequest) -> Run:
    """Starts an order, and gives its program the chance to run."""
    run = await registry.start(order)
    await asyncio.sleep(0)

    return run


async def found_for_ever(registry: Registry, run_id: str) -> None:
    """Looks for a run again and again. Raises RunNotFound once it is gone."""
    while True:
        await registry.find("", run_id)
        await asyncio.sleep(0.001)


async def until(condition: Callable[[], bool]) -> None:
    """Waits until something holds that nobody tells of."""
    while not condition():  # noqa: ASYNC110 - nobody sets an event
        await asyncio.sleep(0.001)


async def soon(awaitable: Awaitable[T], within: float = BOUND) -> T:
    """What an awaitable gives, within bounds."""
    async with asyncio.timeout(within):
        return await awaitable
