"""What a streamified program yields besides its result."""

from __future__ import annotations

from dataclasses import dataclass, field


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
