"""Background loops: where the async core runs for sync code that is on no trip from a loop."""

from __future__ import annotations

import asyncio
import os
import threading

_lock = threading.Lock()
_loops: list[asyncio.AbstractEventLoop] = []

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_loops.clear)  # their threads are not in the child


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop whose thread this is, if it is one's."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def background_loop(blocked: asyncio.AbstractEventLoop | None) -> asyncio.AbstractEventLoop:
    """The background loop to use when the calling thread's own loop is `blocked` by waiting.

    There is one, plus one for each level at which coroutines on a background loop themselves call
    sync code that calls back: never the blocked one, so such nesting cannot wait for itself.
    """
    with _lock:
        level = _loops.index(blocked) + 1 if blocked in _loops else 0

        if level == len(_loops):
            loop = asyncio.new_event_loop()
            name = f"headrace-portal-{level}"
            threading.Thread(target=loop.run_forever, name=name, daemon=True).start()
            _loops.append(loop)

        return _loops[level]
