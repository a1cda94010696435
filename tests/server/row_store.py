"""RowStore: a store as one elsewhere would be. It keeps bytes and no object of a run, and takes an event
a turn of the loop after it was written, so that whatever relied on more is found out."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

from headrace.events import Event, Token
from headrace.log import Entry, RunLog
from headrace.log.memory import size_of
from headrace.runs.codec import entry_of, record_of, record_row, row_of
from headrace.runs.limits import Limits
from headrace.runs.record import RunKey, RunRecord
from headrace.runs.run import Run
from headrace.runs.stores.base import Intake
from headrace.runs.stores.listing import Page, PagePlace, RunFilter, page_of


class RowOutbox:
    """Writes a run's events as rows; the log gets what was read back from them."""

    def __init__(self, store: RowStore, record: RunRecord, intake: Intake) -> None:
        self.log = RunLog(merges=True, attempt=record.attempt)
        self._store = store
        self._key = record.key
        self._attempt = record.attempt
        self._intake = intake
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._pending: list[bytes] = []
        self._final: bytes | None = None
        self._sequence = 0
        self._room = intake.max_bytes

    def put(self, event: Event) -> None:
        if not isinstance(event, Token):
            event = self._intake.prepare(event)

        with self._lock:
            if self._final is not None:
                return

            entry = Entry(self._sequence + 1, time.time(), event, 1, self._attempt)
            self._pending.append(row_of(entry))
            self._sequence += 1
            had_room, self._room = self._room >= 0, self._room - size_of(event)

            if len(self._pending) == 1:
                self._loop.call_soon_threadsafe(self._commit)

        if had_room and self._room < 0:
            self._intake.when_full()

    def end(self, record: RunRecord) -> None:
        with self._lock:
            self._final = record_row(record)

        self._loop.call_soon(self._commit)

    def _commit(self) -> None:
        with self._lock:
            rows, self._pending = self._pending, []
            final = self._final

        self._store.append(self._key, rows)
        self.log.extend([entry_of(row) for row in rows])

        if final is not None:
            self._store.finish(self._key, final)
            self.log.close()


class RowStore:
    """See RunStore."""

    def __init__(self, limits: Limits) -> None:
        self._max_bytes = limits.max_retained_bytes
        self._records: dict[RunKey, bytes] = {}
        self._rows: dict[RunKey, list[bytes]] = {}
        self._ended: dict[RunKey, tuple[float, int]] = {}
        """Of what expires: when, and the bytes that it takes of the budget."""

    @property
    def held_bytes(self) -> int:
        """Bytes that ended runs take of the budget."""
        return sum(size for _, size in self._ended.values())

    async def claim(self, record: RunRecord) -> Run | None:
        await asyncio.sleep(0)

        if record.key in self._records:
            return self._run(record.key)

        self._records[record.key] = record_row(record)
        self._rows[record.key] = []

        if record.expire_time is not None:
            self._ended[record.key] = record.expire_time, 0

        try:
            await asyncio.sleep(0)  # the answer takes its time, too
        except asyncio.CancelledError:
            self._forget(record.key)
            raise

        return None

    async def drop(self, key: RunKey) -> None:
        await asyncio.sleep(0)
        self._forget(key)

    def outbox(self, record: RunRecord, intake: Intake) -> RowOutbox:
        return RowOutbox(self, record, intake)

    def update(self, record: RunRecord) -> None:
        self._records[record.key] = record_row(record)

    async def get(self, key: RunKey) -> Run | None:
        await asyncio.sleep(0)

        return self._run(key) if key in self._records else None

    async def named(self, run_id: str) -> Sequence[Run]:
        await asyncio.sleep(0)

        return [self._run(key) for key in self._records if key.run_id == run_id]

    async def page(
        self, principal: str, wanted: RunFilter, *, after: PagePlace | None = None, size: int
    ) -> Page:
        await asyncio.sleep(0)
        own = [self._run(key) for key in self._records if key.principal == principal]

        return page_of(own, wanted, after=after, size=size)

    async def expire(self, now: float) -> float | None:
        await asyncio.sleep(0)

        for key, (due, _) in [*self._ended.items()]:
            if due <= now:
                self._forget(key)

        return min((due for due, _ in self._ended.values()), default=None)

    async def close(self) -> None:
        await asyncio.sleep(0)
        self._records.clear()
        self._rows.clear()
        self._ended.clear()

    def append(self, key: RunKey, rows: Sequence[bytes]) -> None:
        """Takes events."""
        if rows:
            self._rows[key].extend(rows)

    def finish(self, key: RunKey, final: bytes) -> None:
        """Takes the end of a run, whose rows from then on are those of merged entries."""
        self._records[key] = final
        run = self._run(key)
        self._rows[key] = [row_of(entry) for entry in run.log.read()]
        self._ended[key] = run.expire_time or 0.0, run.held_bytes

        while self.held_bytes > self._max_bytes:
            self._forget(next(iter(self._ended)))

    def _run(self, key: RunKey) -> Run:
        """A run made anew from its rows."""
        record = record_of(self._records[key])
        log = RunLog(merges=True, attempt=record.attempt)
        log.extend([entry_of(row) for row in self._rows[key]])

        if record.ending is not None:
            log.close()

        return Run(record, log)

    def _forget(self, key: RunKey) -> None:
        self._records.pop(key, None)
        self._rows.pop(key, None)
        self._ended.pop(key, None)
