"""Log context: the facts that every line of log carries here, and how an error of our own is logged.

Code deep inside a run need not pass its facts on. An error in our own work on a run is logged, and the
rest of the work is done.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

logger = logging.getLogger("headrace.runs")

log_context: ContextVar[Mapping[str, str] | None] = ContextVar("headrace_log_context", default=None)
"""run_id, program, attempt, principal, as far as they are known here."""


@contextmanager
def contained(work: str) -> Generator[None, None, None]:
    """Logs what is raised inside the block, and goes on after it."""
    try:
        yield
    except Exception:
        logger.exception("%s failed", work)
