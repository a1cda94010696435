"""Execution: one program, called once, in a task of its own that writes a log.

The log begins with the START of the run and ends, when the program succeeds, with its prediction. Who
reads the log, and whether anyone does, is of no concern here (law 1). Between a program and the log
there may be a store that takes each event first: an execution knows its outlet, and is over when the
outlet has been given all; readers may then still be waiting for it.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from headrace.calls import (
    MAX_CUSTOM_EVENT_BYTES,
    Observer,
    RunScope,
    StatusMessages,
    enter_run,
    failure_of,
    open_call,
)
from headrace.errors import HeadraceError, ProgramError, RunCancelled, RunTimeout, ServerFault
from headrace.events import Event, Kind, PredictionEvent, Usage
from headrace.log import RunLog
from headrace.log_context import contained
from headrace.questions import Desk, Questions
from headrace.threads import portal

logger = logging.getLogger("headrace.runs")

GRACE = portal.GRACE + 1.0
"""Seconds a cancelled program gets to unwind before its run is closed without it.

A second more than its sync code gets, whose thread is left behind in good order first.
"""


def no_outputs(value: object) -> Mapping[str, object]:
    """For runs in process: the value itself is all that is wanted."""
    return {}


@dataclass(slots=True, eq=False)
class Work:
    """A program to run, with its inputs."""

    call: Callable[[], Awaitable[object]]
    """Calls the program with its inputs."""
    name: str = ""
    """Of the program, in the run's own statuses."""
    instance: object = None
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    addresses: Mapping[int, str] = field(default_factory=dict[int, str])
    """Module path by id(module)."""
    messages: StatusMessages | None = None
    outputs_of: Callable[[object], Mapping[str, object]] = no_outputs
    """JSON-safe outputs of what the program returned; raises a RunError where there are none."""
    caller_context: Mapping[str, str] = field(default_factory=dict[str, str])
    """Sent along by the caller for traces, such as `traceparent`."""


@dataclass(slots=True, eq=False)
class Outlet:
    """The way of a run's events into its log, in order."""

    log: RunLog
    """The log that readers read: events are in it once they have been taken."""
    put: Callable[[Event], object]
    """Takes an event, from any thread. It is called for every token."""
    end: Callable[[], object]
    """Called once, after the last event."""


def own_log() -> Outlet:
    """The outlet of a run in process: its own log takes every event at once."""
    log = RunLog()

    return Outlet(log, log.append, log.close)


