"""What a call records of its attempts while it is served: statuses, and usage even if it fails."""

from __future__ import annotations

from contextvars import copy_context

from headrace.calls import Call
from headrace.errors import LMError
from headrace.events import LmCall, Usage
from headrace.lm.litellm.costs import per_model


class Recorder:
    """Writes into one LM call, from whatever task serves it."""

    def __init__(self, call: Call | None, model: str) -> None:
        self._call = call
        self._model = model
        self._context = copy_context()

    def begin(self, lm: LmCall) -> None:
        """An attempt begins."""
        if self._call is not None:
            self._call.lm = lm
            self._call.usage = per_model(self._model, Usage(lm_calls=1))

    def spent(self, usage: Usage) -> None:
        """The provider has counted, whether or not its answer is of use."""
        if self._call is not None:
            self._call.usage = usage

    def failed(self, error: LMError) -> None:
        """An attempt failed, and another will follow."""
        if self._call is not None:
            self._context.run(self._call.update, failure=error)
