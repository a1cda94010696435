"""Server-sent events as LM providers write them: bytes in, the payloads of their data lines out.

No I/O. Every data line is an event of its own: no provider spreads one JSON value over several
lines, while some forget the blank line between events. A line that begins with "{" counts as data
too, for providers that forget the prefix of an error.
"""

from __future__ import annotations

LINE_LIMIT = 16 * 1024 * 1024
"""Bytes one line may have."""
DATA = (b"data:", b"{")
"""What lines with a payload begin with."""


class LineTooLong(ValueError):
    """A line passes LINE_LIMIT."""


class EventSplitter:
    """Cuts a byte stream into payloads, however the stream is cut."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads completed by these bytes. Raises LineTooLong."""
        if b"\n" not in data:
            self._keep(data)
            return []

        if self._parts:
            data = b"".join([*self._parts, data])

        lines = data.split(b"\n")
        self._parts, self._size = [], 0
        self._keep(lines.pop())

        return [line[5:] if line[:1] == b"d" else line for line in lines if line.startswith(DATA)]

    def close(self) -> list[bytes]:
        """The payload of a last line without its end."""
        return self.feed(b"\n")

    def _keep(self, rest: bytes) -> None:
        if rest:
            self._parts.append(rest)
            self._size += len(rest)

            if self._size > LINE_LIMIT:
                raise LineTooLong
