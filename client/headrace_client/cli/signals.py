"""Signals of a command that serves: the first that ends it is told to it, the second ends it at once.

They are Python's own handlers, which every platform and event loop has, and heard by this process alone:
a child that it forks starts out hearing nothing, so that what is meant for a child ends no server.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TypeAlias

Hear: TypeAlias = Callable[[int], object]

ENDING = ("SIGINT", "SIGTERM", "SIGBREAK")
"""The last one is Ctrl-Break on Windows, and a console there that closes."""

LOOK_SECONDS = 0.5
"""A loop that waits may miss a signal, as those on Windows do: it looks for them this often."""

_heard: dict[int, bool] = {}
"""Signals that are heard; whether they were ignored before."""
_thread = threading.local()


def ending(end: Callable[[], object]) -> Mapping[str, Hear]:
    """The first signal to end calls `end` on the loop that runs here; the second is the exit code.

    The second waits for nothing, not even for a loop that a program keeps busy.
    """
    first = on_loop(end)
    told = False

    def hear(number: int) -> None:
        nonlocal told

        if told:
            os._exit(128 + number)

        told = True
        first(number)

    return dict.fromkeys(ENDING, hear)


def on_loop(act: Callable[[], object]) -> Hear:
    """Calls `act` on the loop that runs here."""
    loop = asyncio.get_running_loop()

    return lambda number: loop.call_soon_threadsafe(act)


@contextmanager
def listening(hears: Mapping[str, Hear]) -> Generator[None, None, None]:
    """Hears signals by their names inside the block, even those that were ignored so far.

    They are heard in the main thread, between two steps of what runs there. Names that this platform
    lacks are left out.
    """
    numbers = {getattr(signal, name): hear for name, hear in hears.items() if hasattr(signal, name)}
    found = {number: signal.signal(number, _handler(hear)) for number, hear in numbers.items()}
    _heard.update((number, handler is signal.SIG_IGN) for number, handler in found.items())
    looking = asyncio.get_running_loop().create_task(_look())

    try:
        yield
    finally:
        looking.cancel()

        for number, handler in found.items():
            signal.signal(number, handler or signal.SIG_DFL)
            del _heard[number]


def _handler(hear: Hear) -> Callable[[int, FrameType | None], object]:
    return lambda number, frame: hear(number)


async def _look() -> None:
    while True:  # noqa: ASYNC110 - to wake up is all it does
        await asyncio.sleep(LOOK_SECONDS)


def _hold_back() -> None:
    """A signal that comes while we fork waits until it is clear which process it is for."""
    _thread.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _heard)


def _let_through() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _thread.mask)


def _hear_nothing() -> None:
    """Makes a child what it would be without the command; a signal that waits for it ends it here."""
    if not _heard:
        _let_through()
        return

    signal.set_wakeup_fd(-1)  # its other end wakes the parent's loop

    for number, was_ignored in _heard.items():
        signal.signal(number, signal.SIG_IGN if was_ignored else signal.SIG_DFL)

    _let_through()

    if not _heard.get(signal.SIGINT, True):
        signal.signal(signal.SIGINT, signal.default_int_handler)

    _heard.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_hold_back, after_in_parent=_let_through, after_in_child=_hear_nothing
    )
