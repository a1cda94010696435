"""Stream responses: what a streamified program yields, and how a run's events become that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from headrace.events import CustomEvent, Event, PredictionEvent, Status, Token
from headrace.streaming.listeners import Wants


@dataclass(frozen=True, slots=True)
class StreamResponse:
    """Text of one output field, as it came."""

    predict_name: str
    """The predictor's address, or the label its listener gave it."""
    signature_field_name: str
    chunk: str
    is_last_chunk: bool = field(default=False, repr=False)
    """True exactly once per field and call; the chunk may then be empty."""
    call_id: int = field(default=0, repr=False)
    """Tells repeated and parallel calls of one predictor apart."""


@dataclass(frozen=True, slots=True)
class StatusMessage:
    """A call began or ended, in the words of the status message provider."""

    message: str
    call_id: int = field(default=0, repr=False)
    """The call it speaks of."""


StreamItem: TypeAlias = StreamResponse | StatusMessage | CustomEvent
"""Items of a stream other than the program's result."""


class ResponseFilter:
    """Turns one run's events into what its consumer is to see.

    wants: the fields that stream; None = every str field.
    """

    def __init__(self, wants: Wants | None, include_prediction: bool) -> None:
        self._wants = wants
        self._include_prediction = include_prediction
        self._streamed = False
        self._first_calls: dict[tuple[str, str], int] = {}

    def item(self, event: Event) -> object | None:
        """The item for an event; None where there is nothing to see.

        The result is left out where it is not asked for, unless no text was streamed: it is all there is.
        Events of other kinds are for readers of the run's log.
        """
        if isinstance(event, Token):
            return self._response(event)

        if isinstance(event, Status) and event.message:
            return StatusMessage(event.message, event.call_id)

        if isinstance(event, CustomEvent):
            return event

        if isinstance(event, PredictionEvent) and (self._include_prediction or not self._streamed):
            return event.value

        return None

    def _response(self, token: Token) -> StreamResponse | None:
        """The token under the name its listener gave. Cached text is all in the Prediction."""
        label = None if token.cached else self._label(token)

        if label is None:
            return None

        self._streamed = True

        return StreamResponse(label, token.field, token.chunk, token.is_last, token.call_id)

    def _label(self, token: Token) -> str | None:
        if self._wants is None:
            return None if token.typed else token.predictor

        key = token.predictor, token.field
        wanted = self._wants.get(key)

        if wanted is None:
            return None

        first = self._first_calls.setdefault(key, token.call_id)

        return wanted.label if wanted.allow_reuse or first == token.call_id else None
