"""How gRPC's core behaves under the command. It reads this from the environment when it is imported."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

SETTINGS = {
    "GRPC_VERBOSITY": "NONE",  # its own lines would stand between ours, and are no JSON
    "GRPC_ENABLE_FORK_SUPPORT": "0",  # its handlers crash about half of what a program here forks
}


@contextmanager
def grpc_settings() -> Generator[None, None, None]:
    """Import gRPC inside the block. What the environment says already stands; children inherit that alone.

    Whoever asks for traces gets the lines.
    """
    said = {*os.environ, *(["GRPC_VERBOSITY"] if "GRPC_TRACE" in os.environ else [])}
    missing = {name: value for name, value in SETTINGS.items() if name not in said}
    os.environ.update(missing)

    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]
