"""Call: one piece of work inside a run or outside of any, and what its observers are told of it.

A call is a run, a module, an LM, a tool, or one step of an adapter. It begins, may move, and ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias, cast

from headrace.errors import HeadraceError, ProgramError, RunCancelled
from headrace.events import Kind, LmCall, Outcome, ToolCall, Usage


@dataclass(slots=True, eq=False)
class Call:
    """One call. Whoever opened it fills in what is known at its end."""

    call_id: int
    """Unique in its run; a step of an adapter has that of the call it belongs to."""
    parent: Call | None
    """The call around it; None for a run, and for the outermost outside of runs."""
    kind: Kind
    name: str
    """Of the program, module path, model, tool, or step ("format", "parse")."""
    instance: Any
    inputs: Mapping[str, Any]
    lm: LmCall | None = None
    caller_context: Mapping[str, str] = field(default_factory=dict[str, str])
    """On a run's own call: what its caller sent along for traces, such as `traceparent`."""
    observers: Sequence[Observer] = ()
    """Told of this call, the first to be told of its begin last of its end."""
    outputs: Any = None
    usage: Usage | None = None
    message: str = ""
    """The text of its latest status: of its begin, then of its end."""
    provider_call_id: str = ""
    """Of a tool call that a model asked for by its provider's own tool calls."""
    tool: ToolCall | None = None
    """Of a tool call, where content is told: what its latest status tells."""
    started: float = field(default_factory=time.monotonic)
    task: asyncio.Task[Any] | None = None
    """The task it runs in, where it is one of the run's loop."""

    @property
    def parent_call_id(self) -> int:
        """Of the call around it; 0 where there is none."""
        return self.parent.call_id if self.parent is not None else 0

    @property
    def root(self) -> Call:
        """The outermost call around it: in a run, the run's own."""
        call = self

        while call.parent is not None:
            call = call.parent

        return call

    def update(self, *, failure: HeadraceError | None = None, lm: LmCall | None = None) -> None:
        """Tells that it moved, such as after an LM attempt that will be followed by another."""
        if lm is not None:
            self.lm = lm

        for observer in self.observers:
            observer.update(self, failure)


class CallEnd(NamedTuple):
    """The end of a call: its outcome, and the error it ended with."""

    outcome: Outcome
    failure: HeadraceError | None
    """The error as it may be told; None unless the outcome is ERROR."""
    error: BaseException | None
    """The exception as it was raised."""
    elapsed: float
    """Seconds since the call began."""

    @classmethod
    def of(cls, call: Call, error: BaseException | None) -> CallEnd:
        """The end of a call that raised `error`, or nothing."""
        outcome = outcome_of(error)
        failure = failure_of(error) if error and outcome is Outcome.ERROR else None

        return cls(outcome, failure, error, time.monotonic() - call.started)


Leave: TypeAlias = Callable[[], object]
"""Undoes what `begin` has set in the context of a call's body."""


class Observer(Protocol):
    """Told of calls: each begins first, may move, and ends once.

    Those of a run are told under the run's lock, so that each sees things in the order in which they
    happen, from whatever thread. They must neither block nor call what users wrote. Calls are told
    apart by identity; `call.root` is the same for all calls of a run.
    """

    def begin(self, call: Call) -> Leave | None:
        """A call begins. Called in the context of its body.

        Context variables that are set here are seen by the body, in the tasks and threads that it
        starts too. What is returned is called when the body is left, in the same context.
        """
        ...

    def update(self, call: Call, failure: HeadraceError | None) -> None:
        """A call moved. failure: of an LM attempt that will be followed by another."""
        ...

    def end(self, call: Call, end: CallEnd) -> None:
        """A call ended. One that a program left behind is ended with the run, from another context."""
        ...


def outcome_of(error: BaseException | None) -> Outcome:
    """The outcome of a call that raised `error`, or nothing."""
    if error is None:
        return Outcome.OK

    if isinstance(error, RunCancelled) or not isinstance(error, Exception):
        return Outcome.CANCELLED

    return Outcome.ERROR


def failure_of(error: BaseException) -> HeadraceError:
    """An error as it may be told: ours as it is, others as a ProgramError with a safe text.

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
    """True if it has what clients are told; a program's own class may never have called ours."""
    return {"message", "metadata"} <= vars(error).keys()


innermost_call: ContextVar[Call | None] = ContextVar("headrace_call", default=None)
"""Set by `open_call` and `enter_run` only."""


def current_call() -> Call | None:
    """The innermost call this code is part of, if any."""
    return innermost_call.get()
