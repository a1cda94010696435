"""A program with parallel branches and statuses: CPU of the server per token."""

from __future__ import annotations

from bench.figure import command
from bench.saturated import PARALLEL

if __name__ == "__main__":
    command(PARALLEL)
