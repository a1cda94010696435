"""The desk by itself: what happens at the same moment."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager

import pytest
from headrace import Module, Prediction, Program, ask
from headrace.testing import serve_programs
from headrace_client import Client, InputRequest, InputResolved
from headrace_client.cli.desk import OpenDesk

pytestmark = pytest.mark.timeout(20)


class Asking(Module):
    async def aforward(self) -> Prediction:
        return Prediction(said=await ask("Which way?"))


@pytest.fixture
async def client() -> AsyncGenerator[Client, None]:
    async with (
        serve_programs(Program(Asking(), name="asking")) as address,
        Client(address) as client,
    ):
        yield client


@pytest.fixture
def silent_input(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A standard input into which nobody types."""
    reading, writing = os.pipe()

    with os.fdopen(reading) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        yield
        os.close(writing)


@pytest.mark.usefixtures("silent_input")
async def test_a_question_that_ends_with_its_run_holds_nobody_up(client: Client) -> None:
    """The end of a run withdraws the question, and ends the desk: both in one batch of events."""
    async with client.run("asking") as run:
        is_asking = asyncio.Event()

        @contextmanager
        def paused() -> Generator[None, None, None]:
            is_asking.set()
            yield

        desk = OpenDesk(client, run, paused)
        attending = asyncio.create_task(desk.attend())

        async for event in run:
            if isinstance(event, InputRequest):
                break
        else:
            raise AssertionError("the run asks nothing")

        desk.asked(event)

        await is_asking.wait()
        desk.resolved(InputResolved(input_id=event.input_id))
        attending.cancel()
        done, _ = await asyncio.wait([attending], timeout=5)

    assert done == {attending}
    assert attending.cancelled()
