"""Run: one run as whoever may read it finds it, a record and a log.

As it stands here a run has ended, or lives in another process. Where it lives it is a `LiveRun`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from headrace.errors import HeadraceError, ServerBusy
from headrace.events import InputRequest, InputResolved, PredictionEvent, Usage
from headrace.log import Cursor, RunLog
from headrace.questions import Reply, demand_repeat, not_asked
from headrace.runs.inputs import end_recorded, question_in, questions_in
from headrace.runs.record import Ending, RunKey, RunRecord, RunState

RECORD_BYTES = 4096
"""Memory a record takes besides its log, about."""

NO_EVENTS = RunLog()
"""The log of a run that never came."""
NO_EVENTS.close()


class Revisions(NamedTuple):
    """The revisions of a run's program."""

    revision: str
    interface_revision: str = ""


class Run:
    """A run. Its readers join and leave."""

    __slots__ = ("_record", "log")

    def __init__(self, record: RunRecord, log: RunLog) -> None:
        self._record = record
        self.log = log

    @property
    def record(self) -> RunRecord:
        """The run as data, as its readers may know it now."""
        return self._record

    @property
    def key(self) -> RunKey:
        """The name it is found by."""
        return self.record.key

    @property
    def run_id(self) -> str:
        """Its name, unique among those of its principal."""
        return self.record.key.run_id

    @property
    def program(self) -> str:
        """The name of its program."""
        return self.record.program

    @property
    def revision(self) -> str:
        """The revision of its program."""
        return self.record.revision

    @property
    def interface_revision(self) -> str:
        """The interface revision of its program."""
        return self.record.interface_revision

    @property
    def revisions(self) -> Revisions:
        """The revisions of its program."""
        return Revisions(self.record.revision, self.record.interface_revision)

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of its caller's."""
        return self.record.labels

    @property
    def attempt(self) -> int:
        """The attempt it is at."""
        return self.record.attempt

    @property
    def create_time(self) -> float:
        """When it was admitted, in seconds since the epoch, as the other times."""
        return self.record.create_time

    @property
    def end_time(self) -> float | None:
        """When it ended."""
        return self.record.end_time

    @property
    def expire_time(self) -> float | None:
        """When it is dropped, at the latest."""
        return self.record.expire_time

    @property
    def state(self) -> RunState:
        """State of the run now."""
        return self.record.state

    @property
    def over(self) -> bool:
        """True once readers can have all of it, its end included."""
        return self.log.closed

    @property
    def failure(self) -> HeadraceError | None:
        """Why it failed or was cancelled, once it is over."""
        return self._ending.failure

    @property
    def cause(self) -> str:
        """The cause that its readers may be told beside the message; mostly nothing."""
        return self._ending.cause

    @property
    def result(self) -> PredictionEvent | None:
        """Its result, once it has succeeded."""
        return self._ending.result

    @property
    def usage(self) -> Usage:
        """LM work so far, as far as it is known here."""
        return self._ending.usage

    @property
    def input_requests(self) -> Sequence[InputRequest]:
        """Its open questions, oldest first."""
        if self.state is not RunState.WAITING:
            return []

        return [one.request for one in questions_in(self.log) if one.resolved is None]

    @property
    def reask_count(self) -> int:
        """How often an answer that could not be read was asked for again, as far as it is known here."""
        return self._ending.reask_count

    @property
    def reader_count(self) -> int:
        """Readers it has here."""
        return self.log.cursor_count

    @property
    def held_bytes(self) -> int:
        """Memory it takes up, about."""
        inputs = len(self.record.inputs_json or "")

        return self.log.held_bytes + inputs + self._ending.output_bytes + RECORD_BYTES

    def join(self, after: int = 0) -> Cursor:
        """A reader comes: a place in the log, to be given to `leave`."""
        return self.log.cursor(after)

    def leave(self, cursor: Cursor, *, counts: bool = True) -> None:
        """A reader goes. It counts unless the server made it go."""
        cursor.close()

    def stop(self, error: HeadraceError) -> None:
        """Ends it because of `error`, where it lives here and has not ended."""

    def keep_for(self, linger: float) -> None:
        """Lets it outlive its last reader by so many seconds, where it lives here."""

    async def reply(self, input_id: str, reply: Reply) -> tuple[InputResolved, bool]:
        """Somebody replies to a question; gives its end, and True unless the same had been said before.

        Returns once readers can have that end. Raises InputInvalid for an answer that does not fit, and then
        the question stays open; InputNotFound, InputAlreadyResolved, and ServerBusy for an open question of
        a run that lives elsewhere.
        """
        ended = self._end_question(input_id, reply)
        await end_recorded(self.log, input_id)

        return ended

    def _end_question(self, input_id: str, reply: Reply) -> tuple[InputResolved, bool]:
        asked = question_in(self.log, input_id)

        if asked is None:
            raise not_asked(input_id)

        if asked.resolved is None:
            raise ServerBusy(f"run {self.run_id!r} lives on another server; try again")

        return demand_repeat(asked.request, asked.resolved, reply), False

    async def ended(self) -> None:
        """Waits until it is over."""
        log = self.log

        while not log.closed:
            await log.follow(log.last_sequence, patient=True)

    @property
    def _ending(self) -> Ending:
        return self.record.ending or _NOT_YET


_NOT_YET = Ending()
