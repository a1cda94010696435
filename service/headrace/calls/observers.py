"""Observers of calls, but for statuses: users' callbacks, LM usage, and several observers as one."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from headrace.callbacks import BaseCallback
from headrace.calls.call import Call, CallEnd, Leave, Observer
from headrace.errors import HeadraceError
from headrace.events import Kind, Usage
from headrace.settings import settings

T = TypeVar("T")

logger = logging.getLogger("headrace.calls")
callbacks_logger = logging.getLogger("headrace.callbacks")


class Observers:
    """Several observers as one, of one run. One that raises breaks nothing, and is logged once."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = tuple(observers)
        self._faulty: set[int] = set()

    def begin(self, call: Call) -> Leave | None:
        """See Observer.begin."""
        leaves: list[Leave] = [
            functools.partial(self._tell, observer, leave)
            for observer in self._observers
            if (leave := self._tell(observer, observer.begin, call)) is not None
        ]

        return functools.partial(_leave, leaves) if leaves else None

    def update(self, call: Call, failure: HeadraceError | None) -> None:
        """See Observer.update."""
        for observer in self._observers:
            self._tell(observer, observer.update, call, failure)

    def end(self, call: Call, end: CallEnd) -> None:
        """See Observer.end."""
        for observer in reversed(self._observers):
            self._tell(observer, observer.end, call, end)

    def _tell(self, observer: Observer, step: Callable[..., T], *facts: object) -> T | None:
        try:
            return step(*facts)
        except Exception:
            if id(observer) not in self._faulty:
                self._faulty.add(id(observer))
                logger.exception("observer %s raised", type(observer).__name__)

            return None


def _leave(leaves: Sequence[Leave]) -> None:
    for leave in reversed(leaves):
        leave()


class Callbacks:
    """Tells users' callbacks. Whatever one raises is logged, each time."""

    def __init__(self, callbacks: Sequence[BaseCallback]) -> None:
        self._callbacks = callbacks

    def begin(self, call: Call) -> None:
        """See Observer.begin."""
        self._tell(call, "start", call.instance, dict(call.inputs))

    def update(self, call: Call, failure: HeadraceError | None) -> None:
        """Callbacks are not told of this."""

    def end(self, call: Call, end: CallEnd) -> None:
        """See Observer.end."""
        self._tell(call, "end", call.outputs, end.error)

    def _tell(self, call: Call, phase: str, *facts: Any) -> None:
        kind = call.kind.name.lower()
        step = f"_{call.name}" if call.kind is Kind.ADAPTER else ""
        hook = f"on_{kind}{step}_{phase}"

        for callback in self._callbacks:
            try:
                getattr(callback, hook)(call.call_id, *facts)
            except Exception:
                name = type(callback).__name__
                callbacks_logger.warning("callback %s.%s raised", name, hook, exc_info=True)


class UsageTotal:
    """Adds up the usage of the LM calls that end: of a run, or of a `track_usage` block."""

    def __init__(self, usage: Usage | None = None) -> None:
        self.usage = usage or Usage()
        self._lock = threading.Lock()

    def begin(self, call: Call) -> None:
        """Nothing is used yet."""

    def update(self, call: Call, failure: HeadraceError | None) -> None:
        """The usage at the end has that of failed attempts in it."""

    def end(self, call: Call, end: CallEnd) -> None:
        """See Observer.end."""
        if call.kind is Kind.LM and call.usage is not None:
            with self._lock:
                self.usage += call.usage

    def by_model(self) -> dict[str, dict[str, Any]]:
        """As predictions carry it: token counts per model, under the names of OpenAI's API."""
        return {
            model: {
                "prompt_tokens": usage.input_tokens,
                "completion_tokens": usage.output_tokens,
                "total_tokens": usage.input_tokens + usage.output_tokens,
            }
            for model, usage in self.usage.models.items()
        }


_tracker: ContextVar[UsageTotal | None] = ContextVar("headrace_usage_tracker", default=None)


@contextmanager
def track_usage() -> Generator[UsageTotal | None, None, None]:
    """Adds up LM usage inside a `with` block, where the setting `track_usage` is on.

    Gives None where it is off, and inside another such block, which counts the same calls.
    """
    if not settings.track_usage or _tracker.get() is not None:
        yield None
        return

    total = UsageTotal()
    token = _tracker.set(total)

    try:
        yield total
    finally:
        _tracker.reset(token)


def observers_here(kind: Kind, instance: Any, run: Observer | None) -> list[Observer]:
    """All that are to be told of a call opened here: its run, users' callbacks, and who counts."""
    observers: list[Observer] = [] if run is None else [run]

    if kind is Kind.RUN:
        return observers

    if callbacks := [*settings.callbacks, *getattr(instance, "callbacks", ())]:
        observers.append(Callbacks(callbacks))

    if (total := _tracker.get()) is not None:
        observers.append(total)

    return observers
