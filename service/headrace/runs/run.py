"""Run: the record of one run, from its admission until nobody can read it any more."""

from __future__ import annotations

import asyncio
import contextvars
import enum
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from headrace.errors import HeadraceError, RunCancelled, RunTimeout, RunTooLarge
from headrace.events import PredictionEvent, Usage
from headrace.execution import Execution, Work
from headrace.hosting.port import StartRequest
from headrace.log import Cursor, RunLog
from headrace.runs.limits import Limits
from headrace.runs.sanitize import bare, with_content, without_content
from headrace.values.limits import check_outputs

RECORD_BYTES = 4096
"""What a record costs in memory besides its log, about."""


class RunKey(NamedTuple):
    """What a run is found by: its id is scoped to the principal that started it."""

    principal: str
    run_id: str


class RunState(enum.IntEnum):
    """Where a run is in its life. Numbers equal those of the contract."""

    QUEUED = 1
    RUNNING = 2
    SUCCEEDED = 3
    FAILED = 4
    CANCELLED = 5


@dataclass(frozen=True, slots=True)
class Ending:
    """What remains of a run that is over."""

    failure: HeadraceError | None = None
    result: PredictionEvent | None = None
    usage: Usage = field(default_factory=Usage)
    cause: str = ""


class Run:
    """One run. Its readers join and leave; its registry begins it, and settles it `when_over`."""

    def __init__(
        self,
        key: RunKey,
        order: StartRequest,
        limits: Limits,
        *,
        keeps_content: bool = False,
        tell_cause: Callable[[HeadraceError], str] = lambda failure: "",
        when_over: Callable[[Run], object] = lambda run: None,
    ) -> None:
        self.key = key
        self.program = order.program.name
        self.revision = order.program.revision
        self.digest = order.digest
        self.labels: Mapping[str, str] = order.labels
        self.peer = order.peer
        self.linger = limits.default_linger if order.linger is None else order.linger
        """Seconds the run outlives its last reader."""
        self.timeout = limits.max_timeout if order.timeout is None else order.timeout
        """Seconds the run may take, from its admission."""
        self.attempt = 1
        self.reader_count = 0
        self.create_time = time.time()
        self.end_time: float | None = None
        self.expire_time: float | None = None
        """When the record is dropped, at the latest."""
        self.log = RunLog(
            merges=True,
            max_bytes=limits.max_run_bytes,
            when_full=self._overflow,
            prepare=with_content if keeps_content else without_content,
        )
        self._limits = limits
        self._tell_cause = tell_cause
        self._loop = asyncio.get_running_loop()
        self._execution: Execution | None = Execution(
            self._work(order),
            log=self.log,
            tells_content=keeps_content,
            when_over=lambda: when_over(self),
        )
        self.begun = False
        """Whether the program has been called."""
        self._ending = Ending()
        self._output_bytes = 0
        self._deadline = self._loop.call_later(self.timeout, self._time_out)
        self._leaving: asyncio.TimerHandle | None = None

    @property
    def run_id(self) -> str:
        """Its name, unique among those of its principal."""
        return self.key.run_id

    @property
    def about(self) -> Mapping[str, str]:
        """What lines of log from inside it are about."""
        return {
            "run_id": self.run_id,
            "program": self.program,
            "attempt": str(self.attempt),
            "principal": self.key.principal,
        }

    @property
    def over(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.log.closed

    @property
    def state(self) -> RunState:
        """Where it is in its life."""
        if not self.over:
            return RunState.RUNNING if self.begun else RunState.QUEUED

        if self.failure is None:
            return RunState.SUCCEEDED

        return RunState.CANCELLED if isinstance(self.failure, RunCancelled) else RunState.FAILED

    @property
    def failure(self) -> HeadraceError | None:
        """Why it failed or was cancelled, once it is over."""
        return self._outcome().failure if self.over else None

    @property
    def cause(self) -> str:
        """What its readers may be told of why it failed, beside the message; mostly nothing."""
        return self._outcome().cause if self.over else ""

    @property
    def result(self) -> PredictionEvent | None:
        """What it gave, once it has succeeded."""
        return self._outcome().result if self.over else None

    @property
    def usage(self) -> Usage:
        """LM work so far."""
        return self._outcome().usage

    @property
    def held_bytes(self) -> int:
        """Memory it takes up, about."""
        return self.log.held_bytes + self._output_bytes + RECORD_BYTES

    def begin(self, context: contextvars.Context) -> None:
        """Starts the program."""
        self.begun = True

        if self._execution is not None:
            self._execution.start(context)

    async def ended(self) -> None:
        """Waits until it is over."""
        if self._execution is not None:
            await self._execution.ended()

    def stop(self, error: HeadraceError) -> None:
        """Ends it because of `error`. The first reason stands; nothing happens once it is over."""
        if self._execution is not None:
            self._execution.stop(error)

    def abandon(self) -> None:
        """Ends it, once it was stopped, without waiting any longer for its program."""
        if self._execution is not None:
            self._execution.abandon()

    def join(self, after: int = 0) -> Cursor:
        """A reader comes: a place in the log, to be given to `leave`."""
        self.reader_count += 1
        self._stay()

        return self.log.cursor(after)

    def leave(self, cursor: Cursor, *, counts: bool = True) -> None:
        """A reader goes. With the last one the linger begins, unless the server made it go."""
        cursor.close()
        self.reader_count -= 1

        if counts and self.reader_count == 0 and not self.over:
            self._stay()

            if self.linger > 0:
                self._leaving = self._loop.call_later(self.linger, self._abandon)
            else:
                self._abandon()

    def settle(self) -> None:
        """Notes that it is over, and lets go of all that it needed to run."""
        self._stay()
        self._deadline.cancel()
        self.end_time = time.time()
        self.expire_time = self.end_time + self._limits.retention
        outcome = self._outcome()
        result = None if outcome.result is None else replace(outcome.result, value=None)
        self._ending = Ending(bare(outcome.failure), result, outcome.usage, outcome.cause)
        self._execution = None

    def discard(self) -> None:
        """Lets go of a run that was not taken in, and so never begins."""
        self.settle()
        self._ending = Ending(RunCancelled("caller"))
        self.log.close()

    def _outcome(self) -> Ending:
        execution = self._execution

        if execution is None:
            return self._ending

        failure = None if execution.result is not None else execution.error
        cause = self._tell_cause(failure) if failure is not None and self.over else ""

        return Ending(failure, execution.result, execution.usage, cause)

    def _work(self, order: StartRequest) -> Work:
        """What the program has to do, with outputs that will surely reach a reader."""
        work = order.program.work(order.inputs)

        def outputs_of(value: object) -> Mapping[str, object]:
            outputs = work.outputs_of(value)
            self._output_bytes = check_outputs(
                outputs,
                max_depth=self._limits.max_output_depth,
                max_bytes=self._limits.max_prediction_bytes,
            )

            return outputs

        return replace(work, outputs_of=outputs_of)

    def _stay(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def _abandon(self) -> None:
        self.stop(RunCancelled("linger"))

    def _time_out(self) -> None:
        self.stop(RunTimeout(self.timeout))

    def _overflow(self) -> None:
        error = RunTooLarge(f"the run recorded more than {self._limits.max_run_bytes} bytes")
        self._loop.call_soon_threadsafe(self.stop, error)
