"""Statuses: what the log of a run says of its calls, and what a program itself says in them."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any

from headrace.calls.call import Call, CallEnd
from headrace.errors import HeadraceError, UsageError
from headrace.events import Event, Kind, Outcome, Phase, Status, ToolCall, Usage
from headrace.values.previews import shown_json

logger = logging.getLogger("headrace.status")


class StatusMessageProvider:
    """Override the hooks whose calls are worth a word; None or "" means silence.

    Start hooks get `(instance, inputs)`, end hooks `(outputs)` or `(instance, outputs)`: write
    whichever you need (they are typed open here, so that type checkers take both). A hook that raises
    is logged once and says nothing.
    """

    def tool_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str | None:
        """A tool is about to be called."""
        return f"Calling tool {instance.name}..."

    def tool_end_status_message(self, *args: Any, **kwargs: Any) -> str | None:
        """A tool returned."""
        return "Tool calling finished! Querying the LLM with tool calling results..."

    def module_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str | None:
        """A module is about to be called."""
        return None

    def module_end_status_message(self, *args: Any, **kwargs: Any) -> str | None:
        """A module returned; fires for nested modules too."""
        return None

    def lm_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str | None:
        """An LM is about to be called."""
        return None

    def lm_end_status_message(self, *args: Any, **kwargs: Any) -> str | None:
        """An LM answered."""
        return None


class StatusMessages:
    """Gives statuses their text from a provider's hooks, those of StatusMessageProvider by default.

    Raises UsageError for what is no provider, and for async hooks.
    """

    def __init__(self, provider: StatusMessageProvider | None) -> None:
        provider = StatusMessageProvider() if provider is None else provider

        if not isinstance(provider, StatusMessageProvider):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise UsageError(
                f"a status message provider is an instance of a StatusMessageProvider subclass, not "
                f"{provider!r}"
            )

        self._provider = provider
        self._hooks: dict[tuple[Kind, Phase], Callable[[Call], Any]] = {}
        self._raised: set[tuple[Kind, Phase]] = set()

        for kind in (Kind.MODULE, Kind.LM, Kind.TOOL):
            for phase in (Phase.START, Phase.END):
                self._hooks[kind, phase] = self._hook(kind, phase)

    def message(self, call: Call, phase: Phase) -> str:
        """The text for a call that starts or ended; "" for silence and after an error of the hook."""
        hook = self._hooks.get((call.kind, phase))

        if hook is None:
            return ""

        try:
            return "" if getattr(call.instance, "silent", False) else str(hook(call) or "")
        except Exception:
            if (call.kind, phase) not in self._raised:
                self._raised.add((call.kind, phase))
                logger.warning("a status hook for %s raised", call.kind.name, exc_info=True)

            return ""

    def _hook(self, kind: Kind, phase: Phase) -> Callable[[Call], Any]:
        name = f"{kind.name}_{phase.name}_status_message".lower()
        hook = getattr(self._provider, name)

        if inspect.iscoroutinefunction(hook):
            raise UsageError(
                f"{type(self._provider).__name__}.{name} is async: a hook is plain def"
            )

        takes_instance = _positional_count(hook) > 1

        def say(call: Call) -> Any:
            facts = call.inputs if phase is Phase.START else call.outputs

            return hook(call.instance, facts) if takes_instance else hook(facts)

        return say


class Statuses:
    """Writes the statuses of calls into a run's log. Of steps of adapters there are none."""

    def __init__(self, emit: Callable[[Event], object], tells_content: bool) -> None:
        self._emit = emit
        self._tells_content = tells_content

    def begin(self, call: Call) -> None:
        """Records a START."""
        data = call.inputs if self._tells_data(call) else None
        self._record(call, Phase.START, call.message, data=data)

    def update(self, call: Call, failure: HeadraceError | None) -> None:
        """Records an UPDATE."""
        self._record(call, Phase.UPDATE, failure=failure)

    def end(self, call: Call, end: CallEnd) -> None:
        """Records an END."""
        shown = self._tells_data(call) and call.outputs is not None
        data = {"outputs": call.outputs} if shown else None
        self._record(
            call, Phase.END, call.message, end.outcome, end.elapsed, call.usage, end.failure, data
        )

    def _tells_data(self, call: Call) -> bool:
        return self._tells_content and call.kind is not Kind.TOOL

    def _record(
        self,
        call: Call,
        phase: Phase,
        message: str = "",
        outcome: Outcome | None = None,
        elapsed: float = 0.0,
        usage: Usage | None = None,
        failure: HeadraceError | None = None,
        data: Mapping[str, object] | None = None,
    ) -> None:
        if call.kind is Kind.ADAPTER:
            return

        self._emit(
            Status(
                call.kind,
                phase,
                call.call_id,
                call.parent_call_id,
                call.name,
                message,
                outcome,
                elapsed,
                usage,
                failure,
                data,
                call.lm,
                call.tool,
            )
        )


def tool_content(call: Call, end: CallEnd | None = None) -> ToolCall:
    """What is told of a tool call: its arguments as it begins, and at its end the result if it returned."""
    if end is None:
        return ToolCall(call.provider_call_id, shown_json(call.inputs))

    result = shown_json(call.outputs) if end.outcome is Outcome.OK else ""

    return ToolCall(call.provider_call_id, result_json=result)


def _positional_count(hook: Callable[..., Any]) -> int:
    kinds = [parameter.kind for parameter in inspect.signature(hook).parameters.values()]

    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return 2

    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

    return sum(kind in positional for kind in kinds)
