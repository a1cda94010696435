"""RunLog: the one record of a run, which every reader reads, live or late.

- Appending gives an event its sequence: 1, 2, 3 …
- A reader holds a cursor, the last sequence it has seen, and asks for what lies past it. Readers
  have no queue here and cannot slow the run.
- Appending is safe from any thread; following happens on event loops, and every follower is woken
  once however many events have come.
- A log that merges keeps its memory bounded by text, not by the number of tokens: adjacent tokens
  of a field become one, but never across the place of an open cursor. Once the cursor has moved
  on, they do.
"""

from __future__ import annotations

import asyncio
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence

from headrace.events import Event, Token
from headrace.log.merging import Entry, merge

BLOCK = 16
"""New entries after which a merging log merges them."""

AGAIN = 4
"""Older entries that it then looks at again, for each cursor: readers had kept them apart."""

EVENT_BYTES = 256
"""What an event that is not text counts against `max_bytes`."""

ENTRY_BYTES = 400
"""What an entry costs in memory besides its text, about."""


class RunLog:
    """An append-only list of events that ends.

    merges: whether old tokens are joined. attempt: of the run, which its entries carry. max_bytes: of `recorded_bytes`; beyond it `when_full` is
    called, once. prepare: what is made of an event that is not text before it is recorded.
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
        self.attempt = attempt
        """Of what is appended from now on."""
        self._entries: list[Entry] = []
        self._last = 0
        self._last_other = 0  # the newest event that is not text
        self._closed = False
        self._lock = threading.Lock()
        self._waiting: set[asyncio.Future[None]] = set()
        self._patient: set[asyncio.Future[None]] = set()
        self._cursors: set[Cursor] = set()
        self.first_token_time: float | None = None
        """When the first text came, in seconds since the epoch."""
        self.merges = merges
        """Whether adjacent tokens become one: what comes together may then be recorded together."""
        self._settled = 0  # entries at the front that no merging looks at again
        self._due = BLOCK  # entries at which the next merging comes
        self._bytes = 0
        self._max_bytes = max_bytes
        self._when_full = when_full
        self._prepare = prepare

    @property
    def last_sequence(self) -> int:
        """The sequence of the newest event; 0 when there is none."""
        return self._last

    @property
    def closed(self) -> bool:
        """Whether the run is over and nothing will be appended."""
        return self._closed

    @property
    def recorded_bytes(self) -> int:
        """Text recorded so far, in bytes of UTF-8, and a flat amount for every other event."""
        return self._bytes

    @property
    def held_bytes(self) -> int:
        """Memory the log takes up, about."""
        return self._bytes + ENTRY_BYTES * len(self._entries)

    def append(self, event: Event) -> int:
        """Records an event and wakes the followers; gives its sequence. Ignored once closed: 0."""
        text = isinstance(event, Token)
        size = _size(event.chunk) if isinstance(event, Token) else EVENT_BYTES

        if not text and self._prepare is not None:
            event = self._prepare(event)

        with self._lock:
            if self._closed:
                return 0

            sequence = self._last = self._last + 1
            now = time.time()
            self._entries.append(Entry(sequence, now, event, 1, self.attempt))
            self._bytes += size

            if not text:
                self._last_other = sequence
            elif self.first_token_time is None:
                self.first_token_time = now

            if self.merges and len(self._entries) >= self._due:
                self._merge()

            followers = self._leaving(text) if self._waiting or not text else ()

        if followers:
            _wake(followers)

        if self._max_bytes is not None and self._bytes > self._max_bytes:
            self._report_full()

        return sequence

    def close(self) -> None:
        """Ends the log. Followers that have read everything are released."""
        with self._lock:
            self._closed = True
            self._when_full = None

            if self.merges and self._entries:
                self._merge()

            followers = self._leaving(text=False)

        _wake(followers)

    def read(self, after: int = 0, limit: int | None = None) -> Sequence[Entry]:
        """The entries past a cursor, in order; none when the reader is at the live edge.

        With a limit about that many: entries that share a sequence stay together.
        """
        with self._lock:
            return self._read(after, limit)

    def take(self, cursor: Cursor, limit: int | None = None) -> Sequence[Entry]:
        """What `Cursor.read` does; in one step, so that no merging comes in between."""
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

    def leave(self, cursor: Cursor) -> None:
        """What `Cursor.close` does."""
        with self._lock:
            self._cursors.discard(cursor)

    def cursor(self, after: int = 0) -> Cursor:
        """A place in this log that no merging crosses while it is open. Close it."""
        cursor = Cursor(self, after)

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
        """A future that is done as soon as there is something past the cursor, or the log ends.

        A patient follower is not woken by text.
        """
        future = self.await_more(after, patient)

        if not future.done():
            future.add_done_callback(lambda done: self.forget(done, patient))

        return future

    def await_more(
        self, after: int, patient: bool, former: asyncio.Future[None] | None = None
    ) -> asyncio.Future[None]:
        """What `follow` gives, in place of a former one that may be done for another reason.

        The last one has to be given to `forget`.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        with self._lock:
            waiting = self._patient if patient else self._waiting

            if former is not None:
                waiting.discard(former)

            if self._closed or (self._last_other if patient else self._last) > after:
                future.set_result(None)
            else:
                waiting.add(future)

        return future

    def forget(self, future: asyncio.Future[None], patient: bool) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            (self._patient if patient else self._waiting).discard(future)

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

    def _leaving(self, text: bool) -> set[asyncio.Future[None]]:
        """The followers to wake for text, or for anything else; they are not waiting any more."""
        waiting, self._waiting = self._waiting, set()

        if not text:
            waiting, self._patient = waiting | self._patient, set()

        return waiting


class Cursor:
    """A reader's place in a log: the last sequence it has taken.

    It waits with one future at a time of each kind, which spares a callback for every token.
    """

    __slots__ = ("_log", "_waits", "position")

    def __init__(self, log: RunLog, after: int) -> None:
        self._log = log
        self._waits: dict[bool, asyncio.Future[None]] = {}  # by patience
        self.position = after

    def read(self, limit: int | None = None) -> Sequence[Entry]:
        """Takes the entries past this place, about `limit` of them, and moves on."""
        return self._log.take(self, limit)

    def follow(self, *, patient: bool = False) -> asyncio.Future[None]:
        """A future that is done as soon as there is more, or the log ends; see `RunLog.follow`."""
        wait = self._waits.get(patient)

        if wait is None or wait.done():
            wait = self._waits[patient] = self._log.await_more(self.position, patient, wait)

        return wait

    def close(self) -> None:
        """Gives the place up."""
        for patient, wait in self._waits.items():
            self._log.forget(wait, patient)

        self._log.leave(self)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _sequence(entry: Entry) -> int:
    return entry.sequence


def _wake(followers: Iterable[asyncio.Future[None]]) -> None:
    try:
        here = asyncio.get_running_loop()
    except RuntimeError:  # the program writes from a thread
        here = None

    for future in followers:
        loop = future.get_loop()

        if loop is here:
            _release(future)
        else:
            try:  # noqa: SIM105 - suppress() costs more, and this is done for every token
                loop.call_soon_threadsafe(_release, future)
            except RuntimeError:  # its loop is closed
                pass


def _release(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
