"""What the server processes of the bench share: saying where they listen, and choosing a loop."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable


def announce(address: str) -> None:
    """Tells the parent, which reads it from the log."""
    print(f"serving on {address}", flush=True)  # noqa: T201 - the parent reads it


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Makes event loops: "asyncio", "uvloop", or "auto" for uvloop where it is installed."""
    if name == "asyncio" or (name == "auto" and importlib.util.find_spec("uvloop") is None):
        return asyncio.new_event_loop

    import uvloop

    return uvloop.new_event_loop
