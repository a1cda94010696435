"""One HTTP/1.1 connection: reads requests, runs one answer at a time, notices at once when its peer leaves.

A protocol of its own rather than a web framework, because faults need the bytes and the socket: half
a header, a reset in the middle of a chunk, silence.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TypeAlias, cast

from headrace_mock.requests import Received, mask

Answer: TypeAlias = Callable[[Received, "Connection"], Awaitable[None]]
Notice: TypeAlias = Callable[["Connection"], None]


class Connection(asyncio.Protocol):
    """A client's connection to the mock."""

    def __init__(self, answer: Answer, opened: Notice, closed: Notice) -> None:
        self._answer = answer
        self._opened = opened
        self._closed = closed
        self._buffer = bytearray()
        self._request: Received | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._opened(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data

        if self._task is None:
            self._take_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed(self)
        self._writable.set()

        if self._request is not None:
            self._request.note_left()

        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def write(self, data: bytes) -> None:
        """Sends bytes; waits while the peer does not read."""
        self._transport.write(data)
        await self._writable.wait()

    def close(self) -> None:
        """Ends the connection after what was written."""
        self._transport.close()

    def reset(self) -> None:
        """Ends the connection with a TCP reset."""
        peer = cast("socket.socket", self._transport.get_extra_info("socket"))
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    async def closed(self) -> None:
        """Ends the connection and waits for its answer to stop."""
        self._transport.abort()

        if self._task is not None:
            await asyncio.wait({self._task})

    def _take_request(self) -> None:
        head, separator, rest = bytes(self._buffer).partition(b"\r\n\r\n")

        if not separator:
            return

        request = _request(head)
        length = int(request.headers.get("content-length", "0"))

        if len(rest) < length:
            return

        del self._buffer[: len(head) + len(separator) + length]
        request.body = json.loads(rest[:length]) if length else {}
        self._request = request
        self._task = asyncio.get_running_loop().create_task(self._serve(request))

    async def _serve(self, request: Received) -> None:
        await self._answer(request, self)
        self._task = None

        if not self._transport.is_closing():
            self._take_request()


def _request(head: bytes) -> Received:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)

    return Received(method, path, mask({name.lower(): value.strip() for name, _, value in pairs}))
