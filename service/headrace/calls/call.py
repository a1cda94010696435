"""Calls: every run, module, LM and tool call is opened here, and only here.

`open_call` gives the call its id, tells callbacks, and has the current run record its START and its
one END. Outside a run nothing is recorded and everything else is the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from headrace.calls.callbacks import BaseCallback, tell
from headrace.calls.scope import Call, call_here, current_call, current_run
from headrace.events import Kind, LmCall, Usage
from headrace.settings import settings

__all__ = ["Call", "open_call", "track_usage"]

_ids_outside_runs = itertools.count(1)


class open_call:
    """Opens a call around a `with` block: START on entry, one END on exit, however it ends.

    Entering raises CancelledError in a run whose program has ended.
    """

    __slots__ = ("_call", "_callbacks", "_run", "_token")

    def __init__(
        self,
        kind: Kind,
        name: str,
        instance: Any,
        inputs: Mapping[str, Any],
        lm: LmCall | None = None,
    ) -> None:
        self._run, parent = current_run(), current_call()
        call_id = next(self._run.call_ids if self._run else _ids_outside_runs)
        parent_id = parent.call_id if parent else 0
        self._call = Call(call_id, parent_id, kind, name, instance, inputs, lm=lm)
        self._callbacks = _callbacks(kind, instance)

    def __enter__(self) -> Call:
        call = self._call
        self._token = call_here.set(call)

        try:
            if self._run:
                self._run.begin(call)

            if self._callbacks:
                self._tell("start", call.instance, dict(call.inputs))
        except BaseException:
            call_here.reset(self._token)
            raise

        return call

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            _track(self._call)

            if self._callbacks:
                self._tell("end", self._call.outputs, error)

            if self._run:
                self._run.end(self._call, error)
        finally:
            call_here.reset(self._token)

    def _tell(self, phase: str, *facts: Any) -> None:
        call = self._call
        tell(self._callbacks, f"on_{call.kind.name.lower()}_{phase}", call.call_id, *facts)


def _callbacks(kind: Kind, instance: Any) -> list[BaseCallback]:
    if kind is Kind.RUN:
        return []

    return [*settings.callbacks, *getattr(instance, "callbacks", ())]


@dataclass(slots=True)
class UsageTracker:
    """Adds up the LM usage of what is called inside a `track_usage` block."""

    usage: Usage = field(default_factory=Usage)

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


_tracker: ContextVar[UsageTracker | None] = ContextVar("headrace_usage_tracker", default=None)


@contextmanager
def track_usage() -> Generator[UsageTracker | None, None, None]:
    """Adds up LM usage inside a `with` block, where the setting `track_usage` is on.

    Gives None where it is off, and inside another such block, which counts the same calls.
    """
    if not settings.track_usage or _tracker.get() is not None:
        yield None
        return

    tracker = UsageTracker()
    token = _tracker.set(tracker)

    try:
        yield tracker
    finally:
        _tracker.reset(token)


def _track(call: Call) -> None:
    tracker = _tracker.get()

    if tracker is not None and call.kind is Kind.LM and call.usage is not None:
        tracker.usage += call.usage
