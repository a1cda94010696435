"""The portal: the two crossings between synchronous code and the async core (law 3).

`in_thread` runs sync user code in a worker thread, so that it never blocks a loop; `run` lets sync
code call the async core. `call` and `result_of` do the same for code of which it is not known whether
it is sync or async. A coroutine started by `run` goes to

- the loop that sent this thread off, when `in_thread` made the thread;
- otherwise a background loop of the process, never one that is blocked by the caller itself.

The caller's context goes along, so settings, run and call are seen on the other side. Threads are
daemons, made per call: any number may block in user code at once, and none can keep the process.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from headrace.errors import UsageError
from headrace.threads.loops import background_loop, running_loop

T = TypeVar("T")
P = ParamSpec("P")

GRACE = 5.0
"""Seconds that cancelled sync code gets to return before its thread is left behind."""

logger = logging.getLogger("headrace.portal")


class _Hop:
    """A trip into a worker thread: where to call back to, and what was called and has not returned."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.tasks: set[asyncio.Task[None]] = set()
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

        for task in self.tasks:
            task.cancel()


_hop: ContextVar[_Hop | None] = ContextVar("headrace_hop", default=None)


_left_behind: set[Future[Any]] = set()
"""Outcomes that nobody waits for any more, of user code that has outlived its cancellation."""


def zombie_threads() -> int:
    """How many worker threads are still busy with user code that was cancelled."""
    return len(_left_behind)


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs sync code in a worker thread; gives what it returns, raises what it raises.

    When cancelled, what the thread waits for in the async core is cancelled at once (the provider's
    connection closes) and the thread sees a CancelledError there. If it has not returned after GRACE
    seconds it is left behind and counted, and this call ends cancelled all the same.
    """
    loop = asyncio.get_running_loop()
    hop = _Hop(loop)
    context = contextvars.copy_context()
    context.run(_hop.set, hop)
    outcome: Future[T] = Future()
    thread = threading.Thread(
        target=context.run,
        args=(_settle, outcome, lambda: function(*args, **kwargs)),
        name=f"headrace-{getattr(function, '__qualname__', 'call')}",
        daemon=True,
    )
    thread.start()
    returned = asyncio.wrap_future(outcome)

    try:
        return await asyncio.shield(returned)
    except asyncio.CancelledError:
        hop.cancel()
        await _leave(returned, outcome)
        raise


async def call(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Calls a function from async code, sync or async; gives what it returns, awaited if need be.

    An async function runs right here, a sync one in a worker thread.
    """
    if _is_async(function):
        result = function(*args, **kwargs)
    else:
        result = await in_thread(function, *args, **kwargs)

    return await result if inspect.isawaitable(result) else result


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        type(function).__call__
    )


async def _leave(returned: asyncio.Future[T], outcome: Future[T]) -> None:
    await asyncio.wait({returned}, timeout=GRACE)

    if returned.done():
        _ = None if returned.cancelled() else returned.exception()  # seen, so not reported as lost
        return

    logger.warning("sync code did not return %g s after its cancellation", GRACE)
    _left_behind.add(outcome)
    outcome.add_done_callback(_left_behind.discard)


def _settle(outcome: Future[T], function: Callable[[], T]) -> None:
    try:
        outcome.set_result(_returned(function))
    except BaseException as error:  # noqa: BLE001 - it is raised again where the outcome is awaited
        outcome.set_exception(error)


def _returned(function: Callable[[], T]) -> T:
    try:
        return function()
    except StopIteration as error:  # which no future can carry; a coroutine turns it into this too
        raise RuntimeError("sync code raised StopIteration") from error


def run(function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs an async function to its end from sync code; gives what it returns, raises what it raises.

    Raises CancelledError when the run around the caller is cancelled. An exception in the waiting
    thread itself (KeyboardInterrupt) cancels the coroutine before it propagates.
    """
    return run_on(loop_from_here(), function, *args, **kwargs)


def loop_from_here() -> asyncio.AbstractEventLoop:
    """The loop on which `run`, called here, runs a coroutine."""
    hop, running = _hop.get(), running_loop()

    return hop.loop if hop is not None and hop.loop is not running else background_loop(running)


def run_on(
    loop: asyncio.AbstractEventLoop,
    function: Callable[P, Awaitable[T]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """`run` on a chosen loop. Raises UsageError on that loop's own thread, which would wait for itself."""
    if loop is running_loop():
        raise UsageError("sync code on an event loop's thread cannot wait for that loop; use await")

    hop = _hop.get()
    hop = hop if hop is not None and hop.loop is loop else None
    context = contextvars.copy_context()
    context.run(_hop.set, None)
    outcome: Future[T] = Future()

    async def body() -> None:
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the waiting thread
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    started = _Started(hop)
    loop.call_soon_threadsafe(started.start, loop, body, context, outcome)

    try:
        return outcome.result()
    except BaseException:
        loop.call_soon_threadsafe(started.cancel)
        raise


def result_of(value: Any) -> Any:
    """A value from async or sync code, for sync code: what can be awaited is run to its end."""
    return run(_awaited, value) if inspect.isawaitable(value) else value


async def _awaited(value: Awaitable[T]) -> T:
    return await value


class _Started:
    """The task that serves one sync call; lives on the loop it is started on."""

    def __init__(self, hop: _Hop | None) -> None:
        self.hop = hop
        self.task: asyncio.Task[None] | None = None

    def start(
        self,
        loop: asyncio.AbstractEventLoop,
        body: Callable[[], Coroutine[Any, Any, None]],
        context: contextvars.Context,
        outcome: Future[Any],
    ) -> None:
        if self.hop is not None and self.hop.cancelled:
            _settle_cancelled(outcome)
            return

        self.task = loop.create_task(body(), context=context)
        # Cancelled before its first step, the body never runs and cannot settle the outcome.
        self.task.add_done_callback(lambda _: _settle_cancelled(outcome))

        if self.hop is not None:
            self.hop.tasks.add(self.task)
            self.task.add_done_callback(self.hop.tasks.discard)

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


def _settle_cancelled(outcome: Future[Any]) -> None:
    if not outcome.done():
        outcome.set_exception(asyncio.CancelledError())
