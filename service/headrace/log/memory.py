"""RunLog: the log of a run in the memory of this process, which every reader here reads.

- Appending is safe from any thread; following happens on event loops.
- A log that merges keeps its memory bounded by text, not by the number of tokens: adjacent tokens
  of a field become one, but never across the place of an open cursor. Once the cursor has moved
  on, they do.
"""

from __future__ import annotations

import asyncio
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from headrace.events import CustomEvent, Event, InputRequest, InputResolved, Token
from headrace.log.following import Followers, LogCursor, wake
from headrace.log.merging import merge
from headrace.log.port import Entry

BLOCK = 16
"""New entries after which a merging log merges them."""

AGAIN = 4
"""Already merged entries re-examined per open cursor at each merge: a cursor may have kept them apart
until now."""

EVENT_BYTES = 256
"""Counted against `max_bytes` for an event besides its text."""

ENTRY_BYTES = 400
"""Memory of an entry besides its text, about."""

_new: Callable[[type[Entry], tuple[object, ...]], Entry] = tuple.__new__  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - a tuple's members are unknown
"""Makes an entry at half the cost of Entry(…), which is a function in Python."""


class RunLog:
    """An EventLog of this process.

    merges: old tokens are joined. attempt: of the run, for events that are appended. max_bytes: of
    `recorded_bytes`; beyond it `when_full` is called, once. prepare: makes of an event that is not
    text what is recorded of it.
    """

    def __init__(
        self,
        *,
        merges: bool = False,
        attempt: int = 1,
        max_bytes: int | None = None,
        when_full: Callable[[], None] | None = None,
        prepare: Callable[[Event], Event] | None = None,
    ) -> None:
        self._attempt = attempt
        self._entries: list[Entry] = []
        self._last = 0
        self._last_other = 0  # the newest event that is not text
        self._closed = False
        self._lock = threading.Lock()
        self._followers = Followers()
        self._cursors: set[LogCursor] = set()
        self.first_token_time: float | None = None
        """When the first text came, in seconds since the epoch."""
        self.merges = merges
        """Adjacent tokens become one, so that what comes together may be recorded together."""
        self._settled = 0  # entries at the front that no merging looks at again
        self._due = BLOCK  # entries at which the next merging comes
        self._bytes = 0
        self._max_bytes = max_bytes
        self._when_full = when_full
        self._prepare = prepare

    @property
    def last_sequence(self) -> int:
        """See EventLog."""
        return self._last

    @property
    def closed(self) -> bool:
        """See EventLog."""
        return self._closed

    @property
    def cursor_count(self) -> int:
        """Cursors that are open: readers, live or late."""
        return len(self._cursors)

    @property
    def recorded_bytes(self) -> int:
        """Text recorded so far, in bytes of UTF-8, and a flat amount for every other event."""
        return self._bytes

    @property
    def held_bytes(self) -> int:
        """Memory the log takes up, about."""
        return self._bytes + ENTRY_BYTES * len(self._entries)

    def append(self, event: Event) -> int:
        """See EventLog."""
        text = isinstance(event, Token)
        size = _size(event.chunk) if isinstance(event, Token) else size_of(event)

        if not text and self._prepare is not None:
            event = self._prepare(event)

        with self._lock:
            if self._closed:
                return 0

            sequence = self._last = self._last + 1
            now = time.time()
            self._entries.append(_new(Entry, (sequence, now, event, 1, self._attempt)))
            self._bytes += size

            if not text:
                self._last_other = sequence
            elif self.first_token_time is None:
                self.first_token_time = now

            if self.merges and len(self._entries) >= self._due:
                self._merge()

            awaited = self._followers.impatient or not text
            followers = self._followers.leaving(text) if awaited else ()

        if followers:
            wake(followers)

        if self._max_bytes is not None and self._bytes > self._max_bytes:
            self._report_full()

        return sequence

    def extend(self, entries: Sequence[Entry]) -> None:
        """Takes entries as they were recorded elsewhere, in whole groups; passes over those it has."""
        with self._lock:
            new = [entry for entry in entries if entry.sequence > self._last]

            if self._closed or not new:
                return

            self._entries += new
            self._last = new[-1].sequence
            self._bytes += sum(size_of(entry.event) for entry in new)
            others = [entry.sequence for entry in new if not isinstance(entry.event, Token)]
            self._last_other = others[-1] if others else self._last_other

            if self.first_token_time is None:
                texts = (entry.time for entry in new if isinstance(entry.event, Token))
                self.first_token_time = next(texts, None)

            if self.merges and len(self._entries) >= self._due:
                self._merge()

            followers = self._followers.leaving(text=not others)

        wake(followers)

    def close(self) -> None:
        """See EventLog."""
        with self._lock:
            self._closed = True
            self._when_full = None

            if self.merges and self._entries:
                self._merge()

            followers = self._followers.leaving(text=False)

        wake(followers)

    def read(self, after: int = 0, limit: int | None = None) -> Sequence[Entry]:
        """See EventLog."""
        with self._lock:
            return self._read(after, limit)

    def take(self, cursor: LogCursor, limit: int | None = None) -> Sequence[Entry]:
        """See Followed."""
        with self._lock:
            entries = self._read(cursor.position, limit)

            if entries:
                cursor.position = entries[-1].sequence

        return entries

    def drain(self) -> Sequence[Entry]:
        """Takes all entries out of the log: for the one reader of a log that nobody else reads."""
        with self._lock:
            entries, self._entries = self._entries, []
            self._settled, self._due = 0, BLOCK

        return entries

    def leave(self, cursor: LogCursor) -> None:
        """See Followed."""
        with self._lock:
            self._cursors.discard(cursor)

    def cursor(self, after: int = 0) -> LogCursor:
        """See EventLog."""
        cursor = LogCursor(self, after)

        with self._lock:
            self._cursors.add(cursor)

        return cursor

    async def wait(self, after: int) -> bool:
        """Waits until there is something past the cursor; False once the log has ended there."""
        while self._last <= after:
            if self._closed:
                return False

            await self.follow(after)

        return True

    def follow(self, after: int, *, patient: bool = False) -> asyncio.Future[None]:
        """See EventLog."""
        future = self.await_more(after, patient)

        if not future.done():
            future.add_done_callback(lambda done: self.forget(done, patient))

        return future

    def await_more(
        self, after: int, patient: bool, former: asyncio.Future[None] | None = None
    ) -> asyncio.Future[None]:
        """See Followed. The last future has to be given to `forget`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        with self._lock:
            waiting = self._followers.of(patient)

            if former is not None:
                waiting.discard(former)

            if self._closed or (self._last_other if patient else self._last) > after:
                future.set_result(None)
            else:
                waiting.add(future)

        return future

    def forget(self, future: asyncio.Future[None], patient: bool) -> None:
        """See Followed."""
        with self._lock:
            self._followers.of(patient).discard(future)

    def _read(self, after: int, limit: int | None) -> Sequence[Entry]:
        if after >= self._last:
            return ()

        entries = self._entries

        if len(entries) > 1 and entries[-2].sequence <= after:
            return entries[-1:]  # a reader at the live edge, which most are, needs no search

        start = bisect_right(entries, after, key=_sequence)

        if limit is None or start + limit >= len(entries):
            return entries[start:]

        stop = bisect_right(entries, entries[start + limit - 1].sequence, lo=start, key=_sequence)

        return entries[start:stop]

    def _merge(self) -> None:
        """Merges what is not settled, and settles all of it but the newest groups.

        Where these are many, of parallel fields or readers, as much has to come before the next time.
        """
        places = frozenset(cursor.position for cursor in self._cursors)
        entries = self._entries
        entries[self._settled :] = merge(entries[self._settled :], places)
        again = entries[max(len(entries) - AGAIN * (len(places) + 1), 0)]
        self._settled = bisect_left(entries, again.sequence, key=_sequence)
        self._due = len(entries) + max(BLOCK, len(entries) - self._settled)

    def _report_full(self) -> None:
        with self._lock:
            report, self._when_full = self._when_full, None

        if report is not None:
            report()


def size_of(event: Event) -> int:
    """Bytes that an event counts against `max_bytes`."""
    match event:
        case Token():
            return _size(event.chunk)
        case CustomEvent():
            return EVENT_BYTES + _size(event.data_json)
        case InputRequest():
            texts = event.message, event.answer_schema_json, event.proposal_json
            return EVENT_BYTES + sum(_size(text) for text in texts)
        case InputResolved():
            return EVENT_BYTES + _size(event.answer_json)
        case _:
            return EVENT_BYTES


def _size(text: str) -> int:
    """`utf8_size`, here because the path of a token leads through no further file."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _sequence(entry: Entry) -> int:
    return entry.sequence
