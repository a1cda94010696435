"""The processes a benchmark starts, and what the system says they have used."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.places import LOGS, ROOT

START = 90.0
"""Seconds a server gets to say where it listens: some import for a long time."""
STOP = 5.0

_numbers = itertools.count(1)
_SERVING = re.compile(r"^serving .*?on (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Child:
    """A running server."""

    address: str
    pid: int
    started_in: float
    """Seconds from its start to its saying that it serves."""

    def cpu(self) -> float:
        """CPU seconds it has used so far, with all its threads: exact, unlike ticks in /proc."""
        return time.clock_gettime((~self.pid << 3) | 2)  # CPUCLOCK_SCHED of another process

    def memory(self) -> int:
        """Bytes resident."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii", errors="replace")

        return int(re.findall(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)[0]) * 1024


@contextmanager
def child(
    name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> Generator[Child, None, None]:
    """A process for the length of a `with` block. What it prints stays in build/ if that fails."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}-{os.getpid()}-{next(_numbers)}.log"
    began = time.monotonic()

    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": _path(), **(environment or {})},
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )

    try:
        address = _address(process, log)
        yield Child(address, process.pid, time.monotonic() - began)
        log.unlink()
    finally:
        _stop(process)


def leave_nothing_behind() -> None:
    """Makes SIGTERM unwind like any exit, so that the servers end too."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


@contextmanager
def upstream() -> Generator[Child, None, None]:
    """The provider that all servers ask."""
    with child("upstream", [sys.executable, "-m", "bench.upstream"]) as provider:
        yield provider


def _path() -> str:
    """For interpreters of other environments: the bench and the contract's stubs, nothing more."""
    return f"{ROOT}:{ROOT / 'proto'}"


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + START

    while time.monotonic() < end:
        text = log.read_text(errors="replace")

        if found := _SERVING.search(text):
            return found[1]

        if process.poll() is not None:
            raise RuntimeError(f"{log} ended before it served:\n{text[-2000:]}")

        time.sleep(0.01)

    raise TimeoutError(f"{log} did not serve within {START:g} s")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()

    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
