"""Defects: an error in our own work on a run is logged, and the rest of the work is done."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager

logger = logging.getLogger("headrace.runs")


@contextmanager
def contained(work: str) -> Generator[None, None, None]:
    """Logs what is raised inside the block, and goes on after it."""
    try:
        yield
    except Exception:
        logger.exception("%s failed", work)
