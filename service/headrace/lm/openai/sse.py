"""Server-sent events as LM providers write them: bytes in, payloads out. JSON without events is read too.

No I/O, and no label is believed: a body is what it begins like. Lines end with LF, CR or CRLF.

- Every data line is an event of its own: some providers forget the blank line between events.
- A line that begins with an object counts as data: some forget the prefix, of an error or of every
  line, and some answer with one object.
- JSON that its line leaves open goes on: to the end of its event where it began on a data line, else
  to the next line of an event, or the end.
"""

from __future__ import annotations

import re

LINE_LIMIT = 16 * 1024 * 1024
"""Bytes one line may have, or one payload of several lines."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
CLOSED = (b"}", b"]")
"""Endings of a payload that needs no further line."""
BRACKETS = {b"{": b"}", b"[": b"]"}
FIELD = re.compile(rb"(?:data|event|id|retry)?:")
BARE = re.compile(rb"\{|\[\s*(?:\{|\Z)|\[DONE\]")
"""The beginning of a payload without a prefix. A line of a log may begin with a bracket, too."""


class LineTooLong(ValueError):
    """A line, or a payload of several lines, passes LINE_LIMIT."""


class MarkupError(ValueError):
    """The body is a page of HTML or XML."""


class EventSplitter:
    """Cuts a byte stream into payloads, however the stream is cut."""

    def __init__(self) -> None:
        self._begun = False
        self._parts: list[bytes] = []  # of the last line
        self._size = 0
        self._after_cr = False  # a LF that comes next belongs to it
        self._open: list[bytes] = []  # the lines of a payload that is not closed yet
        self._open_size = 0
        self._prefixed = False  # that payload is on data lines
        self.puzzled = False
        """There was a line that is neither an event's nor JSON."""

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads completed by these bytes. Raises LineTooLong and MarkupError."""
        if not self._begun:
            data = self._begin(data)

        if self._after_cr:
            data = data.removeprefix(b"\n")
            self._after_cr = False

        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

        if b"\n" not in data:
            self._keep(data)
            return []

        if self._parts:
            data = b"".join([*self._parts, data])

        lines = data.split(b"\n")
        self._parts, self._size = [], 0
        self._keep(lines.pop())
        payloads: list[bytes] = []

        for line in lines:
            if not line and not self._open:
                continue

            if line.startswith(b"data:") and line.endswith(CLOSED) and not self._open:
                payloads.append(line[5:])
            else:
                payloads += self._look_at(line)

        return payloads

    def close(self) -> list[bytes]:
        """The payloads of what still lacks its end."""
        return [*self.feed(b"\n"), *self._closed()]

    def _begin(self, data: bytes) -> bytes:
        """Leaves out what may stand before the first line."""
        data = b"".join([*self._parts, data]).lstrip()
        data = data.removeprefix(BYTE_ORDER_MARK).lstrip()
        self._parts, self._size = [], 0
        self._begun = not BYTE_ORDER_MARK.startswith(data)  # else it may be the first bytes of one

        if data.startswith(b"<"):
            raise MarkupError

        return data

    def _look_at(self, line: bytes) -> list[bytes]:
        """The payloads that a line completes, when it is not simply one itself."""
        if self._open and self._goes_on(line):
            return []

        payloads = self._closed()
        line = line.lstrip()
        self._prefixed = line.startswith(b"data:")

        if self._prefixed or BARE.match(line):
            payload = line[5:] if self._prefixed else line
            text = payload.strip()

            if text.endswith(BRACKETS.get(text[:1], b"")):
                payloads.append(payload)
            else:
                self._leave_open(payload)
        elif line and not FIELD.match(line):
            self.puzzled = True

        return payloads

    def _goes_on(self, line: bytes) -> bool:
        """Adds a line to the open payload, if it is one of its lines."""
        goes_on = line.startswith(b"data:") if self._prefixed else not FIELD.match(line)

        if goes_on:
            self._leave_open(line[5:] if self._prefixed else line)

        return goes_on

    def _leave_open(self, line: bytes) -> None:
        self._open.append(line)
        self._open_size += len(line)

        if self._open_size > LINE_LIMIT:
            raise LineTooLong

    def _closed(self) -> list[bytes]:
        """The open payload, if there is one: nothing more belongs to it."""
        payloads = [b"\n".join(self._open)] if self._open else []
        self._open, self._open_size = [], 0

        return payloads

    def _keep(self, rest: bytes) -> None:
        if rest:
            self._parts.append(rest)
            self._size += len(rest)

            if self._size > LINE_LIMIT:
                raise LineTooLong
