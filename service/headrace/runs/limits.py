"""Limits: what the server refuses to go beyond, all in one place, as GetServerInfo shows them."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from headrace.values.walk import SENT_DEPTH

KIB = 1024
MIB = 1024 * KIB


Count = Annotated[int, Field(ge=0, lt=2**31)]
Size = Annotated[int, Field(gt=0, lt=2**31)]
Depth = Annotated[int, Field(gt=0, le=SENT_DEPTH)]
Seconds = Annotated[float, Field(ge=0, lt=1e9)]


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Limits:
    """Sizes in bytes, times in seconds. 0 means unlimited where the field says so."""

    max_message_bytes: Size = 1 * MIB
    """Of a request."""
    max_input_bytes: Size = 768 * KIB
    """Of the inputs, as JSON text."""
    max_input_depth: Depth = SENT_DEPTH
    max_input_elements: Size = 50_000
    """Values inside the inputs, objects and lists included."""
    max_token_bytes: Size = 64 * KIB
    """Of the chunk of one token message; longer text is split."""
    max_prediction_bytes: Size = 2 * MIB
    """Of the outputs, as encoded in the form that a caller asks for."""
    max_custom_event_bytes: Size = 64 * KIB
    """Of what a program tells in one event, as JSON text."""
    max_run_bytes: Size = 8 * MIB
    """Of the text one run records."""
    max_output_depth: Depth = SENT_DEPTH
    max_open_inputs: Size = 100
    """Questions of one run that may be open at once."""
    max_labels: Count = 16
    max_label_length: Count = 64
    """Characters of a label's key, and of its value."""

    max_running_count: Size = 1000
    max_queued_count: Count = 256
    max_running_count_per_principal: Count = 0
    """Running and queued; 0 = unlimited."""
    max_starts_per_second: Seconds = 0.0
    """Of one principal; 0 = unlimited."""

    default_linger: Seconds = 0.0
    max_linger: Seconds = 3600.0
    max_timeout: Seconds = 3600.0
    """Also the timeout of runs that ask for none."""
    retention: Seconds = 600.0
    """Ended runs can be read for this long."""
    max_retained_bytes: Size = 256 * MIB
    """Of all ended runs; the oldest go first."""
    heartbeat_interval: Seconds = 15.0
