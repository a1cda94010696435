"""RunStore: where the records and the logs of runs are kept. In memory here; several machines share another.

A store decides who of several starters of one run id was first, takes the events of runs before any
reader sees them, finds runs for whoever may read them, and drops what has expired. Where a run lives
and when it ends is not its concern.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from headrace.errors import FieldViolation, HeadraceError, RequestInvalid
from headrace.events import Event
from headrace.log import RunLog
from headrace.runs.record import RunKey, RunRecord
from headrace.runs.run import Run

_TOKEN = re.compile(r"\d{1,12}\.\d{1,9}:[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Intake:
    """The rules by which a run's events are taken, and whom to tell. They hold before anything is kept."""

    prepare: Callable[[Event], Event]
    """Makes of an event that is not text what may be recorded."""
    max_bytes: int
    """Of all that is recorded; see RunLog.recorded_bytes."""
    when_full: Callable[[], None]
    """Called once, from any thread, when there is more."""
    when_lost: Callable[[HeadraceError], None]
    """Called on the run's loop when the store cannot keep the run: the reason for its readers."""


class Outbox(Protocol):
    """The one way of a living run's events into its store, and from there into the log."""

    @property
    def log(self) -> RunLog:
        """The log for readers of this process: all that the store has taken."""
        ...

    @property
    def put(self) -> Callable[[Event], object]:
        """Takes the next event, from any thread, without waiting. It is called for every token."""
        ...

    def end(self, record: RunRecord) -> None:
        """Takes the record as it is at the end of the run, without waiting.

        The log is closed once the store has that and all before it. Later events are ignored.
        """
        ...


class PagePlace(NamedTuple):
    """A run's place in the list of its principal's runs."""

    create_time: float
    run_id: str

    @classmethod
    def of(cls, run: Run) -> PagePlace:
        """The place of a run."""
        return cls(run.create_time, run.run_id)

    @classmethod
    def named_by(cls, token: str) -> PagePlace:
        """The place that a page token names. Raises RequestInvalid for one that is no token."""
        if not _TOKEN.fullmatch(token):
            problem = "must be the next_page_token of the page before"
            raise RequestInvalid([FieldViolation("page_token", problem)])

        time, _, run_id = token.partition(":")

        return cls(float(time), run_id)

    @property
    def token(self) -> str:
        """The place as callers are given it."""
        return f"{self.create_time!r}:{self.run_id}"


class Page(NamedTuple):
    """Some of a principal's runs, newest first."""

    runs: Sequence[Run]
    has_more: bool
    """More runs follow, which are older."""


class RunStore(Protocol):
    """Keeps runs until they expire.

    What waits for nothing (`update`, `outbox`, `Outbox`) is done in the order of the calls.
    """

    async def claim(self, record: RunRecord) -> Run | None:
        """Keeps a new run, which from then on is its starter's; or gives the one that has its key.

        Where this raises, or is cancelled, nothing is kept.
        """
        ...

    async def withdraw(self, key: RunKey) -> None:
        """Drops a run that was claimed here and cannot be begun, or that was lost."""
        ...

    def outbox(self, record: RunRecord, intake: Intake) -> Outbox:
        """The outbox of a run that has been claimed here."""
        ...

    def update(self, record: RunRecord) -> None:
        """Takes note of what has changed in the record of a run that lives here."""
        ...

    async def get(self, key: RunKey) -> Run | None:
        """The run of a key; None where there is none, or no more."""
        ...

    async def named(self, run_id: str) -> Sequence[Run]:
        """The runs of that name, each of another principal."""
        ...

    async def page(
        self, principal: str, *, program: str = "", after: PagePlace | None = None, size: int
    ) -> Page:
        """A principal's runs, of one program or of all, that come after a place in their list."""
        ...

    async def expire(self, now: float) -> float | None:
        """Drops what has expired by then; gives when the next does, None where nothing waits for it."""
        ...

    async def close(self) -> None:
        """Lets go of everything."""
        ...


def page_of(runs: Iterable[Run], *, program: str, after: PagePlace | None, size: int) -> Page:
    """A page of runs, for a store that has all runs of a principal at hand."""
    newest_first = sorted(runs, key=PagePlace.of, reverse=True)
    rest = [
        run
        for run in newest_first
        if program in ("", run.program) and (after is None or PagePlace.of(run) < after)
    ]

    return Page(rest[:size], len(rest) > size)
