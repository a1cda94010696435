"""RunScope: the current run as the code inside it sees it.

It writes statuses and tokens into the run's log, and knows at any time what has started and not
ended, so that at the end of the run everything that started ends once (law 8).
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Container, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from headrace.calls.field_writer import FieldWriter
from headrace.errors import HeadraceError, ProgramError, RunCancelled
from headrace.events import Event, Kind, LmCall, Outcome, Phase, Status, Usage


@dataclass(slots=True, eq=False)
class Call:
    """One open call. Whoever opened it fills in what is known at its end."""

    call_id: int
    parent_call_id: int
    kind: Kind
    name: str
    instance: Any
    inputs: Mapping[str, Any]
    outputs: Any = None
    usage: Usage | None = None
    lm: LmCall | None = None
    started: float = field(default_factory=time.monotonic)
    task: asyncio.Task[Any] | None = None
    """The task it runs in, where it is one of the run's loop."""

    def update(self, *, failure: HeadraceError | None = None, lm: LmCall | None = None) -> None:
        """Records an UPDATE in the current run, such as an LM attempt that will be retried."""
        if lm is not None:
            self.lm = lm

        if (run := current_run()) is not None:
            run.update(self, failure)


class CallMessages(Protocol):
    """Gives the human text of a status; empty for silence. Must not raise."""

    def message(self, call: Call, phase: Phase) -> str:
        """The text for a call that starts or ended."""
        ...


@dataclass(slots=True, eq=False)
class RunScope:
    """Where the events of one run go, what its modules are called, and what is open in it."""

    emit: Callable[[Event], object]
    """Appends to the run's log; safe from any thread."""
    addresses: Mapping[int, str] = field(default_factory=dict[int, str])
    """Module path by id(module)."""
    messages: CallMessages | None = None
    joins_text: bool = False
    """Whether text that comes at the same moment may be recorded as one event."""
    tells_content: bool = True
    """Whether statuses carry the inputs and outputs of calls."""
    usage: Usage = field(default_factory=Usage)
    """Of the LM calls that have ended so far."""
    call_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _calls: dict[int, Call] = field(default_factory=dict[int, Call])
    _writers: dict[int, FieldWriter] = field(default_factory=dict[int, FieldWriter])
    _over: bool = False
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def begin(self, call: Call) -> None:
        """Records the START of a call. Raises CancelledError once the program has ended."""
        call.task = _task_here()
        status = self._status(call, Phase.START)

        with self._lock:
            if self._over:
                raise asyncio.CancelledError("the run is over")

            self._calls[call.call_id] = call
            self.emit(status)

    def update(self, call: Call, failure: HeadraceError | None = None) -> None:
        """Records that an open call moved."""
        status = self._status(call, Phase.UPDATE, failure=failure)

        with self._lock:
            if call.call_id in self._calls:
                self.emit(status)

    def end(self, call: Call, error: BaseException | None) -> None:
        """Records the END of a call, unless it has ended."""
        if call.call_id not in self._calls:
            return

        outcome, failure = outcome_of(error), failure_of(error)
        status = self._status(call, Phase.END, outcome=outcome, failure=failure)

        with self._lock:
            if self._calls.pop(call.call_id, None) is None:
                return

            if call.kind is Kind.LM and call.usage is not None:
                self.usage += call.usage

            self.emit(status)

    @contextmanager
    def fields(
        self, predictor: str, call_id: int, typed: Container[str]
    ) -> Generator[FieldWriter, None, None]:
        """Writes the output fields of one predictor call; those still open at the end are ended."""
        writer = FieldWriter(self.emit, predictor, call_id, typed)

        with self._lock:
            self._writers[call_id] = writer

            if self._over:
                writer.close()

        try:
            yield writer
        finally:
            self._writers.pop(call_id, None)
            writer.close()

    def end_left_behind(self) -> None:
        """Ends what tasks and threads the program left behind still have open, newest first.

        Their tasks are cancelled, so that nobody goes on asking providers for a run that is over, and
        they can begin nothing more.
        """
        with self._lock:
            self._over = True
            calls, writers = [*self._calls.values()], [*self._writers.values()]

        for writer in writers:
            writer.close()

        for call in sorted(calls, key=lambda call: -call.call_id):
            if call.parent_call_id:
                self.end(call, asyncio.CancelledError())
                _cancel(call.task)

    def close(self, error: BaseException | None) -> None:
        """Ends all that is open; the run itself as `error` says, unless it has ended."""
        self.end_left_behind()

        for call in [*self._calls.values()]:
            self.end(call, error)

    def _status(
        self,
        call: Call,
        phase: Phase,
        *,
        outcome: Outcome | None = None,
        failure: HeadraceError | None = None,
    ) -> Status:
        ended = phase is Phase.END

        return Status(
            call.kind,
            phase,
            call.call_id,
            call.parent_call_id,
            call.name,
            message=self.messages.message(call, phase) if self.messages else "",
            outcome=outcome,
            elapsed=time.monotonic() - call.started if ended else 0.0,
            usage=call.usage if ended else None,
            failure=failure,
            data=_data(call, phase) if self.tells_content else None,
            lm=call.lm,
        )


def _task_here() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return None


def _cancel(task: asyncio.Task[Any] | None) -> None:
    """Cancels a task from whatever thread, unless it is the one that runs here."""
    if task is not None and task is not _task_here():
        with suppress(RuntimeError):  # its loop is closed
            task.get_loop().call_soon_threadsafe(task.cancel)


def outcome_of(error: BaseException | None) -> Outcome:
    """How a call ended that raised `error`."""
    if error is None:
        return Outcome.OK

    if isinstance(error, RunCancelled) or not isinstance(error, Exception):
        return Outcome.CANCELLED

    return Outcome.ERROR


def failure_of(error: BaseException | None) -> HeadraceError | None:
    """What a status may say of `error`; None where it is no failure."""
    return told_of(error) if error and outcome_of(error) is Outcome.ERROR else None


def told_of(error: BaseException) -> HeadraceError:
    """What may be told of an error: ours as it is, others as a ProgramError with a safe text.

    Of a group, its first error counts.
    """
    while isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        error = group.exceptions[0]

    if isinstance(error, HeadraceError) and _is_whole(error):
        return error

    failure = ProgramError(f"the program raised {type(error).__name__}")
    failure.__cause__ = error

    return failure


def _is_whole(error: HeadraceError) -> bool:
    """Whether it has what clients are told; a program's own class may never have called ours."""
    return {"message", "metadata"} <= vars(error).keys()


def _data(call: Call, phase: Phase) -> Mapping[str, object] | None:
    if phase is Phase.START:
        return call.inputs

    return {"outputs": call.outputs} if phase is Phase.END and call.outputs is not None else None


_run: ContextVar[RunScope | None] = ContextVar("headrace_run", default=None)
call_here: ContextVar[Call | None] = ContextVar("headrace_call", default=None)
"""The innermost call; set by `open_call` only."""


def current_run() -> RunScope | None:
    """The run this code is part of, if any."""
    return _run.get()


def current_call() -> Call | None:
    """The innermost call this code is part of, if any."""
    return call_here.get()


@contextmanager
def enter_run(scope: RunScope) -> Generator[None, None, None]:
    """Makes `scope` the current run inside a `with` block, in which no call is open yet."""
    run, call = _run.set(scope), call_here.set(None)

    try:
        yield
    finally:
        call_here.reset(call)
        _run.reset(run)
