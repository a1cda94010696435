"""EventLog: one run's events in order, as those see it who write it and who read it.

Everybody reads a run from its log, live or late (law 2). A reader holds a cursor, the last sequence it
has taken, and asks for what lies past it; it has no queue in the log and cannot slow the run (law 1).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from headrace.events import Event


class Entry(NamedTuple):
    """An event in its place in a log."""

    sequence: int
    """Entries that were merged together share the sequence at which their group ends."""
    time: float
    """Seconds since the epoch; of the newest event that was merged into it."""
    event: Event
    event_count: int = 1
    """Recorded events that were merged into it, itself included."""
    attempt: int = 1
    """Of the run: 1, or more after another process has taken it over."""


class Cursor(Protocol):
    """A reader's place in a log. No merging crosses it while it is open."""

    @property
    def position(self) -> int:
        """The last sequence that was taken."""
        ...

    def read(self, limit: int | None = None) -> Sequence[Entry]:
        """Takes the entries past this place, about `limit` of them, and moves on."""
        ...

    def follow(self, *, patient: bool = False) -> asyncio.Future[None]:
        """A future that is done as soon as there is more, or the log ends.

        A patient follower is not woken by text.
        """
        ...

    def close(self) -> None:
        """Gives the place up."""
        ...


class EventLog(Protocol):
    """An append-only list of events that ends. Its sequences are 1, 2, 3 …"""

    @property
    def last_sequence(self) -> int:
        """The sequence of the newest event; 0 when there is none."""
        ...

    @property
    def closed(self) -> bool:
        """True once the run is over and nothing will be appended."""
        ...

    def append(self, event: Event) -> int:
        """Records an event and wakes the followers; gives its sequence. Ignored once closed: 0."""
        ...

    def close(self) -> None:
        """Ends the log. Followers that have read everything are released."""
        ...

    def read(self, after: int = 0, limit: int | None = None) -> Sequence[Entry]:
        """The entries past a sequence, in order; none at the live edge.

        With a limit about that many: entries that share a sequence stay together.
        """
        ...

    def follow(self, after: int, *, patient: bool = False) -> asyncio.Future[None]:
        """A future that is done as soon as there is something past a sequence, or the log ends."""
        ...

    def cursor(self, after: int = 0) -> Cursor:
        """A place in this log for one reader. Close it."""
        ...
