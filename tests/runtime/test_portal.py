"""Sync code calls the async core, and async code calls sync code, without ever waiting for itself."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest
from headrace.threads import background, portal
from server.scripted import until

colour: ContextVar[str] = ContextVar("colour", default="none")


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


def double_now(number: int) -> int:
    return portal.run(double, number)


async def fail() -> None:
    raise KeyError("missing")


def test_a_plain_script_gets_the_result_of_an_async_function() -> None:
    assert portal.run(double, 21) == 42


def test_an_error_keeps_its_type() -> None:
    with pytest.raises(KeyError, match="missing"):
        portal.run(fail)


async def test_a_worker_thread_calls_back_to_the_loop_that_sent_it() -> None:
    async def where() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    assert await portal.in_thread(portal.run, where) is asyncio.get_running_loop()


async def test_sync_code_on_a_loops_own_thread_does_not_wait_for_that_loop() -> None:
    assert portal.run(double, 4) == 8


async def test_crossings_nest_to_any_depth() -> None:
    async def descend(depth: int) -> int:
        if depth == 0:
            return 0

        blocking = portal.run(descend, depth - 1)
        threaded = await portal.in_thread(portal.run, descend, depth - 1)

        return blocking + threaded + 1

    assert portal.run(descend, 4) == 15


async def test_threads_that_a_blocking_coroutine_starts_can_call_the_core() -> None:
    def fan_out() -> list[int]:
        contexts = [contextvars.copy_context() for _ in range(3)]

        def double_in_context(number: int) -> int:
            return contexts[number].run(double_now, number)

        with ThreadPoolExecutor(3) as pool:
            return list(pool.map(double_in_context, range(3), timeout=10))

    assert fan_out() == [0, 2, 4]  # blocks this very loop
    assert await portal.in_thread(fan_out) == [0, 2, 4]


FORKS = """
import asyncio, os, signal
from headrace.threads import portal

async def double(number):
    await asyncio.sleep(0)
    return 2 * number

def double_in_thread(number):
    return portal.run(portal.in_thread, portal.run, double, number)

double_in_thread(1)

if child := os.fork():
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
else:
    signal.alarm(10)
    os._exit(double_in_thread(21))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_loops_and_threads_of_its_own() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FORKS], capture_output=True, check=True, text=True
    )

    assert ended.stdout == "42\n"


async def test_context_goes_along_in_both_directions() -> None:
    async def see() -> str:
        return colour.get()

    colour.set("blue")

    assert await portal.in_thread(lambda: (colour.get(), portal.run(see))) == ("blue", "blue")


async def test_what_a_call_sets_in_its_thread_is_not_seen_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("headrace.threads.background._workers", background.WorkerPool())
    monkeypatch.setattr(background, "IDLE", 10.0)

    def paint() -> tuple[str, threading.Thread]:
        before = colour.get()
        colour.set("red")

        return before, threading.current_thread()

    calls: list[tuple[str, threading.Thread]] = []

    for _ in range(5):
        calls.append(await portal.in_thread(paint))
        await until(lambda: calls[-1][1].name == background.WAITING)

    assert calls == [("none", calls[0][1])] * 5


async def test_as_many_calls_run_at_once_as_there_are() -> None:
    all_in = threading.Barrier(50)

    await asyncio.gather(*(portal.in_thread(all_in.wait, 10) for _ in range(50)))


async def test_threads_with_nothing_to_do_end_and_others_take_their_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "IDLE", 0.01)
    threads = [await portal.in_thread(threading.current_thread) for _ in range(3)]

    for thread in threads:
        await asyncio.to_thread(thread.join, 10)

    assert [thread.is_alive() for thread in threads] == [False] * 3
    assert await portal.in_thread(double_now, 21) == 42


ABANDONS = """
import asyncio, threading
from headrace.threads import portal

portal.GRACE = 0.01
working = threading.Event()

def work():
    working.set()
    threading.Event().wait()

async def main():
    call = asyncio.create_task(portal.in_thread(work))
    await asyncio.to_thread(working.wait)
    call.cancel()
    await asyncio.wait([call])
    print(portal.zombie_threads())

asyncio.run(main())
"""


def test_a_thread_left_behind_does_not_keep_the_process() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ABANDONS], capture_output=True, check=True, text=True, timeout=20
    )

    assert ended.stdout == "1\n"


async def test_arguments_may_have_any_name() -> None:
    def sync(function: str) -> str:
        return function

    async def asynchronous(function: str) -> str:
        return function

    assert await portal.in_thread(sync, function="mine") == "mine"
    assert portal.run(asynchronous, function="mine") == "mine"


async def test_stop_iteration_which_no_future_carries_becomes_a_runtime_error() -> None:
    with pytest.raises(RuntimeError, match="StopIteration") as raised:
        await asyncio.wait_for(portal.in_thread(next, iter(())), 10)

    assert isinstance(raised.value.__cause__, StopIteration)


async def test_cancelling_a_threaded_call_cancels_what_it_waits_for_in_the_core() -> None:
    entered, cancelled = asyncio.Event(), asyncio.Event()
    seen: list[type[BaseException]] = []

    async def hang() -> None:
        entered.set()

        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    def work() -> None:
        try:
            portal.run(hang)
        except BaseException as error:
            seen.append(type(error))
            raise

    task = asyncio.create_task(portal.in_thread(work))
    await entered.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    assert cancelled.is_set()
    assert seen == [asyncio.CancelledError]


async def test_cancelled_sync_code_can_call_nothing_more() -> None:
    entered, release = threading.Event(), threading.Event()
    outcomes: list[object] = []

    def work() -> None:
        entered.set()
        release.wait(10)

        try:
            outcomes.append(portal.run(double, 1))
        except asyncio.CancelledError:
            outcomes.append("cancelled")

    task = asyncio.create_task(portal.in_thread(work))
    await asyncio.to_thread(entered.wait, 10)
    task.cancel()
    asyncio.get_running_loop().call_soon(release.set)

    with pytest.raises(asyncio.CancelledError):
        await task

    assert outcomes == ["cancelled"]


async def test_what_sync_code_raises_after_nobody_waits_for_it_is_no_error_of_the_loop() -> None:
    entered, release = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, facts: reported.append(facts))

    def fail_late() -> None:
        threads.append(threading.current_thread())
        entered.set()
        release.wait(10)
        raise KeyError("late")

    task = asyncio.create_task(portal.in_thread(fail_late))
    await asyncio.to_thread(entered.wait, 10)

    for _ in range(2):  # as where a group is cancelled, and then the loop closed
        task.cancel()
        await asyncio.sleep(0)

    with pytest.raises(asyncio.CancelledError):
        await task

    del task
    release.set()
    await until(lambda: threads[0].name == background.WAITING or not threads[0].is_alive())
    await asyncio.sleep(0)
    gc.collect()

    assert reported == []


async def test_sync_code_that_does_not_return_is_left_behind_and_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(portal, "GRACE", 0.01)
    entered, release = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def stubborn() -> None:
        threads.append(threading.current_thread())
        entered.set()
        release.wait(10)

    before = portal.zombie_threads()
    task = asyncio.create_task(portal.in_thread(stubborn))
    await asyncio.to_thread(entered.wait, 10)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    assert portal.zombie_threads() == before + 1
    assert "did not return" in caplog.text
    release.set()
    await asyncio.to_thread(threads[0].join, 10)
    assert portal.zombie_threads() == before
