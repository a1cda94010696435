"""The `headrace` command. It needs the extra `cli`; what it may not have is imported below `main`."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager

EXTRA = ("click", "rich")

GRPC_SETTINGS = {
    "GRPC_VERBOSITY": "NONE",  # its own lines would stand between ours, and are no JSON
    "GRPC_ENABLE_FORK_SUPPORT": "0",  # its handlers crash about half of what a program here forks
}
"""For gRPC's core under the command, which reads them from the environment when it is imported."""


def main() -> None:
    """Runs the command; the entry point of the package."""
    try:
        with grpc_settings():
            from headrace_client.cli.commands import headrace
            from headrace_client.cli.exits import writing
    except ModuleNotFoundError as missing:
        if missing.name not in EXTRA:
            raise

        sys.exit("headrace: the command line is an extra: pip install 'headrace[cli]'")

    with writing():
        headrace()


@contextmanager
def grpc_settings() -> Generator[None, None, None]:
    """Import gRPC inside the block. What the environment says already stands; children inherit that alone.

    Whoever asks for traces gets the lines.
    """
    said = {*os.environ, *(["GRPC_VERBOSITY"] if "GRPC_TRACE" in os.environ else [])}
    missing = {name: value for name, value in GRPC_SETTINGS.items() if name not in said}
    os.environ.update(missing)

    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]
