"""What a line of log is about: facts that code deep inside a run or an RPC need not pass along."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

about: ContextVar[Mapping[str, str] | None] = ContextVar("headrace_about", default=None)
"""run_id, program, attempt, principal, as far as they are known here."""
