"""MemoryStore: keeps runs in this process, ended ones for a time and within a number of bytes.

It takes an event the moment it comes: the outbox of a run is its log.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from headrace.events import Event
from headrace.log import RunLog
from headrace.runs.limits import Limits
from headrace.runs.record import RunKey, RunRecord
from headrace.runs.run import NO_EVENTS, Run
from headrace.runs.stores.base import Intake, Outbox
from headrace.runs.stores.listing import Page, PagePlace, RunFilter, page_of

NOTHING = RunLog()
"""The log of a run that has been claimed, until it has an outbox: nobody is let in between."""


class KeptRun(Run):
    """A run as this store keeps it: the same for all that ask for it."""

    __slots__ = ()

    def renew(self, record: RunRecord) -> None:
        """Replaces the record."""
        self._record = record


class LogOutbox:
    """Writes a run's events straight into the log."""

    def __init__(self, log: RunLog, end: Callable[[RunRecord], None]) -> None:
        self.log = log
        self.put: Callable[[Event], object] = log.append
        self._end = end

    def end(self, record: RunRecord) -> None:
        """See Outbox."""
        self._end(record)


class MemoryStore:
    """See RunStore."""

    def __init__(self, limits: Limits) -> None:
        self._max_bytes = limits.max_retained_bytes
        self._runs: dict[RunKey, KeptRun] = {}
        self._ended: OrderedDict[RunKey, int] = OrderedDict()  # bytes, in the order of expiry
        self._refused: OrderedDict[RunKey, None] = OrderedDict()  # in the order of expiry, too
        self._held = 0

    @property
    def held_bytes(self) -> int:
        """Memory that ended runs take up, about."""
        return self._held

    async def claim(self, record: RunRecord) -> Run | None:
        """See RunStore."""
        present = self._runs.get(record.key)

        if present is None and record.refused:
            self._runs[record.key] = KeptRun(record, NO_EVENTS)
            self._refused[record.key] = None
        elif present is None:
            self._runs[record.key] = KeptRun(record, NOTHING)

        return present

    async def drop(self, key: RunKey) -> None:
        """See RunStore."""
        self._drop(key)

    def outbox(self, record: RunRecord, intake: Intake) -> Outbox:
        """See RunStore."""
        run = self._runs[record.key]
        run.log = RunLog(
            merges=True,
            attempt=record.attempt,
            max_bytes=intake.max_bytes,
            when_full=intake.when_full,
            prepare=intake.prepare,
        )

        return LogOutbox(run.log, lambda final: self._end(run, final))

    def update(self, record: RunRecord) -> None:
        """See RunStore."""
        self._runs[record.key].renew(record)

    async def get(self, key: RunKey) -> Run | None:
        """See RunStore."""
        return self._runs.get(key)

    async def named(self, run_id: str) -> Sequence[Run]:
        """See RunStore."""
        return [run for key, run in self._runs.items() if key.run_id == run_id]

    async def page(
        self, principal: str, wanted: RunFilter, *, after: PagePlace | None = None, size: int
    ) -> Page:
        """See RunStore."""
        own = [run for key, run in self._runs.items() if key.principal == principal]

        return page_of(own, wanted, after=after, size=size)

    async def expire(self, now: float) -> float | None:
        """See RunStore."""
        times = [self._expire(keys, now) for keys in (self._ended, self._refused)]

        return min((time for time in times if time is not None), default=None)

    async def close(self) -> None:
        """See RunStore."""
        self._runs.clear()
        self._ended.clear()
        self._refused.clear()
        self._held = 0

    def _end(self, run: KeptRun, record: RunRecord) -> None:
        if run.log.closed:
            return

        run.renew(record)
        run.log.close()
        size = self._ended[run.key] = run.held_bytes
        self._held += size

        while self._held > self._max_bytes:
            self._drop(next(iter(self._ended)))

    def _expire(self, keys: Mapping[RunKey, object], now: float) -> float | None:
        """Drops what has expired, the first keys first; gives when the next expires."""
        while keys:
            key = next(iter(keys))
            time = self._runs[key].expire_time or 0.0

            if time > now:
                return time

            self._drop(key)

        return None

    def _drop(self, key: RunKey) -> None:
        self._runs.pop(key, None)
        self._refused.pop(key, None)
        self._held -= self._ended.pop(key, 0)
