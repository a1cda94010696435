"""Calls: every module, LM and tool call is opened here, and only here.

`open_call` gives the call its id, tells callbacks, and writes the START and the one END into the
log of the run it happens in. Outside a run the log is absent and everything else is the same.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from headrace.context.callbacks import BaseCallback, tell
from headrace.context.settings import settings
from headrace.errors import HeadraceError, ProgramError
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

    def update(self, *, failure: HeadraceError | None = None, lm: LmCall | None = None) -> None:
        """Records an UPDATE, such as an LM attempt that will be retried."""
        if lm is not None:
            self.lm = lm

        if (run := current_run()) is not None:
            run.emit(run.status(self, Phase.UPDATE, failure=failure))


class CallMessages(Protocol):
    """Gives the human text of a status; empty for silence. Must not raise."""

    def message(self, call: Call, phase: Phase) -> str:
        """The text for a call that starts or ended."""
        ...


@dataclass(slots=True, eq=False)
class RunScope:
    """The current run as the code inside it sees it: where events go, what things are called."""

    emit: Callable[[Event], None]
    """Appends to the run's log; safe from any thread."""
    loop: asyncio.AbstractEventLoop
    """Where the run's coroutines run."""
    addresses: Mapping[int, str]
    """Module path by id(module), for the modules of the program."""
    messages: CallMessages | None = None
    usage: Usage = field(default_factory=Usage)
    """Of the LM calls that have ended so far."""
    call_ids: Any = field(default_factory=lambda: itertools.count(1))
    streams: Callable[[str, str, bool], bool] = lambda predictor, field, typed: True
    """Whether text of (predictor address, field, typed) is to be recorded at all."""

    def status(
        self,
        call: Call,
        phase: Phase,
        *,
        outcome: Outcome | None = None,
        failure: HeadraceError | None = None,
    ) -> Status:
        """The status event of a call."""
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
            data=_data(call, phase),
            lm=call.lm,
        )


_run: ContextVar[RunScope | None] = ContextVar("headrace_run", default=None)
_call: ContextVar[Call | None] = ContextVar("headrace_call", default=None)
_ids_outside_runs = itertools.count(1)


def current_run() -> RunScope | None:
    """The run this code is part of, if any."""
    return _run.get()


def current_call() -> Call | None:
    """The innermost call this code is part of, if any."""
    return _call.get()


@contextmanager
def enter_run(scope: RunScope) -> Generator[None, None, None]:
    """Makes `scope` the current run inside a `with` block."""
    run_token, call_token = _run.set(scope), _call.set(None)

    try:
        yield
    finally:
        _run.reset(run_token)
        _call.reset(call_token)


@contextmanager
def open_call(
    kind: Kind, name: str, instance: Any, inputs: Mapping[str, Any]
) -> Generator[Call, None, None]:
    """Opens a call around a `with` block: START on entry, exactly one END on exit, however it ends."""
    run, parent = _run.get(), _call.get()
    call_id = next(run.call_ids if run else _ids_outside_runs)
    call = Call(call_id, parent.call_id if parent else 0, kind, name, instance, inputs)
    callbacks: list[BaseCallback] = [*settings.callbacks, *getattr(instance, "callbacks", ())]
    token = _call.set(call)
    noun = kind.name.lower()

    if callbacks:
        tell(callbacks, f"on_{noun}_start", call_id, instance, dict(inputs))

    if run:
        run.emit(run.status(call, Phase.START))

    error: BaseException | None = None

    try:
        yield call
    except BaseException as raised:
        error = raised
        raise
    finally:
        _call.reset(token)

        if callbacks:
            tell(callbacks, f"on_{noun}_end", call_id, call.outputs, error)

        if run:
            _end(run, call, error)


def _end(run: RunScope, call: Call, error: BaseException | None) -> None:
    if call.kind is Kind.LM and call.usage is not None:
        run.usage += call.usage

    run.emit(run.status(call, Phase.END, outcome=outcome_of(error), failure=failure_of(error)))


def outcome_of(error: BaseException | None) -> Outcome:
    """How a call ended that raised `error`."""
    if error is None:
        return Outcome.OK

    return Outcome.ERROR if isinstance(error, Exception) else Outcome.CANCELLED


def failure_of(error: BaseException | None) -> HeadraceError | None:
    """What a status may say of `error`: ours as it is, others as a ProgramError with a safe text."""
    if error is None or not isinstance(error, Exception):
        return None

    if isinstance(error, HeadraceError):
        return error

    failure = ProgramError(f"the program raised {type(error).__name__}")
    failure.__cause__ = error

    return failure


def _data(call: Call, phase: Phase) -> Mapping[str, object] | None:
    if phase is Phase.START:
        return call.inputs

    return {"outputs": call.outputs} if phase is Phase.END and call.outputs is not None else None
