"""Following: how readers in the memory of this process wait for what a log does not hold yet.

A follower is a future on its reader's loop. All of them are woken once, however many events have come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from headrace.log.port import Entry

Future = asyncio.Future[None]


class Followers:
    """The futures that wait for a log. Its lock guards them."""

    __slots__ = ("impatient", "patient")

    def __init__(self) -> None:
        self.impatient: set[Future] = set()
        self.patient: set[Future] = set()
        """Not woken by text."""

    def of(self, patient: bool) -> set[Future]:
        """Those of one kind."""
        return self.patient if patient else self.impatient

    def leaving(self, text: bool) -> set[Future]:
        """Those to wake for text, or for anything else; they are not waiting any more."""
        leaving, self.impatient = self.impatient, set()

        if not text:
            leaving, self.patient = leaving | self.patient, set()

        return leaving


def wake(followers: Iterable[Future]) -> None:
    """Ends their waits, from any thread."""
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


def _release(future: Future) -> None:
    if not future.done():
        future.set_result(None)


class Followed(Protocol):
    """The log of a cursor, as the cursor needs it."""

    def take(self, cursor: LogCursor, limit: int | None) -> Sequence[Entry]:
        """Reads for a cursor and moves it on, in one step, so that no merging comes in between."""
        ...

    def await_more(self, after: int, patient: bool, former: Future | None) -> Future:
        """A future as `follow` gives it, in place of a former one, which may be done already."""
        ...

    def forget(self, future: Future, patient: bool) -> None:
        """Nobody waits for it any more."""
        ...

    def leave(self, cursor: LogCursor) -> None:
        """Gives a cursor's place up."""
        ...


class LogCursor:
    """A reader's place in a log; see `Cursor`.

    It waits with one future at a time of each kind, which spares a callback for every token.
    """

    __slots__ = ("_log", "_waits", "position")

    def __init__(self, log: Followed, after: int) -> None:
        self._log = log
        self._waits: dict[bool, Future] = {}  # by patience
        self.position = after

    def read(self, limit: int | None = None) -> Sequence[Entry]:
        """See Cursor."""
        return self._log.take(self, limit)

    def follow(self, *, patient: bool = False) -> Future:
        """See Cursor."""
        wait = self._waits.get(patient)

        if wait is None or wait.done():
            wait = self._waits[patient] = self._log.await_more(self.position, patient, wait)

        return wait

    def close(self) -> None:
        """See Cursor."""
        for patient, wait in self._waits.items():
            self._log.forget(wait, patient)

        self._log.leave(self)
