"""asyncify and syncify: programs of either colour, called from the other."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from headrace.asyncify import asyncify, syncify
from headrace.predict import Predict
from headrace.settings import context
from scripted_lm import ScriptedLM, chat


async def plus(number: int) -> int:
    return number + 1


def passes(number: int) -> Any:
    return plus(number)


def thread_name() -> str:
    return threading.current_thread().name


async def test_sync_code_runs_in_a_thread() -> None:
    assert await asyncify(thread_name)() != threading.current_thread().name


@pytest.mark.parametrize("program", [plus, passes, asyncify(plus)])
async def test_whatever_gives_an_awaitable_gives_its_result(program: Any) -> None:
    assert await asyncify(program)(1) == 2
    assert await asyncio.to_thread(syncify(program), 1) == 2
    assert syncify(program)(1) == 2


def test_sync_code_stays_as_it_is() -> None:
    assert syncify(thread_name)() == threading.current_thread().name


async def test_a_module_needs_neither() -> None:
    predict = Predict("question -> answer")

    with context(lm=ScriptedLM(chat(answer="a"), chat(answer="b"))):
        assert (await asyncify(predict)(question="?")).answer == "a"
        assert (await asyncio.to_thread(syncify(predict), question="?")).answer == "b"


async def test_as_many_run_at_once_as_the_settings_allow() -> None:
    running: list[int] = []
    most: list[int] = []
    all_in = threading.Barrier(2)

    def work(number: int) -> None:
        running.append(number)
        most.append(len(running))
        all_in.wait(10)
        running.remove(number)

    with context(async_max_workers=2):
        await asyncio.gather(*(asyncify(work)(number) for number in range(6)))

    assert max(most) == 2


async def test_a_call_inside_a_call_does_not_wait_for_it() -> None:
    inner = asyncify(thread_name)

    async def outer() -> str:
        return str(await inner())

    with context(async_max_workers=1):
        both = asyncio.gather(asyncify(outer)(), asyncify(outer)())
        assert len(await asyncio.wait_for(both, 10)) == 2
