"""Strays: what would reach standard error past the log, as lines of the log.

Warnings, exceptions that nobody catches, and whatever prints there.
"""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

MAX_LINE = 8192
"""Characters of a line that has not ended; one that is longer is cut there."""

logger = logging.getLogger("headrace.strays")
printed = logging.getLogger("stderr")


def catch_strays(*, prints: bool) -> Callable[[], None]:
    """Catches them, and prints if asked to, until the function that it gives is called."""
    caught = ExitStack()
    logging.captureWarnings(True)
    caught.callback(logging.captureWarnings, False)
    _replace(caught, threading, "excepthook", _thread_raised)
    _replace(caught, sys, "unraisablehook", _went_unraised)

    if prints:
        printed.setLevel(logging.INFO)
        lines = PrintedLines(sys.stderr)
        caught.callback(lines.flush_begun)
        _replace(caught, sys, "stderr", lines)

    return caught.close


def _replace(caught: ExitStack, module: object, name: str, value: object) -> None:
    caught.callback(setattr, module, name, getattr(module, name))
    setattr(module, name, value)


def _thread_raised(args: threading.ExceptHookArgs) -> None:
    error = args.exc_value

    if error is not None and not isinstance(error, SystemExit):
        name = args.thread.name if args.thread else "that is gone"
        logger.error("thread %s raised", name, exc_info=error)


def _went_unraised(args: UnraisableHookArgs) -> None:
    name = getattr(args.object, "__qualname__", type(args.object).__qualname__)
    logger.error("%s in %s", args.err_msg or "exception ignored", name, exc_info=args.exc_value)


class PrintedLines(io.TextIOBase):
    """In the place of standard error: each line that is printed becomes one of the log."""

    def __init__(self, behind: TextIO) -> None:
        super().__init__()
        self._behind = behind
        self._begun: dict[tuple[int, int], str] = {}  # by process and thread, or lines would mix

    @property
    def encoding(self) -> str:  # type: ignore[override]  # an attribute there
        """See io.TextIOBase."""
        return "utf-8"

    def fileno(self) -> int:
        """Of standard error itself, for other processes and crash reports."""
        return self._behind.fileno()

    def writable(self) -> bool:
        """See io.IOBase."""
        return True

    def write(self, text: str, /) -> int:
        """Logs the lines that end in it."""
        writer = os.getpid(), threading.get_ident()
        *lines, begun = re.split(r"[\r\n]+", self._begun.pop(writer, "") + text)

        if len(begun) > MAX_LINE:
            lines, begun = [*lines, begun], ""

        if begun:
            self._begun[writer] = begun

        for line in lines:
            self._log(line)

        return len(text)

    def flush_begun(self) -> None:
        """Logs the lines that have not ended."""
        while self._begun:
            self._log(self._begun.popitem()[1])

    def _log(self, line: str) -> None:
        if line.strip():
            printed.info("%s", line)
