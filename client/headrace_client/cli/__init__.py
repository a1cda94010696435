"""The `headrace` command. It needs the extra `cli`; what it may not have is imported below `main`."""

from __future__ import annotations

import sys

from headrace_client.cli.grpc_settings import grpc_settings

EXTRA = ("click", "rich")


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
