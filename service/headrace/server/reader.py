"""Reader: follows the log of one run for one caller, in deliveries that any protocol can encode.

A reader is a cursor. It takes all that is pending, writes it, and waits; it holds no queue, starts no
task, and one timer that is re-armed only when it fires serves its heartbeats however many tokens come.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import NamedTuple, Self, TypeAlias

from headrace.events import Token
from headrace.log import Cursor, Entry, EventLog, merge
from headrace.runs.run import Run
from headrace.server.errors import StreamAged
from headrace.server.selection import ReaderOptions, Selection

TAKE = 256
"""Entries taken from the log at a time: what a reader that stalls keeps in memory."""

MAX_STREAM_AGE = 1800.0
"""Seconds after which a stream is ended so that its reader may be moved."""


class Heartbeat(NamedTuple):
    """A sign of life: the reader has everything there is. It repeats the position and counts nothing."""

    sequence: int
    time: float
    attempt: int = 1
    event: None = None
    event_count: int = 0


Delivery: TypeAlias = Entry | Heartbeat
"""One thing a reader is told. An entry's sequence is a position to resume after, or 0 inside a group,
which is none; its count includes what was left out before it."""

Write: TypeAlias = Callable[[Delivery], Awaitable[None]]


class Deliveries:
    """Makes of a log's entries what one reader is told: chosen, merged, in parts of a bearable size.

    Only the last delivery of a merged group carries a sequence. The event counts between two
    positions add up to their difference, however entries were merged or left out.
    """

    __slots__ = ("_attempt", "_chosen", "_max_token_bytes", "_position", "_wants")

    def __init__(self, options: ReaderOptions, *, attempt: int = 1, max_token_bytes: int) -> None:
        self._position = options.after
        self._attempt = attempt  # of the last entry that it was told
        self._max_token_bytes = max_token_bytes
        self._wants = Selection(options)
        self._chosen: dict[tuple[str, str, bool], bool] = {}  # fields, of which tokens came

    def of(self, entries: Sequence[Entry]) -> Iterable[Entry]:
        """The deliveries for entries that follow those of the last call.

        Long ones are cut as they are taken: a reader that stalls keeps none in pieces.
        """
        wanted = self._wanted(entries)
        merged = list(merge(wanted)) if len(wanted) > 1 else wanted  # a paced token comes alone
        told: list[Entry] = []
        has_long = False
        position = self._position
        counted = 0  # by deliveries of the same group

        for following, entry in enumerate(merged, start=1):
            event, end = entry.event, entry.sequence
            uncounted = end - position - counted
            ends_group = following == len(merged) or merged[following].sequence != end
            count = uncounted if ends_group else min(entry.event_count, uncounted)
            has_long = has_long or (
                type(event) is Token and len(event.chunk) * 4 > self._max_token_bytes
            )

            if not ends_group or count != entry.event_count:
                place = end if ends_group else 0
                entry = Entry(place, entry.time, event, count, entry.attempt)

            self._attempt = entry.attempt
            told.append(entry)

            if ends_group:
                position, counted = end, 0
            else:
                counted += count

        self._position = position

        return cut(told, self._max_token_bytes) if has_long else told

    def _wanted(self, entries: Sequence[Entry]) -> list[Entry]:
        wanted: list[Entry] = []

        for entry in entries:
            event = entry.event

            if isinstance(event, Token):
                field = event.predictor, event.field, event.typed
                chosen = self._chosen.get(field)

                if chosen is None:
                    chosen = self._chosen[field] = self._wants(event)
            else:
                chosen = self._wants(event)

            if chosen:
                wanted.append(entry)

        return wanted

    def heartbeat(self) -> Heartbeat:
        """A sign of life at this place."""
        return Heartbeat(self._position, time.time(), self._attempt)


class Reader:
    """Writes what happens in a run until it is over, or until the stream is old.

    It has joined the run inside its `with` block. The run outlives it by its linger, unless it was sent
    away for its age.
    """

    __slots__ = (
        "_cursor",
        "_deliveries",
        "_ends",
        "_heartbeat_interval",
        "_log",
        "_loop",
        "_max_age",
        "_merge_interval",
        "_run",
        "_timer",
        "_waiting",
        "_written",
        "position",
    )

    def __init__(
        self,
        run: Run,
        options: ReaderOptions,
        *,
        max_token_bytes: int,
        max_age: float = MAX_STREAM_AGE,
    ) -> None:
        self.position = options.after
        """The last sequence that was written."""
        self._run = run
        self._log: EventLog = run.log
        self._deliveries = Deliveries(options, attempt=run.attempt, max_token_bytes=max_token_bytes)
        self._merge_interval = options.merge_interval
        self._heartbeat_interval = options.heartbeat_interval
        self._max_age = max_age
        self._loop = asyncio.get_running_loop()
        self._written = self._loop.time()
        self._ends = self._written + max_age
        self._waiting: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._cursor: Cursor = self._run.join(self.position)

        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._run.leave(self._cursor, counts=not isinstance(error, StreamAged))

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

            wrote = False

            for delivery in self._deliveries.of(entries):
                await write(delivery)
                self.position = delivery.sequence or self.position
                wrote = True

            now = self._loop.time()

            if wrote:
                self._written = now

            if now >= self._ends and not self._log.closed:
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
                await write(self._deliveries.heartbeat())
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


def cut(entries: Iterable[Entry], max_bytes: int) -> Iterator[Entry]:
    """The entries, each text in parts of at most `max_bytes` of UTF-8. The last part is its position."""
    size = max_bytes // 4

    for entry in entries:
        token = entry.event

        if not isinstance(token, Token) or _utf8_size(token.chunk) <= max_bytes:
            yield entry
            continue

        for start in range(0, len(token.chunk), size):
            chunk = token.chunk[start : start + size]
            ends = start + size >= len(token.chunk)
            part = token._replace(
                chunk=chunk, offset=token.offset + start, is_last=token.is_last and ends
            )

            yield (
                entry._replace(event=part)
                if ends
                else entry._replace(sequence=0, event=part, event_count=0)
            )


def _utf8_size(text: str) -> int:
    """Bytes of the text as it is sent: U+FFFD, in the place of half a surrogate pair, has three too."""
    return len(text.encode(errors="surrogatepass"))


def _release(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
