"""RunLog: the one record of a run, which every reader reads, live or late.

- Appending gives an event its sequence: 1, 2, 3 …
- A reader holds a cursor, the last sequence it has seen, and asks for what lies past it. Readers
  have no queue here and cannot slow the run.
- Appending is safe from any thread; following happens on event loops, and every follower is woken
  once however many events have come.
"""

from __future__ import annotations

import asyncio
import threading
import time
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from headrace.events import Event


class Entry(NamedTuple):
    """An event in its place."""

    sequence: int
    """Entries that were merged together share the sequence at which their group ends."""
    time: float
    """Seconds since the epoch."""
    event: Event


class RunLog:
    """An append-only list of events that ends."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._last = 0
        self._closed = False
        self._lock = threading.Lock()
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def last_sequence(self) -> int:
        """The sequence of the newest event; 0 when there is none."""
        return self._last

    @property
    def closed(self) -> bool:
        """Whether the run is over and nothing will be appended."""
        return self._closed

    def append(self, event: Event) -> int:
        """Records an event and wakes the followers; gives its sequence. Ignored once closed: 0."""
        with self._lock:
            if self._closed:
                return 0

            self._last += 1
            self._entries.append(Entry(self._last, time.time(), event))
            sequence = self._last

        if self._waiting:
            self._wake()

        return sequence

    def close(self) -> None:
        """Ends the log. Followers that have read everything are released."""
        with self._lock:
            self._closed = True

        self._wake()

    def read(self, after: int = 0) -> Sequence[Entry]:
        """All entries past a cursor, in order; none when the reader is at the live edge."""
        with self._lock:
            if after >= self._last:
                return ()

            start = bisect_right(self._entries, after, key=_sequence)
            return self._entries[start:]

    async def wait(self, after: int) -> bool:
        """Waits until there is something past the cursor; False once the log has ended there."""
        while self._last <= after:
            if self._closed:
                return False

            await self.follow(after)

        return True

    def follow(self, after: int) -> asyncio.Future[None]:
        """A future that is done as soon as there is something past the cursor, or the log ends."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        with self._lock:
            if self._last > after or self._closed:
                future.set_result(None)
            else:
                self._waiting.add(future)
                future.add_done_callback(self._waiting.discard)

        return future

    def _wake(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, set()

        for future in waiting:
            loop = future.get_loop()

            if _runs_here(loop):
                _release(future)
            elif not loop.is_closed():
                loop.call_soon_threadsafe(_release, future)


def _sequence(entry: Entry) -> int:
    return entry.sequence


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _release(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
