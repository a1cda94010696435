"""An event loop in a thread, for code that has none.

The rule: every wait ends. The thread may be stopped, die, or stay behind in the parent of a fork;
whoever waits for it is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from typing import Any, ParamSpec, TypeVar

from headrace_client._affinity import FORKED, ForkHistory, after_fork, track, untrack
from headrace_client._connection import closed
from headrace_client._errors import ClientMisplaced, StreamMisused

P = ParamSpec("P")
T = TypeVar("T")

LONGEST_END = 5.0
"""Seconds to wait for the thread: who holds it up, in a token function, ends it with the process."""


async def nothing() -> None:
    """Nothing."""


class Leaving(Exception):
    """A token function wants the program to end; this thread is not the one to end."""

    def __init__(self, reason: KeyboardInterrupt | SystemExit) -> None:
        super().__init__()
        self.reason = reason


class Starting:
    """Held for the moment in which a thread is started."""

    lock = threading.Lock()

    @classmethod
    def renew(cls) -> None:
        """In a child: another thread of the parent may have held it."""
        cls.lock = threading.Lock()


after_fork(Starting.renew)


class LoopThread:
    """An event loop that runs in a thread, from its first use until it is stopped."""

    def __init__(self) -> None:
        self._forks = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop = asyncio.Event()
        self._waited: set[Future[Any]] = set()
        self._last: Callable[[], Awaitable[None]] = nothing
        self._has_ended = False

    @property
    def is_idle(self) -> bool:
        """Nothing runs here: not yet, not any more, or only in a parent process."""
        return self._loop is None or self._has_ended or self._forks != ForkHistory.forks

    def wait(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls an asynchronous function on the loop; interrupting the wait cancels it there.

        Raises StreamClosed once the thread has ended, ClientMisplaced in a child of its process.
        """
        loop = self._running()

        async def call() -> T:
            try:
                return await function(*args, **kwargs)
            except (KeyboardInterrupt, SystemExit) as reason:
                raise Leaving(reason) from None

        work = call()

        try:
            future = asyncio.run_coroutine_threadsafe(work, loop)
        except RuntimeError:  # it was closed just now
            work.close()
            raise closed() from None

        return self._result(future)

    def stop(self, last: Callable[[], Awaitable[None]] = nothing) -> None:
        """Does one last thing on the loop, ends its thread and what is waited for; again it does nothing."""
        if self._loop and self._thread and self._forks == ForkHistory.forks:
            self._last = last

            with contextlib.suppress(RuntimeError):  # it was closed just now
                self._loop.call_soon_threadsafe(self._stop.set)

            self._thread.join(LONGEST_END)

        self._let_go()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._start()

        if self._loop is None or self._has_ended or sys.is_finalizing():
            raise closed()

        if self._forks != ForkHistory.forks:
            raise ClientMisplaced(FORKED)

        if self._thread is threading.current_thread():
            raise StreamMisused("a SyncClient would wait for itself: its token function uses it")

        return self._loop

    def _start(self) -> None:
        with Starting.lock:
            if self._loop is not None or self._has_ended:
                return

            loop = asyncio.new_event_loop()
            thread = threading.Thread(
                target=self._run, args=(loop,), name="headrace-client", daemon=True
            )

            try:
                thread.start()
            except RuntimeError:  # there are too many, or Python is about to exit
                loop.close()
                raise

            self._forks, self._thread, self._loop = ForkHistory.forks, thread, track(loop)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                try:
                    runner.run(self._until_stopped())
                finally:
                    self._has_ended = True  # before the runner cancels what is left
        finally:
            untrack(loop)
            self._let_go()

    async def _until_stopped(self) -> None:
        await self._stop.wait()
        await self._last()

    def _let_go(self) -> None:
        self._has_ended = True

        for future in list(self._waited):
            future.cancel()

    def _result(self, future: Future[T]) -> T:
        self._waited.add(future)

        if self._has_ended:  # and may not have seen this one
            future.cancel()

        try:
            return future.result()
        except Leaving as leaving:
            raise leaving.reason from None
        except CancelledError:
            if not self._has_ended:
                raise

            raise closed() from None
        finally:
            self._waited.discard(future)
            future.cancel()  # does nothing to one that is done
