"""The `headrace` command. It needs the extra `cli`; what it may not have is imported below `main`."""

from __future__ import annotations

import os
import sys

EXTRA = ("click", "rich")


def main() -> None:
    """Runs the command; the entry point of the package."""
    quieten_grpc()

    try:
        from headrace_client.cli.commands import headrace
        from headrace_client.cli.exits import writing
    except ModuleNotFoundError as missing:
        if missing.name not in EXTRA:
            raise

        sys.exit("headrace: the command line is an extra: pip install 'headrace[cli]'")

    with writing():
        headrace()


def quieten_grpc() -> None:
    """Keeps gRPC from writing lines of its own to standard error, unless it was asked to.

    It reads this as it is imported, which is later: see `headrace_client`.
    """
    if "GRPC_TRACE" not in os.environ:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