class Execution:
    """A run in progress. `start` it on the loop it shall live on.

    tells_content: whether its statuses carry the inputs and outputs of calls.
    observers: told of its calls, besides statuses and usage.
    last_call_id, usage, reask_count: where an earlier attempt at the same run stopped; they go on from
    there.
    desk: where people answer its questions; None = nobody does, but a stand-in in tests.
    max_custom_event_bytes: of what the program tells in one event, as JSON.
    when_over: called once, after the outlet's `end`.
    """

    def __init__(
        self,
        work: Work,
        outlet: Outlet | None = None,
        *,
        timeout: float | None = None,
        tells_content: bool = True,
        observers: Sequence[Observer] = (),
        last_call_id: int = 0,
        usage: Usage | None = None,
        reask_count: int = 0,
        desk: Desk | None = None,
        max_custom_event_bytes: int = MAX_CUSTOM_EVENT_BYTES,
        when_over: Callable[[], object] = lambda: None,
    ) -> None:
        self._outlet = outlet or own_log()
        self.over = False
        """Nothing more will be recorded; whether readers have all of it is the log's to say."""
        self.timeout = timeout
        """Seconds the program may take; None = no limit."""
        self.error: HeadraceError | None = None
        """Why it failed or was cancelled; a program's own exception is its `__cause__`."""
        self.result: PredictionEvent | None = None
        self._work = work
        self._when_over = when_over
        self._scope = RunScope(
            self._outlet.put,
            work.addresses,
            work.messages,
            joins_text=self.log.merges,
            tells_content=tells_content,
            observers=observers,
            last_call_id=last_call_id,
            usage=usage,
            reask_count=reask_count,
            desk=desk,
            max_custom_event_bytes=max_custom_event_bytes,
        )
        self._task: asyncio.Task[None] | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._ended: asyncio.Event = asyncio.Event()
        self._started = time.monotonic()

    @property
    def log(self) -> RunLog:
        """The log that its readers read."""
        return self._outlet.log

    @property
    def usage(self) -> Usage:
        """Of the LM calls that have ended so far, earlier attempts included."""
        return self._scope.usage

    @property
    def questions(self) -> Questions:
        """The questions that it asks people."""
        return self._scope.questions

    @property
    def reask_count(self) -> int:
        """How often an answer that could not be read was asked for again so far."""
        return self._scope.answers.reask_count

    def start(self, context: contextvars.Context | None = None) -> None:
        """Begins the run in a task of the running loop, in `context` or a copy of the current one."""
        loop = asyncio.get_running_loop()
        self._started = time.monotonic()
        self._task = loop.create_task(self._run(), context=context)
        self._task.add_done_callback(self._done)

        if self.timeout is not None:
            self._timers.append(loop.call_later(self.timeout, self.stop, RunTimeout(self.timeout)))

    def cancel(self, by: str, detail: str = "") -> None:
        """Stops the program at once, on someone's behalf."""
        self.stop(RunCancelled(by, detail))

    def stop(self, error: HeadraceError) -> None:
        """Stops the program at once, for a reason outside it. The first reason stands."""
        if self.over or self.error is not None:
            return

        self.error = error

        if self._task is None:  # it never began
            self._close()
            return

        self._task.cancel()
        self._timers.append(self._task.get_loop().call_later(GRACE, self.abandon))

    def refuse_more(self, error: HeadraceError) -> None:
        """Takes nothing more that the program tells, from any thread; `stop` it as well."""
        self._scope.refuse_more(error.message)

    async def ended(self) -> None:
        """Waits until the run is over."""
        await self._ended.wait()

    def abandon(self) -> None:
        """Closes the run without a program that did not stop when it was told to."""
        if not self.over:
            logger.warning("a program did not stop when its run was stopped")
            self._close()

    async def _run(self) -> None:
        try:
            with enter_run(self._scope):
                self.result = await self._call_program()
        except (asyncio.CancelledError, GeneratorExit):
            self.error = self.error or RunCancelled("caller")
        except BaseException as error:  # noqa: BLE001 - the run's error, whatever the program raised
            self.error = self.error or failure_of(error)

            with contained("noting a program's other errors"):
                _note_others(error)

    async def _call_program(self) -> PredictionEvent:
        work = self._work

        opened = open_call(
            Kind.RUN,
            work.name,
            work.instance,
            work.inputs,
            caller_context=work.caller_context,
        )

        with opened:
            try:
                value = await self._value()
                outputs = work.outputs_of(value)
            finally:
                self._scope.end_left_behind()

        elapsed = time.monotonic() - self._started
        cut_fields = self._scope.answers.cut_fields

        return PredictionEvent(value, outputs, self.usage, elapsed, cut_fields, self.reask_count)

    async def _value(self) -> object:
        """The program's return value. Raises the reason it was stopped for, even if it swallowed that."""
        try:
            value = await self._work.call()
        except asyncio.CancelledError:
            raise self.error or ProgramError("the program was cancelled from inside") from None

        if self.error is not None:
            raise self.error

        return value

    def _done(self, task: asyncio.Task[None]) -> None:
        if self.result is None and self.error is None:  # cancelled before its first step
            self.error = RunCancelled("caller")

        self._close()

    def _close(self) -> None:
        """Ends the run, whatever goes wrong in that: its readers, its place and a drain wait for it."""
        if self.over:
            return

        for timer in self._timers:
            timer.cancel()

        with contained("ending what a run had open"):
            self._scope.close(self.error)

        if self.result is not None:
            self._record(self.result)

        self.over = True

        with contained("closing a run's log"):
            self._outlet.end()

        self._ended.set()

        with contained("taking leave of a run"):
            self._when_over()

    def _record(self, result: PredictionEvent) -> None:
        recorded = False

        with contained("recording a result"):
            self._outlet.put(result)
            recorded = True

        if not recorded:
            self.result, self.error = None, ServerFault()


def _note_others(error: BaseException) -> None:
    """Writes what else a group holds on its first error, which stands for it."""
    first, *others = _leaves(error)

    for other in others:
        first.add_note(f"also raised: {type(other).__name__}: {other}")


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]

    group = cast("BaseExceptionGroup[BaseException]", error)

    return [leaf for one in group.exceptions for leaf in _leaves(one)]
