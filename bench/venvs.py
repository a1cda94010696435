"""Environments of their own for what headrace does not depend on: `python -m bench.venvs`.

Each is installed from its lock, `locks/<name>.txt`: a figure names the versions it was measured with, and
a new release of a peer is a change of the bench, not a surprise.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.places import CACHE, ROOT

ENVIRONMENTS = ("peers", "plots", "profilers")


def set_up(name: str) -> Path:
    """Makes an environment unless it is there; gives its python."""
    place = CACHE / name
    lock = ROOT / "locks" / f"{name}.txt"
    stamp = place / "packages.txt"

    if not stamp.exists() or stamp.read_text() != lock.read_text():
        say(f"setting up {place}")
        _install(place, lock)
        stamp.write_text(lock.read_text())

    return place / "bin" / "python"


def _install(place: Path, lock: Path) -> None:
    python = str(place / "bin" / "python")
    from_lock = ["--quiet", "--require-hashes", "--no-deps", "--requirement", str(lock)]

    if uv := shutil.which("uv"):
        run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place)])
        run([uv, "pip", "install", "--python", python, *from_lock])
    else:
        run([sys.executable, "-m", "venv", "--clear", str(place)])
        run([python, "-m", "pip", "install", "--no-compile", *from_lock])


def run(command: Sequence[str]) -> None:
    """Runs a command that must succeed."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def say(text: str) -> None:
    """Tells how far the bench is."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - its work


if __name__ == "__main__":
    for environment in sys.argv[1:] or ENVIRONMENTS:
        set_up(environment)
