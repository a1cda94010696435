"""RunScope: the current run as the code inside it sees it; and `open_call`, which opens every call.

A run knows at any time what has started in it and not ended, so that at its end everything that
started ends once (law 8). Outside a run nothing is recorded, and everything else is the same.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Container, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from headrace.calls.answers import Answers
from headrace.calls.call import (
    Call,
    CallEnd,
    Leave,
    Observer,
    current_call,
    innermost_call,
)
from headrace.calls.field_writer import FieldWriter
from headrace.calls.observers import Observers, UsageTotal, observers_here
from headrace.calls.statuses import Statuses, StatusMessages, tool_content
from headrace.errors import HeadraceError, RunTooLarge
from headrace.events import CustomEvent, Event, Kind, LmCall, Phase, Usage
from headrace.questions import Desk, Questions

MAX_CUSTOM_EVENT_BYTES = 65_536
"""Of what is told in one event, as JSON, unless a server says otherwise."""


class RunScope:
    """One run to the code inside it: takes its events, names its modules, knows its open calls.

    emit: appends to the run's log; safe from any thread. addresses: module path by id(module).
    joins_text: text that comes at the same moment may be recorded as one event. tells_content:
    statuses carry the inputs and outputs of calls. observers: told of its calls, besides statuses and
    usage. last_call_id, usage, reask_count: of an earlier attempt, which this one goes on from. desk:
    where people answer its questions. max_custom_event_bytes: of what the code inside tells in one
    event, as JSON.
    """

    def __init__(
        self,
        emit: Callable[[Event], object],
        addresses: Mapping[int, str] | None = None,
        messages: StatusMessages | None = None,
        *,
        joins_text: bool = False,
        tells_content: bool = True,
        observers: Sequence[Observer] = (),
        last_call_id: int = 0,
        usage: Usage | None = None,
        reask_count: int = 0,
        desk: Desk | None = None,
        max_custom_event_bytes: int = MAX_CUSTOM_EVENT_BYTES,
    ) -> None:
        self.emit = emit
        self.questions = Questions(emit, desk)
        self.max_custom_event_bytes = max_custom_event_bytes
        self.addresses = addresses or {}
        self.joins_text = joins_text
        self.call_ids = itertools.count(last_call_id + 1)
        self.answers = Answers(reask_count)
        """What became of the answers of its LM calls."""
        self._messages = messages
        self._tells_content = tells_content
        self._total = UsageTotal(usage)
        self._observers = Observers([Statuses(emit, tells_content), self._total, *observers])
        self._open: dict[Call, None] = {}  # in the order of their beginning
        self._writers: dict[int, FieldWriter] = {}
        self._over = False
        self._too_large = ""
        self._lock = threading.RLock()

    @property
    def usage(self) -> Usage:
        """Of the LM calls that have ended so far, earlier attempts included."""
        return self._total.usage

    def begin(self, call: Call) -> Leave | None:
        """A call begins. Raises CancelledError once the program has ended."""
        call.task = _task_here()
        self._say(call, Phase.START)

        with self._lock:
            if self._over:
                raise asyncio.CancelledError("the run is over")

            self._open[call] = None

            return self._observers.begin(call)

    def update(self, call: Call, failure: HeadraceError | None = None) -> None:
        """An open call moved."""
        with self._lock:
            if call in self._open:
                self._observers.update(call, failure)

    def end(self, call: Call, end: CallEnd) -> None:
        """A call ends, unless it has ended."""
        if call not in self._open:
            return

        self._say(call, Phase.END, end)

        with self._lock:
            if call in self._open:
                del self._open[call]
                self._observers.end(call, end)

    def refuse_more(self, why: str) -> None:
        """The run has recorded too much: what its code goes on to tell is not taken any more.

        It is being stopped as well, but code that waits for nothing, or in a thread, does not notice that.
        """
        self._too_large = why

    def tell(self, name: str, data_json: str) -> None:
        """Records what the code here tells, of its innermost call that is open; dropped once over.

        Raises RunTooLarge where the run has recorded too much.
        """
        call = current_call()

        with self._lock:
            if self._over:
                return

            if self._too_large:
                raise RunTooLarge(self._too_large)

            while call is not None and call not in self._open:  # a task that its call left behind
                call = call.parent

            self.emit(CustomEvent(name, call.call_id if call else 0, data_json))

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
        they can begin nothing more. Their questions are withdrawn before the calls end that wait for them.
        """
        self.questions.close()

        with self._lock:
            self._over = True
            calls, writers = [*self._open], [*self._writers.values()]

        for writer in writers:
            writer.close()

        for call in reversed(calls):
            if call.parent is not None:
                self.end(call, CallEnd.of(call, asyncio.CancelledError()))
                _cancel(call.task)

    def close(self, error: BaseException | None) -> None:
        """Ends all that is open; the run itself as `error` says, unless it has ended."""
        self.end_left_behind()

        for call in [*self._open]:
            self.end(call, CallEnd.of(call, error))

    def _say(self, call: Call, phase: Phase, end: CallEnd | None = None) -> None:
        """Settles what a status says of a call where users' code has a part in it: no lock is held for that."""
        if self._messages is not None:
            call.message = self._messages.message(call, phase)

        if self._tells_content and call.kind is Kind.TOOL:
            call.tool = tool_content(call, end)


_run: ContextVar[RunScope | None] = ContextVar("headrace_run", default=None)
_ids_outside_runs = itertools.count(1)


def current_run() -> RunScope | None:
    """The run this code is part of, if any."""
    return _run.get()


@contextmanager
def enter_run(scope: RunScope) -> Generator[None, None, None]:
    """Makes `scope` the current run inside a `with` block, in which no call is open yet."""
    run, call = _run.set(scope), innermost_call.set(None)

    try:
        yield
    finally:
        innermost_call.reset(call)
        _run.reset(run)


class open_call:
    """Opens a call around a `with` block: its observers are told of its begin and its end.

    Entering raises CancelledError in a run whose program has ended.
    """

    __slots__ = ("_call", "_leaves", "_token")

    def __init__(
        self,
        kind: Kind,
        name: str,
        instance: Any,
        inputs: Mapping[str, Any],
        lm: LmCall | None = None,
        caller_context: Mapping[str, str] | None = None,
        provider_call_id: str = "",
    ) -> None:
        run, parent = current_run(), current_call()
        observers = observers_here(kind, instance, run)

        if kind is Kind.ADAPTER:
            call_id = parent.call_id if parent else 0
        else:
            call_id = next(run.call_ids if run else _ids_outside_runs)

        self._call = Call(
            call_id, parent, kind, name, instance, inputs, lm, caller_context or {}, observers
        )
        self._call.provider_call_id = provider_call_id
        self._leaves: list[Leave] = []

    def __enter__(self) -> Call:
        call = self._call
        self._token = innermost_call.set(call)

        try:
            for observer in call.observers:
                if (leave := observer.begin(call)) is not None:
                    self._leaves.append(leave)
        except BaseException:
            self._leave()
            raise

        return call

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            end = CallEnd.of(self._call, error)

            for observer in reversed(self._call.observers):
                observer.end(self._call, end)
        finally:
            self._leave()

    def _leave(self) -> None:
        for leave in reversed(self._leaves):
            leave()

        innermost_call.reset(self._token)


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
