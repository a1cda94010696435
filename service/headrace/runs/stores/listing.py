"""Listing: which of a principal's runs are meant, and the pages in which they are told, newest first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from headrace.errors import FieldViolation, RequestInvalid
from headrace.runs.run import Run

_PLACE = re.compile(r"\d{1,12}\.\d{1,9}:[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are meant: those to which all of it applies. Times in seconds since the epoch."""

    program: str = ""
    """Empty = any."""
    states: frozenset[int] = frozenset()
    """Numbers of states; empty = any. In a state that is not known here there is no run."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """All of them, with these values."""
    created_after: float | None = None
    """Later than this, not at it."""
    created_before: float | None = None
    """Earlier than this, not at it."""

    def takes(self, run: Run) -> bool:
        """True for a run that is meant, as it is now."""
        return (
            self.program in ("", run.program)
            and (not self.states or run.state in self.states)
            and self.labels.items() <= run.labels.items()
            and (self.created_after is None or run.create_time > self.created_after)
            and (self.created_before is None or run.create_time < self.created_before)
        )


ALL = RunFilter()
"""Whatever there is."""


class PagePlace(NamedTuple):
    """A run's place in the list of its principal's runs."""

    create_time: float
    run_id: str

    @classmethod
    def of(cls, run: Run) -> PagePlace:
        """The place of a run."""
        return cls(run.create_time, run.run_id)

    @classmethod
    def named_by(cls, token: str) -> PagePlace:
        """The place that a token names. Raises RequestInvalid for one that is no token."""
        if not _PLACE.fullmatch(token):
            problem = "must be the next_page_token of the page before"
            raise RequestInvalid([FieldViolation("page_token", problem)])

        time, _, run_id = token.partition(":")

        return cls(float(time), run_id)

    @property
    def token(self) -> str:
        """The place as text."""
        return f"{self.create_time!r}:{self.run_id}"


class Page(NamedTuple):
    """Some of a principal's runs, newest first."""

    runs: Sequence[Run]
    has_more: bool
    """More runs follow, which are older."""


def page_of(runs: Iterable[Run], wanted: RunFilter, *, after: PagePlace | None, size: int) -> Page:
    """A page of runs, for a store that has all runs of a principal at hand. Refusals are none."""
    rest = [
        run
        for run in runs
        if not run.record.refused
        and (after is None or PagePlace.of(run) < after)
        and wanted.takes(run)
    ]
    rest.sort(key=PagePlace.of, reverse=True)

    return Page(rest[:size], len(rest) > size)
