"""All figures, one after the other: `python -m bench.report [--quick]`; what `make bench` runs.

The quick one is for correctness: it fails when text was lost or an answer broke off, never because
something was slow. Measurements go to build/bench/results.json, plots to docs/plots or --plots.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import growth
from bench.batches import BATCHES
from bench.capacity import CAPACITY
from bench.children import leave_nothing_behind
from bench.figure import FULL, QUICK, Figure, Scale
from bench.first_token import FIRST_TOKEN
from bench.length import LENGTH
from bench.machine import describe
from bench.memory import MEMORY
from bench.paced import PACED
from bench.places import CACHE, OWN_PYTHON, PLOT_PYTHON, PLOTS, RESULTS, ROOT
from bench.readers import READERS
from bench.saturated import PARALLEL, SATURATED
from bench.start import START
from bench.table import write
from bench.venvs import run, say, set_up

FIGURES: Sequence[Figure] = (
    SATURATED,
    PARALLEL,
    PACED,
    FIRST_TOKEN,
    CAPACITY,
    LENGTH,
    READERS,
    BATCHES,
    MEMORY,
    START,
)
QUICK_FIGURES = (SATURATED, PARALLEL, PACED, READERS)
PARTS = ("bench/parsers.py", "bench/lm.py")
"""Tables of single rooms, of those who keep them."""


def measure(figures: Sequence[Figure], scale: Scale) -> dict[str, Any]:
    """All figures as JSON values. One that cannot be measured is said, and the rest goes on."""
    results: dict[str, Any] = {"machine": describe(), "quick": scale.quick, "figures": []}

    for figure in figures:
        began = time.monotonic()

        try:
            results["figures"].append(figure.run(scale))
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are still of use
            write(f"\n{figure.name} could not be measured: {error!r}")
            results["figures"].append({"name": figure.name, "error": repr(error)})

        say(f"  {figure.name} took {time.monotonic() - began:.0f} s")

    return results


def correct(results: Mapping[str, Any]) -> bool:
    """Whether every figure could be measured and headrace lost no text."""
    for figure in results["figures"]:
        if "error" in figure:
            return False

        for finding in figure.get("findings", ()):
            if finding["series"] == "tokens lost" and finding["high"] > finding["bound"]:
                return False

    return True


def parts(quick: bool) -> None:
    """The tables of parsers and LM calls."""
    for script in PARTS:
        write(f"\n{script}")
        options = ["--quick"] if quick and script.endswith("lm.py") else []
        run([str(OWN_PYTHON), str(ROOT / script), *options])


def plots(place: Path) -> None:
    """The pictures, drawn where matplotlib is."""
    set_up("plots")
    subprocess.run(
        [str(PLOT_PYTHON), "-m", "bench.plots", str(RESULTS), str(place)], cwd=ROOT, check=True
    )


def main() -> int:
    """Runs the bench; 1 when text was lost or something could not be measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer figures, small and twice")
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--only", nargs="+", metavar="FIGURE", help="these figures alone")
    parser.add_argument("--plots", type=Path, default=PLOTS)
    given = parser.parse_args()
    leave_nothing_behind()
    scale = QUICK if given.quick else FULL
    scale = Scale(given.rounds or scale.rounds, scale.quick)
    set_up("peers")
    figures = QUICK_FIGURES if scale.quick else FIGURES
    chosen = [one for one in FIGURES if one.name in given.only] if given.only else figures
    results = measure(chosen, scale)
    results["figures"].append(growth.main(scale.quick))
    CACHE.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    say(f"written to {RESULTS}")

    if not scale.quick:
        parts(scale.quick)
        plots(given.plots)

    return 0 if correct(results) else 1


if __name__ == "__main__":
    sys.exit(main())
