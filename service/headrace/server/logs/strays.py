"""Strays: what would reach standard error beside the log, as lines of the log.

Programs and libraries print; Python itself prints exceptions where nobody waits for them, and warnings.
"""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TextIO

from headrace_client.cli.logs import is_json

from headrace.server.config import Logs

MAX_LINE = 8192
"""Characters of a line that has not ended; one that is longer is cut there."""

prints = logging.getLogger("stderr")
strays = logging.getLogger("headrace.strays")


@contextmanager
def prints_logged(logs: Logs) -> Generator[None, None, None]:
    """Inside the block nothing but JSON is written where the log is; other logs leave prints alone."""
    if not is_json(logs.format):
        yield
        return

    behind = sys.stderr
    lines = sys.stderr = PrintedLines(behind)
    prints.setLevel(logging.INFO)

    try:
        yield
    finally:
        sys.stderr = behind
        lines.end()


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

    def end(self) -> None:
        """Logs the lines that have not ended."""
        while self._begun:
            self._log(self._begun.popitem()[1])

    def _log(self, line: str) -> None:
        if line.strip():
            prints.info("%s", line)


def catch_strays() -> Callable[[], None]:
    """Logs what threads and finalisers raise, and warnings; gives the function that puts it back."""
    thread_hook, finaliser_hook = threading.excepthook, sys.unraisablehook
    threading.excepthook = _in_thread
    sys.unraisablehook = _in_finaliser
    logging.captureWarnings(True)

    def put_back() -> None:
        threading.excepthook, sys.unraisablehook = thread_hook, finaliser_hook
        logging.captureWarnings(False)

    return put_back


def _in_thread(caught: threading.ExceptHookArgs) -> None:
    if caught.exc_type is not SystemExit:
        name = caught.thread.name if caught.thread else "?"
        strays.error("thread %s raised", name, exc_info=caught.exc_value)


def _in_finaliser(caught: sys.UnraisableHookArgs) -> None:
    kind = type(caught.object).__qualname__
    name = getattr(caught.object, "__qualname__", kind)
    strays.error("raised where nobody waits: %s", name, exc_info=caught.exc_value)
