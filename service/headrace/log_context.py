"""Facts that every line of log carries here, so that code deep inside a run need not pass them on."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

log_context: ContextVar[Mapping[str, str] | None] = ContextVar("headrace_log_context", default=None)
"""run_id, program, attempt, principal, as far as they are known here."""
