"""Programs that start processes of their own, and that write where they should not."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from typing import Any, NoReturn

from headrace.module import Module

TOO_LONG = 20
"""Seconds after which a child ends by itself, where a signal did not end it."""


def nap() -> None:
    """What a child does."""
    signal.alarm(TOO_LONG)
    time.sleep(2 * TOO_LONG)


class Stops(Module):
    """Forks, sends the child a signal, at once or when it is at work, and says how that ended it."""

    def forward(self, signal_name: str, at_once: bool) -> int:
        reading, writing = os.pipe()
        child = os.fork()

        if not child:
            try:
                os.write(writing, b".")
                nap()
            finally:
                os._exit(1)

        if not at_once:
            os.read(reading, 1)

        os.kill(child, getattr(signal, signal_name))
        _, status = os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)

        return os.waitstatus_to_exitcode(status)


class Pools(Module):
    """Ends processes of a pool, which it does with SIGTERM, and one that was not forked."""

    def forward(self, method: str) -> int | None:
        context: Any = multiprocessing.get_context(method)

        with context.Pool(2) as pool:
            assert pool.map(abs, [-1, -2]) == [1, 2]

        child = context.Process(target=nap)
        child.start()
        child.terminate()
        child.join()

        exit_code: int | None = child.exitcode

        return exit_code


class Lives(Module):
    """Forks children that do nothing, and says how each ended."""

    def forward(self, count: int) -> list[int]:
        return [self.ended() for _ in range(count)]

    def ended(self) -> int:
        child = os.fork()

        if not child:
            time.sleep(0.01)
            os._exit(0)

        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Blocks(Module):
    """Keeps the event loop busy."""

    async def aforward(self, seconds: float) -> str:
        end = time.monotonic() + seconds
        sys.stderr.write("blocking\n")

        while time.monotonic() < end:
            pass

        return "over"


class Strays(Module):
    """Writes to standard error in all ways but those of the log."""

    def forward(self, words: str) -> str:
        print(words, "printed", file=sys.stderr)  # noqa: T201 - programs do
        sys.stderr.write(f"{words} without an end")
        warnings.warn(f"{words} warned", stacklevel=1)
        thread = threading.Thread(target=fail, name="thread-of-its-own")
        thread.start()
        thread.join()
        Unfinished().close()
        logging.getLogger("library").warning("%d of a word", words)  # which is no number
        child = os.fork()

        if not child:
            sys.stderr.write(f"{words} printed by a child\n")
            os._exit(0)

        os.waitpid(child, 0)

        return words


def fail() -> NoReturn:
    name = "prompt"
    raise KeyError(f"the {name}")


class Unfinished:
    """Raises when it is thrown away."""

    def close(self) -> None: ...

    def __del__(self) -> None:
        fail()


stops, pools, lives, blocks, strays = Stops(), Pools(), Lives(), Blocks(), Strays()
