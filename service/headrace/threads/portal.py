"""The portal: the two crossings between synchronous code and the async core (law 3).

`in_thread` runs sync user code in a worker thread, so that it never blocks a loop; `run` lets sync
code call the async core. `call` and `result_of` do the same for code of which it is not known whether
it is sync or async. A coroutine started by `run` goes to

- the loop from which `in_thread` called, in its worker thread;
- otherwise a background loop of the process, never one that is blocked by the caller itself.

The caller's context goes along, so settings, run and call are seen on the other side.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from headrace.errors import UsageError
from headrace.threads.background import background_loop, perform_in_worker, running_loop

T = TypeVar("T")
P = ParamSpec("P")

GRACE = 5.0
"""Seconds that cancelled sync code gets to return before its thread is left behind."""

logger = logging.getLogger("headrace.portal")


class _ThreadCall:
    """One call in a worker thread: the loop it came from, and the tasks it started there."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.returned: asyncio.Future[Any] = loop.create_future()
        self.returned.add_done_callback(_see)
        self.tasks: set[asyncio.Task[None]] = set()
        self.cancelled = False
        self._over = False

    def perform(self, work: Callable[[], Any]) -> None:
        """Does the work, in a worker."""
        result: Any = None
        error: BaseException | None = None

        try:
            result = work()
        except (
            StopIteration
        ) as stop:  # which no future can carry; a coroutine turns it into this too
            error = RuntimeError("sync code raised StopIteration")
            error.__cause__ = stop
        except BaseException as raised:  # noqa: BLE001 - it is raised again where the call is awaited
            error = raised

        self._over = True
        _left_behind.discard(self)

        with contextlib.suppress(RuntimeError):  # its loop is closed
            self.loop.call_soon_threadsafe(_settle, self.returned, result, error)

    def cancel(self) -> None:
        """Cancels what the thread waits for in the async core, and whatever it will call there."""
        self.cancelled = True

        for task in self.tasks:
            task.cancel()

    async def leave(self) -> None:
        """Waits until the thread has returned, or leaves it behind."""
        await asyncio.wait({self.returned}, timeout=GRACE)

        if self.returned.done():
            return

        logger.warning("sync code did not return %g s after its cancellation", GRACE)
        self.returned.cancel()
        _left_behind.add(self)

        if self._over:  # just now
            _left_behind.discard(self)


_thread_call: ContextVar[_ThreadCall | None] = ContextVar("headrace_thread_call", default=None)
_left_behind: set[_ThreadCall] = set()


def zombie_threads() -> int:
    """Worker threads that are still busy with user code that was cancelled, by number."""
    return len(_left_behind)


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs sync code in a worker thread; gives what it returns, raises what it raises.

    When cancelled, what the thread waits for in the async core is cancelled at once (the provider's
    connection closes) and the thread sees a CancelledError there. If it has not returned after GRACE
    seconds it is left behind and counted, and this call ends cancelled all the same.
    """
    call = _ThreadCall(asyncio.get_running_loop())
    context = contextvars.copy_context()
    context.run(_thread_call.set, call)
    work = functools.partial(context.run, function, *args, **kwargs)
    name = getattr(function, "__qualname__", "call")
    perform_in_worker(name, functools.partial(call.perform, work))

    try:
        result: T = await asyncio.shield(call.returned)
    except asyncio.CancelledError:
        call.cancel()
        await call.leave()
        raise

    return result


def _see(returned: asyncio.Future[Any]) -> None:
    """Looks at the end of a call, which is then not reported as lost where nobody waits for it any more."""
    if not returned.cancelled():
        returned.exception()


def _settle(returned: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if returned.done():
        return

    if error is None:
        returned.set_result(result)
    else:
        returned.set_exception(error)


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


def run(function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs an async function to its end from sync code; gives what it returns, raises what it raises.

    Raises CancelledError when the run around the caller is cancelled. An exception in the waiting
    thread itself (KeyboardInterrupt) cancels the coroutine before it propagates.
    """
    return run_on(loop_from_here(), function, *args, **kwargs)


def loop_from_here() -> asyncio.AbstractEventLoop:
    """The loop on which `run`, called here, runs a coroutine."""
    around, running = _thread_call.get(), running_loop()

    return around.loop if around and around.loop is not running else background_loop(running)


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

    around = _thread_call.get()
    context = contextvars.copy_context()
    context.run(_thread_call.set, None)
    outcome: Future[T] = Future()

    async def body() -> None:
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the waiting thread
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    started = _Started(around if around and around.loop is loop else None)
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
    """The task that serves one call from sync code, on the loop it is started on."""

    def __init__(self, around: _ThreadCall | None) -> None:
        self.around = around
        self.task: asyncio.Task[None] | None = None

    def start(
        self,
        loop: asyncio.AbstractEventLoop,
        body: Callable[[], Coroutine[Any, Any, None]],
        context: contextvars.Context,
        outcome: Future[Any],
    ) -> None:
        if self.around is not None and self.around.cancelled:
            _settle_cancelled(outcome)
            return

        self.task = loop.create_task(body(), context=context)
        # Cancelled before its first step, the body never runs and cannot settle the outcome.
        self.task.add_done_callback(lambda _: _settle_cancelled(outcome))

        if self.around is not None:
            self.around.tasks.add(self.task)
            self.task.add_done_callback(self.around.tasks.discard)

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


def _settle_cancelled(outcome: Future[Any]) -> None:
    if not outcome.done():
        outcome.set_exception(asyncio.CancelledError())
