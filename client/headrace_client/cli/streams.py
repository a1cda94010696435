"""The standard streams of a command, whatever they are connected to.

The rule: pipes and files carry UTF-8, a terminal its own encoding. Output that cannot be written is an
`OutputLost`; what cannot be told on standard error is not told.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import BinaryIO, TextIO, cast


class OutputLost(Exception):
    """Standard output does not take what the command has to say."""

    def __init__(self, cause: OSError) -> None:
        closed = cause.errno == errno.EBADF
        super().__init__("it is closed" if closed else cause.strerror or str(cause))
        self.reader_left = cause.errno == errno.EPIPE
        """It is a pipe from which nobody reads any more, as in `... | head`."""
        self.then = ""
        """The fate of the command's run, for the message."""


class Output(io.TextIOWrapper):
    """Standard output."""

    def write(self, text: str, /) -> int:
        """Raises OutputLost."""
        try:
            return super().write(text)
        except OSError as error:
            raise OutputLost(error) from error

    def flush(self) -> None:
        """Raises OutputLost."""
        try:
            super().flush()
        except OSError as error:
            raise OutputLost(error) from error


class Messages(io.TextIOWrapper):
    """Standard error."""

    def write(self, text: str, /) -> int:
        """Never fails: there is nobody left to tell."""
        with contextlib.suppress(OSError):
            super().write(text)

        return len(text)

    def flush(self) -> None:
        """Never fails."""
        with contextlib.suppress(OSError):
            super().flush()


def set_up() -> None:
    """Puts streams of this kind in place of Python's own, also of those that are closed.

    No socket may get the number of a stream that is closed: other libraries write to it.
    """
    stdin: object = sys.stdin

    if stdin is None:
        os.open(os.devnull, os.O_WRONLY)
    elif isinstance(stdin, io.TextIOWrapper) and not stdin.isatty():
        stdin.reconfigure(encoding="utf-8-sig", errors="strict")

    sys.stdout = _in_place_of(sys.stdout, Output, os.O_RDONLY)
    sys.stderr = _in_place_of(sys.stderr, Messages, os.O_WRONLY)


def check_output() -> None:
    """Raises OutputLost where standard output is closed, before anything is done for it."""
    if isinstance(sys.stdout, Output):
        try:
            os.write(sys.stdout.fileno(), b"")
        except OSError as error:
            raise OutputLost(error) from error


def discard_output() -> None:
    """Lets go of what is still to be written, which Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _in_place_of(
    stream: TextIO | None, kind: type[io.TextIOWrapper], flags_if_closed: int
) -> TextIO:
    if stream is None:
        nothing = io.FileIO(os.open(os.devnull, flags_if_closed), "w")

        return kind(io.BufferedWriter(nothing), encoding="utf-8", errors="backslashreplace")

    if not isinstance(stream, io.TextIOWrapper):
        return stream

    shows = stream.isatty()
    encoding = stream.encoding if shows else "utf-8"
    errors = "replace" if shows else "backslashreplace"
    line_buffering, write_through = stream.line_buffering, stream.write_through
    binary = cast("BinaryIO", stream.detach())

    return kind(binary, encoding, errors, None, line_buffering, write_through)
