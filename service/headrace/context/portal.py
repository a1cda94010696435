"""The portal: how synchronous code calls the async core (law 3).

- In a worker thread of a run, the coroutine runs on the run's own loop.
- Anywhere else (a plain script, or a loop's own thread, which then blocks as sync code does) it runs
  on one background loop, started on first use.

The caller's context goes along, so settings, run and call are seen on the other side.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

from headrace.context.calls import current_run

T = TypeVar("T")
P = ParamSpec("P")

_lock = threading.Lock()
_background: asyncio.AbstractEventLoop | None = None


def run(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs an async function to its end from sync code; gives what it returns, raises what it raises.

    A KeyboardInterrupt in the waiting thread cancels the coroutine before it propagates.
    """
    loop = _loop()
    context = contextvars.copy_context()
    outcome: Future[T] = Future()
    task: list[asyncio.Task[None]] = []

    async def settle() -> None:
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the caller
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    def start() -> None:
        task.append(_spawn(loop, settle(), context))

    loop.call_soon_threadsafe(start)

    try:
        return outcome.result()
    except BaseException:
        loop.call_soon_threadsafe(lambda: [one.cancel() for one in task])
        raise


def _spawn(
    loop: asyncio.AbstractEventLoop, body: Coroutine[Any, Any, None], context: contextvars.Context
) -> asyncio.Task[None]:
    return loop.create_task(body, context=context)


def _loop() -> asyncio.AbstractEventLoop:
    scope = current_run()

    if scope is not None and not scope.loop.is_closed() and scope.loop is not _running():
        return scope.loop

    return background_loop()


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def background_loop() -> asyncio.AbstractEventLoop:
    """The process's background loop, in a daemon thread of its own."""
    global _background

    with _lock:
        if _background is None or _background.is_closed():
            _background = asyncio.new_event_loop()
            threading.Thread(
                target=_background.run_forever, name="headrace-portal", daemon=True
            ).start()

        return _background
