"""Reader: one RPC that follows one run's log to its end.

A reader is a cursor. It takes all that is pending, writes it, and waits; it holds no queue, starts no
task, and one timer that is re-armed only when it fires serves its heartbeats however many tokens come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from headrace_proto.v1 import headrace_pb2 as pb

from headrace.log import Cursor, EventLog
from headrace.server.errors import StreamAged
from headrace.server.wire.delivery import Delivery
from headrace.server.wire.options import ReaderOptions

Write = Callable[[pb.StreamEvent], Awaitable[None]]

TAKE = 256
"""Entries taken from the log at a time: what a reader that stalls keeps in memory."""


class Reader:
    """Writes what happens in a run until it is over, or until the stream is old."""

    def __init__(
        self,
        log: EventLog,
        cursor: Cursor,
        delivery: Delivery,
        options: ReaderOptions,
        *,
        max_age: float,
    ) -> None:
        self._log = log
        self._cursor = cursor
        self._delivery = delivery
        self._merge_interval = options.merge_interval
        self._heartbeat_interval = options.heartbeat_interval
        self._max_age = max_age
        self._loop = asyncio.get_running_loop()
        self._written = self._loop.time()
        self._ends = self._written + max_age
        self._waiting: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def stream(self, write: Write) -> None:
        """Writes until the log has ended. Raises StreamAged when `max_age` seconds have passed."""
        try:
            await self._follow(write)
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def _follow(self, write: Write) -> None:
        at_live_edge = False

        while True:
            entries = self._cursor.read(TAKE)

            for message in self._delivery.messages(entries):
                await write(message)
                self._written = self._loop.time()

            if self._loop.time() >= self._ends and not self._log.closed:
                raise StreamAged(self._max_age)

            if len(entries) >= TAKE:
                continue

            if entries and self._merge_interval:
                await self._collect()

            if self._cursor.position < self._log.last_sequence:
                continue

            if self._log.closed:
                return

            if self._heartbeat_due(at_live_edge):
                at_live_edge = True
                await write(self._delivery.heartbeat())
                self._written = self._loop.time()
                continue

            if self._timer is None:
                self._arm()

            self._waiting = self._cursor.follow()
            await self._waiting

    async def _collect(self) -> None:
        """Lets tokens gather for the merge interval; anything else that happens cuts it short."""
        left = self._written + self._merge_interval - self._loop.time()

        if left <= 0:
            return

        something_else = self._cursor.follow(patient=True)
        timer = self._loop.call_later(left, _release, something_else)

        try:
            await something_else
        finally:
            timer.cancel()

    def _heartbeat_due(self, at_live_edge: bool) -> bool:
        if not self._heartbeat_interval:
            return False

        return not at_live_edge or self._silence() >= self._heartbeat_interval

    def _arm(self) -> None:
        """Sets the timer to the earliest moment at which something can be due."""
        wait = self._ends - self._loop.time()

        if self._heartbeat_interval:
            wait = min(wait, self._heartbeat_interval - self._silence())

        self._timer = self._loop.call_later(wait, self._wake)

    def _wake(self) -> None:
        self._timer = None

        if self._waiting is not None:
            _release(self._waiting)

    def _silence(self) -> float:
        return self._loop.time() - self._written


def _release(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
