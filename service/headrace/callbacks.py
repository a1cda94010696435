"""Callbacks: user code that is told of every call, with the call ids that statuses carry too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from headrace.errors import UsageError


class BaseCallback:
    """Subclass and override what you need; pass it in `configure(callbacks=[…])` or to a module.

    Start hooks get the call's id, the module, LM, tool or adapter, and its inputs; end hooks the id,
    the outputs (None after an error) and the exception (None after success). Hooks run where the
    call runs and must not block. One that raises is logged and never hurts the run.
    """

    def on_module_start(self, call_id: int, instance: Any, inputs: dict[str, Any]) -> None:
        """A module is called."""

    def on_module_end(self, call_id: int, outputs: Any, exception: BaseException | None) -> None:
        """A module returned or raised."""

    def on_lm_start(self, call_id: int, instance: Any, inputs: dict[str, Any]) -> None:
        """An LM is called."""

    def on_lm_end(self, call_id: int, outputs: Any, exception: BaseException | None) -> None:
        """An LM answered or failed."""

    def on_tool_start(self, call_id: int, instance: Any, inputs: dict[str, Any]) -> None:
        """A tool is called."""

    def on_tool_end(self, call_id: int, outputs: Any, exception: BaseException | None) -> None:
        """A tool returned or raised."""

    def on_adapter_format_start(self, call_id: int, instance: Any, inputs: dict[str, Any]) -> None:
        """An adapter is about to write a prompt."""

    def on_adapter_format_end(
        self, call_id: int, outputs: Any, exception: BaseException | None
    ) -> None:
        """An adapter wrote a prompt."""

    def on_adapter_parse_start(self, call_id: int, instance: Any, inputs: dict[str, Any]) -> None:
        """An adapter is about to read a completion."""

    def on_adapter_parse_end(
        self, call_id: int, outputs: Any, exception: BaseException | None
    ) -> None:
        """An adapter has read a completion."""


def checked_callbacks(callbacks: object) -> list[BaseCallback]:
    """The callbacks as a new list; none for None. Raises UsageError for what are none."""
    if callbacks is None:
        return []

    if not isinstance(callbacks, Iterable):
        raise UsageError(f"callbacks are a list, as in callbacks=[MyCallback()], not {callbacks!r}")

    given = list(cast("Iterable[object]", callbacks))

    for one in given:
        if not isinstance(one, BaseCallback):
            raise UsageError(f"a callback is an instance of a BaseCallback subclass, not {one!r}")

    return cast("list[BaseCallback]", given)
