"""Stand-ins: what answers in the place of people, in tests."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeAlias

from headrace.events import InputRequest

StandIn: TypeAlias = Callable[[InputRequest], Any]
"""Gives the answer to a question, or an awaitable of it. Raises InputDeclined and InputExpired."""

stand_in: ContextVar[StandIn | None] = ContextVar("headrace_stand_in", default=None)
"""Set by `headrace.testing.answering` only."""
