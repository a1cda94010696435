"""A shell in a page's folder: commands that end, and commands that serve until the page ends."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0
"""Seconds for a command; a bound against hangs."""
LISTENS = re.compile(r"127\.0\.0\.1:[1-9]\d*")
VENV = sys.prefix
PRELUDE = f"""
set -euo pipefail
make() {{
  command make -C {shlex.quote(str(ROOT))} {shlex.quote(f"VENV={VENV}")} \\
    -o {shlex.quote(f"{VENV}/run.stamp")} -o {shlex.quote(f"{VENV}/dev.stamp")} "$@"
}}
"""
"""`make` works on the repository, in the environment that the tests run in."""


class Shell:
    """Runs commands in a folder."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._serving: list[Served] = []

    def run(self, command: str) -> str:
        """Runs a command to its end; gives what it printed. AssertionError unless it succeeds."""
        with self._open(command) as process:
            try:
                printed, _ = process.communicate(timeout=PATIENCE)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise

        assert process.returncode == 0, f"$ {command}ended with {process.returncode}\n{printed}"

        return printed

    def serve(self, command: str) -> str:
        """Starts a command that serves; gives the address that it prints."""
        served = Served(self._open(command))
        self._serving.append(served)

        return served.address

    def close(self) -> None:
        """Stops what serves, the newest first."""
        while self._serving:
            self._serving.pop().stop()

    def _open(self, command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", "-c", PRELUDE + command],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


class Served:
    """A command that serves."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._process = process
        self._printed = process.stdout
        self.address = self._read_address()
        self._draining = threading.Thread(target=self._printed.read)
        self._draining.start()

    def stop(self) -> None:
        """Stops it as Ctrl-C does."""
        os.killpg(self._process.pid, signal.SIGINT)

        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._draining.join()
            self._printed.close()

    def _read_address(self) -> str:
        printed = ""

        for line in self._printed:
            printed += line

            if found := LISTENS.search(line):
                return found[0]

        raise AssertionError(f"it ended without serving:\n{printed}")
