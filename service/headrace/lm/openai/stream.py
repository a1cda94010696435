"""The stream of an answer as LM providers write it: server-sent events, or JSON without them, to chunks.

No label is believed: a body is what it begins like. Lines end with LF, CR or CRLF.

- Every data line is an event of its own: some providers forget the blank line between events.
- A line that begins with an object counts as data: some forget the prefix, of an error or of every
  line, and some answer with one object.
- JSON that its line leaves open goes on: to the end of its event where it began on a data line, else
  to the next line of an event, or the end.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any

import orjson

from headrace.errors import LMStreamBrokenError
from headrace.lm.answer.assembly import Assembly
from headrace.lm.deadlines import Watchdog
from headrace.lm.errors import said_in_stream
from headrace.lm.http import Response
from headrace.lm.loose_json import loads, sequence

LINE_LIMIT = 16 * 1024 * 1024
"""Bytes one line may have, or one payload of several lines."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
CLOSED = (b"}", b"]")
"""Endings of a payload that needs no further line."""
BRACKETS = {b"{": b"}", b"[": b"]"}
FIELD = re.compile(rb"(?:data|event|id|retry)?:")
BARE = re.compile(rb"\{|\[\s*(?:\{|\Z)|\[DONE\]")
"""The beginning of a payload without a prefix. A line of a log may begin with a bracket, too."""


async def read_answer(
    response: Response, assembly: Assembly, watchdog: Watchdog, model: str
) -> None:
    """Reads a body for what it is, not for what its content type says, into the assembly.

    Raises LMStreamBrokenError, what the provider says is wrong, and Broken.
    """
    splitter = EventSplitter()
    pieces = 0
    done = False

    def take(body: bytes) -> bool:
        nonlocal pieces, done
        done = _feed(splitter.feed(body), assembly, model)

        if assembly.pieces != pieces:
            pieces = assembly.pieces
            watchdog.progressed_at = time.monotonic()

            if watchdog.phase != (phase := "trailer" if assembly.settled else "idle"):
                watchdog.enter(phase)

        return done

    try:
        await response.stream(take)

        if not done:
            _feed(splitter.close(), assembly, model)
            assembly.end()
    except LineTooLong:
        raise LMStreamBrokenError("the LM's answer has a line without end", model=model) from None
    except MarkupError:
        raise LMStreamBrokenError(
            "the provider answered with a page of HTML", model=model
        ) from None

    if splitter.puzzled and not assembly.pieces:
        raise LMStreamBrokenError("the provider answered with neither events nor JSON", model=model)


def _feed(payloads: Iterable[bytes], assembly: Assembly, model: str) -> bool:
    """Feeds the chunks that came together; True after [DONE]."""
    chunk: dict[str, Any]

    try:
        for payload in payloads:
            try:
                chunk = orjson.loads(payload)
            except ValueError:
                if payload.strip() == b"[DONE]":
                    assembly.end()
                    return True

                chunk = _second_look(payload, model)
                assembly.suspicious = True

            if type(chunk) is dict and "choices" in chunk and "error" not in chunk:
                assembly.feed(chunk)
            else:
                _feed_rest(chunk, assembly, model)
    finally:
        assembly.flush()

    return False


def _feed_rest(value: Any, assembly: Assembly, model: str) -> None:
    """Feeds what comes in place of a chunk: an array of them, an error, or what means nothing."""
    chunks = sequence(value) or [value]

    if not all(type(chunk) is dict for chunk in chunks):
        raise LMStreamBrokenError("the LM's answer has an event that is no chunk", model=model)

    for chunk in chunks:
        error = chunk if chunk.get("object") == "error" else chunk.get("error")

        if error:
            raise said_in_stream(error, model=model)

        assembly.feed(chunk)


def _second_look(payload: bytes, model: str) -> Any:
    """JSON that is wrong only in its characters."""
    try:
        return loads(payload)
    except ValueError:
        raise LMStreamBrokenError("the LM's answer has malformed JSON", model=model) from None


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
