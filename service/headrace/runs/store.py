"""RunStore: where the records of runs are kept. In memory here; several machines share another.

A store decides who of several starters of one run id was first, finds runs for whoever may read
them, and drops what has expired. What a run is and when it ends is not its concern.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol

from headrace.runs.limits import Limits
from headrace.runs.record import RunKey
from headrace.runs.run import Run


class RunStore(Protocol):
    """Keeps runs until they expire."""

    async def add(self, run: Run) -> Run:
        """Keeps a new run and gives it back, or gives the one that already has its key."""
        ...

    async def find(self, key: RunKey) -> Run | None:
        """The run of a key; None when there is none, or no more."""
        ...

    async def of(self, principal: str) -> list[Run]:
        """All runs of a principal that are kept, in no order."""
        ...

    async def retain(self, run: Run) -> None:
        """Takes note that a run has ended: it is kept until it expires or room is needed."""
        ...

    async def close(self) -> None:
        """Drops everything."""
        ...


class MemoryStore:
    """Keeps runs in this process, ended ones for a time and within a number of bytes."""

    def __init__(self, limits: Limits) -> None:
        self._max_bytes = limits.max_retained_bytes
        self._runs: dict[RunKey, Run] = {}
        self._ended: deque[Run] = deque()  # in the order in which they expire
        self._held = 0
        self._expiry: asyncio.TimerHandle | None = None

    @property
    def held_bytes(self) -> int:
        """Memory that ended runs take up, about."""
        return self._held

    async def add(self, run: Run) -> Run:
        """See RunStore."""
        return self._runs.setdefault(run.key, run)

    async def find(self, key: RunKey) -> Run | None:
        """See RunStore."""
        return self._runs.get(key)

    async def of(self, principal: str) -> list[Run]:
        """See RunStore."""
        return [run for key, run in self._runs.items() if key.principal == principal]

    async def retain(self, run: Run) -> None:
        """See RunStore."""
        self._ended.append(run)
        self._held += run.held_bytes

        while self._held > self._max_bytes:
            self._drop_oldest()

        self._arm()

    async def close(self) -> None:
        """See RunStore."""
        if self._expiry is not None:
            self._expiry.cancel()

        self._runs.clear()
        self._ended.clear()
        self._held = 0

    def _drop_oldest(self) -> None:
        run = self._ended.popleft()
        self._held -= run.held_bytes
        self._runs.pop(run.key, None)

    def _arm(self) -> None:
        if self._expiry is None and self._ended:
            wait = max((self._ended[0].expire_time or 0.0) - time.time(), 0.0)
            self._expiry = asyncio.get_running_loop().call_later(wait, self._expire)

    def _expire(self) -> None:
        self._expiry = None

        while self._ended and (self._ended[0].expire_time or 0.0) <= time.time():
            self._drop_oldest()

        self._arm()
