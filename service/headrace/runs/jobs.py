"""Jobs: the work that its owner does in the background, which ends with the owner.

One anyio task group has all of it. The group lives in a task of its own: a cancel scope is left in the
task that entered it, while owners are opened and closed in different ones, as test fixtures are, and
ask for jobs in callbacks too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import anyio

from headrace.log_context import contained


class Jobs:
    """Background work. What a job raises is logged; it stops no other."""

    def __init__(self) -> None:
        self._asked: deque[tuple[str, Callable[[], Awaitable[None]]]] = deque()
        self._something_asked = asyncio.Event()
        self._host: asyncio.Task[None] | None = None
        self._closing = False

    def open(self) -> None:
        """Starts what was asked for, and from now on what is."""
        self._host = asyncio.get_running_loop().create_task(self._hold())

    def start(self, work: str, job: Callable[[], Awaitable[None]]) -> None:
        """Starts a job, in a moment. Lines of log call it `work`."""
        self._asked.append((work, job))
        self._something_asked.set()

    async def close(self) -> None:
        """Cancels what goes on, and waits until it is over."""
        self._closing = True
        self._something_asked.set()

        if self._host is not None:
            await asyncio.wait([self._host])

    async def _hold(self) -> None:
        async with anyio.create_task_group() as group:
            while not self._closing:
                while self._asked:
                    work, job = self._asked.popleft()
                    group.start_soon(_logged, work, job, name=work)

                self._something_asked.clear()
                await self._something_asked.wait()

            group.cancel_scope.cancel()


async def _logged(work: str, job: Callable[[], Awaitable[None]]) -> None:
    with contained(work):
        await job()
