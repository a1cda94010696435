"""Plots of the bench, as SVG: `python -m bench.plots results.json docs/plots`. Needs matplotlib."""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib  # type: ignore[import-not-found]  # in an environment of its own

matplotlib.use("svg")
matplotlib.rcParams.update(
    {
        "svg.hashsalt": "headrace",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)

from matplotlib import pyplot

COLOURS = {
    "headrace": "#0b6e99",
    "headrace-uvloop": "#33a3c9",
    "limit": "#777777",
    "limit-uvloop": "#aaaaaa",
    "limit-each": "#777777",
    "limit-each-uvloop": "#aaaaaa",
    "dspy-sse": "#c0392b",
    "dspy-grpc": "#e08a3c",
}


def points(figure: Mapping[str, Any], pattern: str) -> dict[str, list[tuple[int, list[float]]]]:
    """By server: (number in the name of the series, values), in order."""
    found: dict[str, list[tuple[int, list[float]]]] = {}

    for series in figure["series"]:
        if match := re.fullmatch(pattern, series["name"]):
            for server, values in series["values"].items():
                found.setdefault(server, []).append((int(match[1]), values))

    return {server: sorted(rows) for server, rows in found.items()}


def lines(figure: Mapping[str, Any], pattern: str, labels: Sequence[str], path: Path) -> None:
    """Medians over a number, with the spread as a band, on logarithmic axes."""
    title, across, up = labels
    _, axes = pyplot.subplots(figsize=(7, 4))

    for server, rows in points(figure, pattern).items():
        places = [place for place, _ in rows]
        colour = COLOURS.get(server, "#333333")
        middles = [statistics.median(values) for _, values in rows]
        axes.plot(places, middles, marker="o", markersize=4, color=colour, label=server)
        lows, highs = [min(values) for _, values in rows], [max(values) for _, values in rows]
        axes.fill_between(places, lows, highs, color=colour, alpha=0.12, linewidth=0)

    axes.set(title=title, xlabel=across, ylabel=up, xscale="log", yscale="log")
    _save(axes, path)


def bars(figure: Mapping[str, Any], name: str, labels: Sequence[str], path: Path) -> None:
    """Medians of one series, with the spread as a whisker."""
    title, across = labels
    series = next(one for one in figure["series"] if one["name"] == name)
    _, axes = pyplot.subplots(figsize=(7, 0.45 * len(series["values"]) + 1.2))

    for place, (server, values) in enumerate(reversed(series["values"].items())):
        middle = statistics.median(values)
        spread = [[middle - min(values)], [max(values) - middle]]
        axes.barh(place, middle, color=COLOURS.get(server, "#333333"), xerr=spread, height=0.6)

    axes.set(title=title, xlabel=across, yticks=range(len(series["values"])))
    axes.set_yticklabels(list(reversed(series["values"])))
    _save(axes, path, legend=False)


def _save(axes: Any, path: Path, *, legend: bool = True) -> None:
    if legend:
        axes.legend(frameon=False)

    axes.figure.tight_layout()
    axes.figure.savefig(path, metadata={"Date": None})
    pyplot.close(axes.figure)


def main(results: Path, place: Path) -> None:
    """Draws what was measured; a figure that is absent is left out."""
    place.mkdir(parents=True, exist_ok=True)
    measured = json.loads(results.read_text())["figures"]
    figures = {one["name"]: one for one in measured if "error" not in one}

    if capacity := figures.get("capacity"):
        labels = ("Lag against streams of 50 tokens a second", "streams", "lag p99, ms")
        lines(capacity, r"lag p99 at (\d+) streams", labels, place / "lag.svg")
        title = ("Streams one process carries with a p99 of lag up to 100 ms", "streams")
        bars(capacity, "streams with a p99 of lag up to 100 ms", title, place / "capacity.svg")

    if length := figures.get("length"):
        labels = ("CPU per token against the length of the answer", "tokens", "us per token")
        lines(length, r"CPU per token of (\d+)", labels, place / "length.svg")

    if saturated := figures.get("saturated"):
        title = ("Saturated: CPU of the server per token", "us per token")
        bars(saturated, "CPU per token", title, place / "saturated.svg")

    if paced := figures.get("paced"):
        title = ("50 streams of 50 tokens a second: CPU of the server per token", "us per token")
        bars(paced, "CPU per token", title, place / "paced.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
