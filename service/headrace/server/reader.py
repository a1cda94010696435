"""Reader: follows the log of one run for one caller, in deliveries that any protocol can encode.

A reader is a cursor. It takes all that is pending, writes it, and waits; it holds no queue, starts no
task, and one timer that is re-armed only when it fires serves its heartbeats however many tokens come.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import NamedTuple, Self, TypeAlias

from headrace.events import Token
from headrace.log import Cursor, Entry, EventLog, merge
from headrace.runs.run import Run
from headrace.server.errors import StreamAged
from headrace.server.selection import ReaderOptions, Selection, TokenDetail
from headrace.server.texts import WholeTexts, cut

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
Flush: TypeAlias = Callable[[], Awaitable[None]]
"""Sends what was written and is held back; called before every wait."""


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


class WholeDeliveries(Deliveries):
    """Deliveries with the text of each field once, when it is complete; its other tokens are left out.

    earlier: the entries up to the reader's place, in which fields may have begun.
    """

    __slots__ = ("_texts",)

    def __init__(
        self,
        options: ReaderOptions,
        earlier: Sequence[Entry] = (),
        *,
        attempt: int = 1,
        max_token_bytes: int,
    ) -> None:
        super().__init__(options, attempt=attempt, max_token_bytes=max_token_bytes)
        self._texts = WholeTexts()
        self._wanted(earlier)

    def _wanted(self, entries: Sequence[Entry]) -> list[Entry]:
        wanted: list[Entry] = []

        for entry in super()._wanted(entries):
            if not isinstance(entry.event, Token):
                wanted.append(entry)
            elif (whole := self._texts.take(entry.event)) is not None:
                wanted.append(entry._replace(event=whole))

        return wanted


def deliveries_of(
    log: EventLog, options: ReaderOptions, *, attempt: int = 1, max_token_bytes: int
) -> Deliveries:
    """What a reader of the log is told, by its options."""
    if options.token_detail is not TokenDetail.WHOLE:
        return Deliveries(options, attempt=attempt, max_token_bytes=max_token_bytes)

    earlier = log.read() if options.after else ()
    read = [entry for entry in earlier if entry.sequence <= options.after]

    return WholeDeliveries(options, read, attempt=attempt, max_token_bytes=max_token_bytes)


class Reader:
    """Writes what happens in a run until it is over, or until the stream is old.

    It has joined the run inside its `with` block. The run outlives it by its linger, unless it was sent
    away for its age.
    """

    __slots__ = (
        "_cursor",
        "_deliveries",
        "_ends",
        "_flush",
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
        self._deliveries = deliveries_of(
            run.log, options, attempt=run.attempt, max_token_bytes=max_token_bytes
        )
        self._merge_interval = options.merge_interval
        self._heartbeat_interval = options.heartbeat_interval
        self._max_age = max_age
        self._loop = asyncio.get_running_loop()
        self._written = self._loop.time()
        self._ends = self._written + max_age
        self._waiting: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._flush: Flush | None = None

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

    async def stream(self, write: Write, flush: Flush | None = None) -> None:
        """Writes until the log has ended. Raises StreamAged when `max_age` seconds have passed.

        flush: of a `write` that holds deliveries back, to send together what is pending together.
        """
        self._flush = flush

        try:
            is_over = await self._follow(write)
        finally:
            if self._timer is not None:
                self._timer.cancel()

        if flush is not None:
            await flush()

        if not is_over:
            raise StreamAged(self._max_age)

    async def _follow(self, write: Write) -> bool:
        """Writes until the log has ended; False when the stream is old before that."""
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
                return False

            if len(entries) >= TAKE:
                continue

            if entries and self._merge_interval:
                await self._collect()

            if self._cursor.position < self._log.last_sequence:
                continue

            if self._log.closed:
                return True

            if self._heartbeat_due(at_live_edge):
                at_live_edge = True
                await write(self._deliveries.heartbeat())
                self._written = self._loop.time()
                continue

            if self._flush is not None:
                await self._flush()

            if self._timer is None:
                self._arm()

            self._waiting = self._cursor.follow()
            await self._waiting

    async def _collect(self) -> None:
        """Lets tokens gather for the merge interval; anything else that happens cuts it short."""
        left = self._written + self._merge_interval - self._loop.time()

        if left <= 0:
            return

        if self._flush is not None:
            await self._flush()

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
