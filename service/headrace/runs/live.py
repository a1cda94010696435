"""LiveRun: a run in the process where it lives, with its program, its deadline and its linger.

What the program writes goes to the store's outbox, and from there to the log, where readers see only
what the store has taken. So a run ends twice: the program is done, and then readers have it all.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from headrace.calls import Observer
from headrace.errors import (
    HeadraceError,
    RunCancelled,
    RunTimeout,
    RunTooLarge,
    ServerFault,
    bare,
)
from headrace.events import InputResolved, Usage
from headrace.execution import Execution, Outlet, Work
from headrace.log import Cursor
from headrace.log_context import contained
from headrace.questions import Desk, Reply
from headrace.runs.limits import Limits
from headrace.runs.record import Ending, RunRecord
from headrace.runs.run import Run
from headrace.runs.sanitize import with_content, without_content
from headrace.runs.stores.base import Intake, RunStore
from headrace.threads.background import running_loop
from headrace.values.limits import check_outputs

logger = logging.getLogger("headrace.runs")


class LiveRun(Run):
    """A run that this process is to begin, or has begun. Its registry settles it `when_over`."""

    def __init__(
        self,
        record: RunRecord,
        work: Work,
        store: RunStore,
        limits: Limits,
        *,
        keeps_content: bool = False,
        observers: Sequence[Observer] = (),
        tell_cause: Callable[[HeadraceError], str] = lambda failure: "",
        when_over: Callable[[LiveRun], object] = lambda run: None,
    ) -> None:
        self._limits = limits
        self._tell_cause = tell_cause
        self._loop = asyncio.get_running_loop()
        self._final: RunRecord | None = None
        self._lost: HeadraceError | None = None
        self._output_bytes = 0
        self._store = store
        self._outbox = store.outbox(
            record,
            Intake(
                prepare=with_content if keeps_content else without_content,
                max_bytes=limits.max_run_bytes,
                when_full=self._overflow,
                when_lost=self.lose,
            ),
        )
        super().__init__(record, self._outbox.log)
        self._execution: Execution | None = Execution(
            self._measured(work),
            Outlet(self.log, self._outbox.put, self._conclude),
            tells_content=keeps_content,
            observers=observers,
            desk=Desk(limits.max_open_inputs, limits.max_input_bytes, self._note_questions),
            max_custom_event_bytes=limits.max_custom_event_bytes,
            when_over=lambda: when_over(self),
        )
        self._deadline = self._loop.call_later(record.timeout, self._time_out)
        self._leaving: asyncio.TimerHandle | None = None
        self._is_left = False  # by its last reader

    @property
    def record(self) -> RunRecord:
        """See Run: with its end as soon as readers have all that came before."""
        return self._final if self._final is not None and self.log.closed else self._record

    @property
    def begun(self) -> bool:
        """True once the program has been called."""
        return self._record.begun

    @property
    def concluded(self) -> bool:
        """True once the program is done; readers may still be waiting for the store."""
        return self._final is not None

    @property
    def lost(self) -> bool:
        """True where its end is not in the store."""
        return self._lost is not None

    @property
    def usage(self) -> Usage:
        """LM work so far."""
        return self._execution.usage if self._execution is not None else super().usage

    @property
    def reask_count(self) -> int:
        """How often an answer that could not be read was asked for again so far."""
        return self._execution.reask_count if self._execution is not None else super().reask_count

    @property
    def full_failure(self) -> HeadraceError | None:
        """The failure with all that led to it, for the log; gone with `release`."""
        execution = self._execution

        if self._lost is not None or execution is None:
            return self._lost

        return None if execution.result is not None else execution.error

    async def ended(self) -> None:
        """See Run."""
        if self._execution is not None:
            await self._execution.ended()

        await super().ended()

    def begin(self, context: contextvars.Context) -> None:
        """Starts the program."""
        self._change(replace(self._record, begun=True))

        if self._execution is not None:
            self._execution.start(context)

    def stop(self, error: HeadraceError) -> None:
        """Ends it because of `error`. The first reason stands; nothing happens once it is over."""
        if self._execution is not None:
            self._execution.stop(error)

    def abandon(self) -> None:
        """Ends it, once it was stopped, without waiting any longer for its program."""
        if self._execution is not None:
            self._execution.abandon()

    def lose(self, error: HeadraceError) -> None:
        """Ends it, unless it is over, without its store: readers are told why as soon as it is done."""
        if self.log.closed or self._lost is not None:
            return

        self._lost = error

        if self._final is None:
            self.stop(error)
        else:
            self._final = self._ended(self._failed(bare(error)))
            self.log.close()

    def keep_for(self, linger: float) -> None:
        """See Run."""
        if self._final is None:
            self._change(replace(self._record, linger=linger))

    def join(self, after: int = 0) -> Cursor:
        """See Run."""
        self._is_left = False
        self._stay()

        return super().join(after)

    def leave(self, cursor: Cursor, *, counts: bool = True) -> None:
        """See Run. With the last one the linger begins, unless the server made it go."""
        super().leave(cursor)

        if counts and self.reader_count == 0:
            self._is_left = True
            self._linger()

    def release(self) -> None:
        """Lets go of all that it needed to run."""
        self._execution = None

    def _end_question(self, input_id: str, reply: Reply) -> tuple[InputResolved, bool]:
        """See Run. Here the program is told."""
        if self._execution is None:
            return super()._end_question(input_id, reply)

        return self._execution.questions.reply(input_id, reply)

    def _note_questions(self) -> None:
        """A question was asked or has ended, in any thread."""
        if running_loop() is self._loop:
            self._wait_or_go_on()
        else:
            self._loop.call_soon_threadsafe(self._wait_or_go_on)

    def _wait_or_go_on(self) -> None:
        """The run waits for people, and nobody need read it; or goes on, and its linger begins."""
        waits = self._execution is not None and self._execution.questions.any_open

        if self._final is None and waits != self._record.waiting:
            self._change(replace(self._record, waiting=waits))
            self._stay()
            self._linger()

    def _linger(self) -> None:
        """Begins the time that the run outlives its last reader, if that has left and nothing is asked."""
        if not self._is_left or self._record.waiting or self._final is not None:
            return

        self._stay()

        if self._record.linger > 0:
            self._leaving = self._loop.call_later(self._record.linger, self._abandon)
        else:
            self._abandon()

    def _conclude(self) -> None:
        """The program is done: hands the store the end. Readers are told once it has taken that."""
        self._stay()
        self._deadline.cancel()
        self._final = self._ended(self._ending_now())

        if self._lost is None:
            try:
                self._outbox.end(self._final)
            except Exception:
                logger.exception("handing over the end of a run failed")
                self.lose(ServerFault())
        else:
            self.log.close()

    def _ending_now(self) -> Ending:
        """The end as it may be kept; an error of ours in finding that out is its failure."""
        try:
            return self._told()
        except Exception:
            logger.exception("telling how a run ended failed")
            return self._failed(ServerFault())

    def _told(self) -> Ending:
        failure, execution = self.full_failure, self._execution
        result = execution.result if failure is None and execution is not None else None

        if result is not None:
            result = replace(result, value=None)

            return Ending(None, result, self.usage, "", self._output_bytes, self.reask_count)

        return self._failed(bare(failure), self._cause_of(failure))

    def _failed(self, failure: HeadraceError | None, cause: str = "") -> Ending:
        return Ending(failure, None, self.usage, cause, reask_count=self.reask_count)

    def _cause_of(self, failure: HeadraceError | None) -> str:
        cause = ""

        if failure is not None:
            with contained("telling the cause of a failure"):
                cause = self._tell_cause(failure)

        return cause

    def _ended(self, ending: Ending) -> RunRecord:
        now = time.time()

        return replace(
            self._record,
            waiting=False,
            ending=ending,
            end_time=now,
            expire_time=now + self._limits.retention,
        )

    def _change(self, record: RunRecord) -> None:
        self._record = record

        with contained("updating a run"):
            self._store.update(record)

    def _measured(self, work: Work) -> Work:
        """The work, with outputs that will surely reach a reader."""

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
        self.stop(RunTimeout(self._record.timeout))

    def _overflow(self) -> None:
        error = RunTooLarge(f"the run recorded more than {self._limits.max_run_bytes} bytes")

        if (execution := self._execution) is not None:
            execution.refuse_more(error)

        self._loop.call_soon_threadsafe(self.stop, error)
