"""RunStore: where the records and the logs of runs are kept. In memory here; several machines share another.

A store decides who of several starters of one run id was first, takes the events of runs before any
reader sees them, finds runs for whoever may read them, and drops what has expired. Where a run lives
and when it ends is not its concern.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from headrace.errors import HeadraceError
from headrace.events import Event
from headrace.log import RunLog
from headrace.runs.record import RunKey, RunRecord
from headrace.runs.run import Run
from headrace.runs.stores.listing import Page, PagePlace, RunFilter


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


class RunStore(Protocol):
    """Keeps runs until they expire.

    What waits for nothing (`update`, `outbox`, `Outbox`) is done in the order of the calls.
    """

    async def claim(self, record: RunRecord) -> Run | None:
        """Keeps a new run, which from then on is its starter's; or gives the one that has its key.

        A record that has ended already is a refusal: it claims its id as a run does, has no events, and
        is kept until it expires. Where this raises, or is cancelled, nothing is kept.
        """
        ...

    async def drop(self, key: RunKey) -> None:
        """Forgets all of a run that is over, was lost, or cannot be begun; its key is free at once."""
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
        self, principal: str, wanted: RunFilter, *, after: PagePlace | None = None, size: int
    ) -> Page:
        """Those of a principal's runs that are wanted and come after a place in their list."""
        ...

    async def expire(self, now: float) -> float | None:
        """Drops what has expired by then; gives when the next does, None where nothing waits for it."""
        ...

    async def close(self) -> None:
        """Lets go of everything."""
        ...
