"""Layers: what a request passes through on its way to a provider, all of one signature.

    memory -> single flight -> disk -> attempts -> engine

Each gives the answer itself, or asks the next. `LM` puts them together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from headrace.calls import Call
from headrace.errors import LMError
from headrace.events import LmCall, Usage
from headrace.lm.base import Completion, Receive, Request


class Records(Protocol):
    """Told of the attempts at a request."""

    def begin(self, lm: LmCall) -> None:
        """An attempt begins."""
        ...

    def answering(self, lm: LmCall) -> None:
        """The first of an attempt's answer came; `lm` says when."""
        ...

    def spent(self, usage: Usage) -> None:
        """The provider has counted, whether or not its answer is of use."""
        ...

    def failed(self, error: LMError) -> None:
        """An attempt failed, and another will follow."""
        ...


class Layer(Protocol):
    """Answers requests, by itself or by asking the next layer."""

    async def ask(self, request: Request, receive: Receive, records: Records) -> Completion:
        """The whole answer, whose deltas went into `receive` as they came. Raises an LMError."""
        ...


class CallRecorder:
    """Records attempts in one LM call, from whatever task serves it: statuses, and usage."""

    def __init__(self, call: Call | None, model: str) -> None:
        self._call = call
        self._model = model

    def begin(self, lm: LmCall) -> None:
        """See Records.begin. The attempt counts as a call, even if it fails."""
        if self._call is not None:
            self._call.lm = lm
            self._call.usage = per_model(self._model, Usage(lm_calls=1))

    def answering(self, lm: LmCall) -> None:
        """See Records.answering."""
        if self._call is not None:
            self._call.lm = lm

    def spent(self, usage: Usage) -> None:
        """See Records.spent."""
        if self._call is not None:
            self._call.usage = usage

    def failed(self, error: LMError) -> None:
        """See Records.failed. An UPDATE status says so."""
        if self._call is not None:
            self._call.update(failure=error)


def per_model(model: str, usage: Usage, cost: float | None = None) -> Usage:
    """The usage as the only one of its model."""
    priced = replace(usage, cost_usd=cost)

    return replace(priced, models={model: priced})
