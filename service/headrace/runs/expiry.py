"""Expiry: drops from a store what has expired, at the time."""

from __future__ import annotations

import asyncio
import math
import time

import anyio

from headrace.log_context import contained
from headrace.runs.stores.base import RunStore

EXPIRY_RETRY = 1.0
"""Seconds after which expiry is tried again that has failed."""


class Expiry:
    """Waits for the next thing to expire, whatever has been kept in the meantime."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._due = math.inf
        self._sooner = asyncio.Event()

    def notice(self, expire_time: float | None) -> None:
        """Something is kept until then."""
        if expire_time is not None and expire_time < self._due:
            self._sooner.set()

    async def run(self) -> None:
        """Drops what has expired, whenever something does; never ends."""
        while True:
            self._sooner.clear()
            self._due = (
                math.inf
            )  # while the store is asked, whatever is kept has to be asked for again
            due: float | None = time.time() + EXPIRY_RETRY

            with contained("expiring runs"):
                due = await self._store.expire(time.time())

            self._due = math.inf if due is None else due

            with anyio.move_on_after(max(self._due - time.time(), 0.001)):
                await self._sooner.wait()
