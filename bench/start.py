"""From the start of a process to SERVING, and what importing the client takes."""

from __future__ import annotations

import subprocess
import time

from bench.compare import Goal
from bench.figure import Bench, Figure, command
from bench.places import OWN_PYTHON, ROOT
from bench.targets import TARGETS

SERVERS = ("headrace", "dspy-sse")
SERVING = "start to serving, litellm loaded"
IMPORT = "import of the client"


async def measure(bench: Bench) -> None:
    """Starts and stops."""
    for _ in range(bench.scale.rounds):
        for name in SERVERS:
            with TARGETS[name].running(bench.provider.address) as child:
                bench.rounds.note(name, SERVING, "s", child.started_in)

        seconds = _python("import headrace_client") - _python("pass")
        bench.rounds.note("headrace", IMPORT, "s", seconds)


def _python(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([str(OWN_PYTHON), "-c", code], cwd=ROOT, check=True)

    return time.perf_counter() - began


START = Figure(
    "start",
    "Start",
    measure,
    [Goal(SERVING, "headrace", "", 3.5), Goal(IMPORT, "headrace", "", 0.2)],
)

if __name__ == "__main__":
    command(START)
