"""Lines of standard input, for who must not wait for one with the whole loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading

PIECE = 65_536


class Lines:
    """Lines, read by a thread that may be left behind in its reading.

    It reads the descriptor: a thread inside of Python's own buffer would abort the interpreter at its end.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._started = False

    async def next(self) -> str | None:
        """The next line without its end; None when there are no more."""
        if not self._started:
            self._started = True
            threading.Thread(target=self._read, daemon=True, name="headrace-stdin").start()

        line = await self._lines.get()

        if line is None:
            self._lines.put_nowait(None)  # the end stays the end

        return line

    def forget_typed(self) -> None:
        """Drops what was typed ahead on a terminal. Lines of a pipe or a file stay: they were meant so."""
        if not _flushed():
            return

        dropped = [self._lines.get_nowait() for _ in range(self._lines.qsize())]

        if None in dropped:
            self._lines.put_nowait(None)

    def _read(self) -> None:
        rest = b""

        while piece := _piece():
            *lines, rest = (rest + piece).split(b"\n")

            for line in lines:
                self._put(_decoded(line.removesuffix(b"\r")))

        if rest:
            self._put(_decoded(rest))

        self._put(None)

    def _put(self, line: str | None) -> None:
        with contextlib.suppress(RuntimeError):  # the command has ended
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line)


def _piece() -> bytes:
    try:
        return os.read(sys.stdin.fileno(), PIECE)
    except (AttributeError, OSError, ValueError):  # closed, or no file at all
        return b""


def _decoded(line: bytes) -> str:
    return line.decode(sys.stdin.encoding or "utf-8", "replace")


def _flushed() -> bool:
    """Empties the terminal's own buffer, half a line included; False where there is no terminal."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False

    with contextlib.suppress(ImportError):  # on Windows
        import termios

        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)

    return True
