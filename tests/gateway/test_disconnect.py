"""A request is answered for as long as its caller and the gateway are there, and no longer."""

from __future__ import annotations

import asyncio

import pytest
from headrace_gateway.disconnect import OpenRequests


async def never() -> None:
    await asyncio.Event().wait()


async def at_once() -> None:
    pass


async def fails() -> None:
    raise OSError("the wire")


class Work:
    """Work that waits for an event, and notes how it ended."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.was_stopped = False
        self._error = error

    async def __call__(self) -> str:
        self.begun.set()

        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.was_stopped = True
            raise

        if self._error is not None:
            raise self._error

        return "answer"


async def test_work_that_ends_gives_its_answer_and_nobody_watches_on() -> None:
    work = Work()
    work.may_end.set()

    assert await OpenRequests().while_there(work(), never) == "answer"
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_caller_that_leaves_stops_the_work() -> None:
    work = Work()

    assert await OpenRequests().while_there(work(), at_once) is None
    assert work.was_stopped


async def test_a_gateway_that_ends_stops_the_work_of_all() -> None:
    requests = OpenRequests()
    works = [Work(), Work()]
    answers = [asyncio.ensure_future(requests.while_there(one(), never)) for one in works]
    await asyncio.gather(*(one.begun.wait() for one in works))
    requests.end()

    assert await asyncio.gather(*answers) == [None, None]
    assert [one.was_stopped for one in works] == [True, True]


async def test_an_error_of_the_work_is_raised_as_it_is() -> None:
    error = ValueError("odd")
    work = Work(error)
    work.may_end.set()

    with pytest.raises(ValueError, match="odd") as caught:
        await OpenRequests().while_there(work(), never)

    assert caught.value is error


async def test_an_error_of_the_wire_stops_the_work_and_is_not_lost() -> None:
    work = Work()

    with pytest.raises(OSError, match="the wire"):
        await OpenRequests().while_there(work(), fails)

    assert work.was_stopped


async def test_who_cancels_the_request_stops_both() -> None:
    work = Work()
    answer = asyncio.ensure_future(OpenRequests().while_there(work(), never))
    await work.begun.wait()
    answer.cancel()

    with pytest.raises(asyncio.CancelledError):
        await answer

    assert work.was_stopped
    assert asyncio.all_tasks() == {asyncio.current_task()}
