"""Settings: process-wide defaults by `configure`, overrides for a block by `context`.

Overrides live in a context variable, so they are safe across tasks and threads. A program that is
called now and runs later runs in a `captured` context, in which the defaults stay as they were too.
"""

from __future__ import annotations

import contextvars
import difflib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

from headrace.callbacks import checked_callbacks
from headrace.errors import UsageError

DEFAULTS: Mapping[str, Any] = {
    "lm": None,  # the LM of predictors that have none of their own
    "adapter": None,  # None = ChatAdapter
    "callbacks": [],  # BaseCallback instances, told of every call
    "track_usage": False,  # put LM usage on the outermost Prediction
    "async_max_workers": None,  # threads an asyncified program may use at once; None = no limit
    "num_threads": 8,  # threads of Parallel
    "allow_tool_async_sync_conversion": False,  # let a sync call run an async tool
    "warn_on_type_mismatch": True,  # warn when an input does not fit its annotation
}

_configured: dict[str, Any] = dict(DEFAULTS)
_captured: ContextVar[Mapping[str, Any] | None] = ContextVar("headrace_captured", default=None)
_overrides: ContextVar[Mapping[str, Any]] = ContextVar(
    "headrace_settings", default=MappingProxyType({})
)


class Settings:
    """The settings in force where they are read, as attributes."""

    def __getattr__(self, name: str) -> Any:
        overrides = _overrides.get()

        if name in overrides:
            return overrides[name]

        try:
            return (_captured.get() or _configured)[name]
        except KeyError:
            raise AttributeError(f"no setting named {name!r}") from None

    def __setattr__(self, name: str, value: object) -> None:
        self.configure(**{name: value})

    def configure(self, **values: Any) -> None:
        """Sets process-wide defaults. Raises UsageError for unknown names and values that do not fit.

        What runs already keeps its own, save for the program that calls this.
        """
        _check(values)
        _configured.update(values)

        if (captured := _captured.get()) is not None:
            _captured.set({**captured, **values})

    @contextmanager
    def context(self, **values: Any) -> Generator[None, None, None]:
        """Overrides settings inside a `with` block, in this task or thread and what it starts."""
        _check(values)
        token = _overrides.set({**_overrides.get(), **values})

        try:
            yield
        finally:
            _overrides.reset(token)

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={getattr(self, name)!r}' for name in DEFAULTS)})"


def _check(values: Mapping[str, Any]) -> None:
    for name in values:
        if name not in DEFAULTS:
            near = difflib.get_close_matches(name, DEFAULTS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are {sorted(DEFAULTS)}"
            raise UsageError(f"unknown setting {name!r}{hint}")

    checked_callbacks(values.get("callbacks"))

    for name in ("async_max_workers", "num_threads"):
        size = values.get(name, DEFAULTS[name])

        if size is not None and size < 1:  # or every call would wait for ever
            raise UsageError(f"{name} is at least 1, not {size}")


def captured_context() -> contextvars.Context:
    """A copy of the current context in which later calls of `configure` change nothing."""
    context = contextvars.copy_context()
    context.run(_captured.set, {**(_captured.get() or _configured)})

    return context


settings = Settings()
configure = settings.configure
context = settings.context
