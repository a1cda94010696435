"""The Makefile: which environment it works in, and what it says where it cannot."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs make without what the make that runs the tests hands down."""
    handed_down = ("MAKE", "MFLAGS", "PYTEST_ARGS", "PYTHON", "UV", "VENV", "VIRTUAL_ENV")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(handed_down)}

    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env=bare,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_make_without_oneshell_is_told_in_one_line_what_it_lacks() -> None:
    refused = make(".FEATURES=", "help")

    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert "GNU make 3.82 or newer" in refused.stderr
    assert "brew install make" in refused.stderr


def test_another_python_gets_an_environment_of_its_own() -> None:
    usual = make("--dry-run", "--always-make", "test", "UV=")
    other = make("--dry-run", "--always-make", "test", "UV=", "PYTHON=python3.13")

    assert usual.stdout.splitlines()[-1] == '.venv/bin/python -m pytest -m "not slow"'
    assert other.stdout.splitlines()[-1] == 'build/python3.13/bin/python -m pytest -m "not slow"'
    assert "python3.13 -m venv --clear build/python3.13" in other.stdout
