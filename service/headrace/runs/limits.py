"""Limits: what the server refuses to go beyond, all in one place, as GetServerInfo shows them."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds. 0 means unlimited where the field says so."""

    max_message_bytes: int = 1 * MIB
    """Of a request."""
    max_input_bytes: int = 768 * KIB
    """Of the inputs, as JSON text."""
    max_input_depth: int = 30
    max_input_elements: int = 50_000
    """Values inside the inputs, objects and lists included."""
    max_token_bytes: int = 64 * KIB
    """Of the chunk of one token message; longer text is split."""
    max_prediction_bytes: int = 2 * MIB
    """Of the outputs, as JSON text."""
    max_run_bytes: int = 8 * MIB
    """Of the text one run records."""
    max_output_depth: int = 30
    max_labels: int = 16
    max_label_length: int = 64
    """Characters of a label's key, and of its value."""

    max_running_count: int = 1000
    max_queued_count: int = 256
    max_running_count_per_principal: int = 0
    """Running and queued; 0 = unlimited."""
    max_starts_per_second: float = 0.0
    """Of one principal; 0 = unlimited."""

    default_linger: float = 0.0
    max_linger: float = 3600.0
    max_timeout: float = 3600.0
    """Also the timeout of runs that ask for none."""
    retention: float = 600.0
    """Ended runs can be read for this long."""
    max_retained_bytes: int = 256 * MIB
    """Of all ended runs; the oldest go first."""
    heartbeat_interval: float = 15.0
