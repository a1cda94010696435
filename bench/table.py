"""Measurements as tables on a terminal: medians, spread, ratios, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.compare import Finding, Series

OPEN = "the spread is larger than the difference: nothing is concluded"


def show(title: str, series: Sequence[Series], findings: Sequence[Finding]) -> None:
    """Prints one figure."""
    write(f"\n{title}")

    for one in series:
        write(f"\n  {one.name}, {one.unit}")

        for server, values in one.values.items():
            spread = f"{number(min(values))} .. {number(max(values))}"
            write(f"    {server:<20}{number(one.median(server)):>10}    {spread}")

    if findings:
        write("")

    for finding in findings:
        write(f"  {line(finding)}")


def line(finding: Finding) -> str:
    """A finding in one line."""
    goal = finding.goal
    subject = f"{goal.server} / {goal.than}" if goal.than else goal.server
    sign = ">=" if goal.at_least else "<="
    found = f"{number(finding.median)} ({number(finding.low)} .. {number(finding.high)})"
    verdict = OPEN if finding.verdict == "open" else finding.verdict

    return f"{goal.series}: {subject} {sign} {number(goal.bound)}: {found}: {verdict}"


def number(value: float) -> str:
    """A number with three digits that say something."""
    if math.isnan(value):
        return "-"

    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write(text: str) -> None:
    """Prints a line."""
    print(text, flush=True)  # noqa: T201 - its work
