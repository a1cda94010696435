"""Environments of their own for what headrace does not depend on: `python -m bench.venvs`.

The peers are pinned: a figure names the versions it was measured with, and a new release of a peer is
a change of the bench, not a surprise.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.places import CACHE

ENVIRONMENTS = {
    "peers": (
        "dspy==3.4.1",
        "litellm==1.106.2",
        "fastapi==0.165.0",
        "uvicorn==0.54.0",
        "grpcio==1.85.1",
        "protobuf>=6.31.1,<8",
        "googleapis-common-protos>=1.66,<2",
        "uvloop==0.23.0",
    ),
    "plots": ("matplotlib>=3.10,<4",),
    "tools": ("py-spy==0.4.3",),
}


def set_up(name: str) -> Path:
    """Makes an environment unless it is there; gives its python."""
    place = CACHE / name
    packages = ENVIRONMENTS[name]
    stamp = place / "packages.txt"
    wanted = "\n".join(packages)

    if not stamp.exists() or stamp.read_text() != wanted:
        say(f"setting up {place}")
        _install(place, packages)
        stamp.write_text(wanted)

    return place / "bin" / "python"


def _install(place: Path, packages: Sequence[str]) -> None:
    python = str(place / "bin" / "python")

    if uv := shutil.which("uv"):
        run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place)])
        run([uv, "pip", "install", "--quiet", "--python", python, *packages])
    else:
        run([sys.executable, "-m", "venv", "--clear", str(place)])
        run([python, "-m", "pip", "install", "--quiet", "--no-compile", *packages])


def run(command: Sequence[str]) -> None:
    """Runs a command that must succeed."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def say(text: str) -> None:
    """Tells how far the bench is."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - its work


if __name__ == "__main__":
    for environment in sys.argv[1:] or ENVIRONMENTS:
        set_up(environment)
