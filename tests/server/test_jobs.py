"""Jobs: background work of one owner, none of which stops another or outlives the owner."""

from __future__ import annotations

import asyncio

import pytest
from headrace.runs.jobs import Jobs
from server.scripted import soon


async def test_a_job_that_raises_is_logged_and_stops_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done = asyncio.Event()

    async def fail() -> None:
        raise KeyError

    async def end() -> None:
        done.set()

    jobs = Jobs()
    jobs.open()
    jobs.start("counting", fail)
    jobs.start("ending", end)
    await soon(done.wait())
    await jobs.close()

    assert caplog.messages == ["counting failed"]


async def test_jobs_may_be_asked_for_before_there_is_anyone_and_outside_of_any_task() -> None:
    done = [asyncio.Event(), asyncio.Event()]
    jobs = Jobs()

    async def end(which: int) -> None:
        done[which].set()

    jobs.start("early", lambda: end(0))
    jobs.open()
    asyncio.get_running_loop().call_soon(jobs.start, "in a callback", lambda: end(1))
    await soon(asyncio.gather(*(one.wait() for one in done)))
    await jobs.close()


async def test_closing_in_another_task_cancels_what_goes_on_and_leaves_nothing() -> None:
    before = asyncio.all_tasks()
    cancelled, begun = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()

        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    jobs = Jobs()
    jobs.open()
    jobs.start("waiting", wait)
    await soon(begun.wait())
    await soon(asyncio.create_task(jobs.close()))

    assert cancelled.is_set()
    assert asyncio.all_tasks() == before


async def test_jobs_that_were_never_opened_are_closed_at_once() -> None:
    await soon(Jobs().close())
