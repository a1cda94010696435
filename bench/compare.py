"""What may be concluded from measurements taken in turn.

Rule: a ratio is taken within a round, where both sides met the same weather. A goal is reached or
missed only if all rounds but the extremes say so; otherwise the spread is larger than the difference,
and nothing is concluded.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ENOUGH = 5
"""Rounds from which on the lowest and the highest are left out."""


@dataclass(frozen=True, slots=True)
class Series:
    """One quantity of several servers, a value per round."""

    name: str
    unit: str
    values: Mapping[str, Sequence[float]]
    """By server."""

    def median(self, server: str) -> float:
        """The middle of its rounds."""
        return statistics.median(self.values[server])


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on a ratio to another server, or on the value itself where `than` is empty."""

    series: str
    server: str
    than: str
    bound: float
    at_least: bool = False
    """The bound is a floor, not a ceiling."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the rounds say of a goal."""

    goal: Goal
    median: float
    low: float
    high: float
    verdict: str
    """"reached", "missed" or "open"."""


def judge(goal: Goal, series: Series) -> Finding:
    """Compares round by round."""
    ours = series.values[goal.server]
    theirs = series.values[goal.than] if goal.than else [1.0] * len(ours)
    ratios = sorted(one / other for one, other in zip(ours, theirs, strict=True))
    kept = ratios[1:-1] if len(ratios) >= ENOUGH else ratios
    low, high = kept[0], kept[-1]
    inside = low >= goal.bound if goal.at_least else high <= goal.bound
    outside = high < goal.bound if goal.at_least else low > goal.bound
    verdict = "reached" if inside else "missed" if outside else "open"
    verdict = verdict if len(ratios) > 1 else "open"  # once is no measurement

    return Finding(goal, statistics.median(ratios), low, high, verdict)


@dataclass(slots=True)
class Rounds:
    """Collects values round by round."""

    _series: dict[tuple[str, str], dict[str, list[float]]] = field(
        default_factory=dict[tuple[str, str], dict[str, list[float]]]
    )

    def note(self, server: str, name: str, unit: str, value: float) -> None:
        """One value of one server in this round."""
        self._series.setdefault((name, unit), {}).setdefault(server, []).append(value)

    def series(self) -> list[Series]:
        """All that was noted."""
        return [Series(name, unit, values) for (name, unit), values in self._series.items()]


def as_json(series: Sequence[Series], findings: Sequence[Finding]) -> dict[str, Any]:
    """Measurements and findings as JSON values."""
    return {
        "series": [
            {
                "name": one.name,
                "unit": one.unit,
                "values": {k: list(v) for k, v in one.values.items()},
            }
            for one in series
        ],
        "findings": [
            {
                "series": one.goal.series,
                "server": one.goal.server,
                "than": one.goal.than,
                "bound": one.goal.bound,
                "at_least": one.goal.at_least,
                "median": one.median,
                "low": one.low,
                "high": one.high,
                "verdict": one.verdict,
            }
            for one in findings
        ],
    }
