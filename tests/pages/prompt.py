"""A Python prompt: blocks of code run one after another in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

WORKER = Path(__file__).with_name("worker.py")


class Prompt:
    """Python in a folder, with one namespace for all that it runs."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER)],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, code: str) -> str:
        """Runs a block; gives the traceback of what it raised, or nothing."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(code), file=self._process.stdin, flush=True)

        answer: str = json.loads(self._process.stdout.readline() or '"Python ended"')

        return answer

    def close(self, patience: float) -> None:
        """Ends the process."""
        try:
            self._process.communicate(timeout=patience)
        finally:
            self._process.kill()
