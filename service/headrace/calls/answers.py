"""Answers: what a run's result tells of the answers that it was made of, besides what they cost."""

from __future__ import annotations

import threading
from collections.abc import Sequence

MOST_CUT_FIELDS = 100
"""Fields that are named; a program may make predictors as it goes."""


class Answers:
    """Counts answers that were asked for again, and names fields that were cut. Safe from any thread.

    reask_count: of an earlier attempt at the run, which this one goes on from.
    """

    def __init__(self, reask_count: int = 0) -> None:
        self.reask_count = reask_count
        """How often an answer that could not be read was asked for again."""
        self._cut: dict[str, None] = {}
        self._lock = threading.Lock()

    @property
    def cut_fields(self) -> Sequence[str]:
        """Fields that were being written when an answer reached its token limit, as "predictor.field"."""
        return tuple(self._cut)

    def note_reask(self) -> None:
        """An answer that could not be read is asked for again."""
        with self._lock:
            self.reask_count += 1

    def note_cut(self, predictor: str, field: str) -> None:
        """A field of an answer that the program was given was cut."""
        with self._lock:
            if len(self._cut) < MOST_CUT_FIELDS:
                self._cut[f"{predictor}.{field}"] = None
