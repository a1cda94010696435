"""A gRPC client for the bench that costs next to nothing: one call kind, no header decoding.

It speaks just enough HTTP/2 to open server-streaming calls and to read their messages. grpc.aio would
cost the reading process more than many a server spends on writing, and on a small machine the
figures would be its own. Windows are as large as the protocol allows, so nothing is ever held back.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterable
from typing import cast

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 0x1
END_HEADERS = 0x4
INITIAL_WINDOW = 4
LARGEST = 2**31 - 1

Receive = Callable[[bytes | None], None]
"""Takes each message of a call; None when the call is over."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One HTTP/2 frame."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + stream.to_bytes(4) + payload


def headers(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Header fields, written out: no table, no compression."""
    return b"".join(
        b"\x00%c%b%c%b" % (len(name), name.encode(), len(value), value.encode())
        for name, value in pairs
    )


class Connection(asyncio.Protocol):
    """One connection with any number of calls on it."""

    def __init__(self) -> None:
        self._calls: dict[int, tuple[Receive, bytearray]] = {}
        self._next = 1
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)
        window = struct.pack(">HI", INITIAL_WINDOW, LARGEST)
        more = struct.pack(">I", LARGEST - 65_535)
        self._transport.write(PREFACE + frame(SETTINGS, 0, 0, window) + frame(WINDOW, 0, 0, more))

    def call(self, path: str, message: bytes, receive: Receive) -> None:
        """Opens a call with its one request."""
        stream, self._next = self._next, self._next + 2
        self._calls[stream] = receive, bytearray()
        block = headers(
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", path),
                (":authority", "bench"),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
            ]
        )
        body = b"\x00" + struct.pack(">I", len(message)) + message
        self._transport.write(
            frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, END_STREAM, stream, body)
        )

    def close(self) -> None:
        """Leaves, whatever is still open."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Reads the frames that are whole."""
        data = self._rest + data
        at = 0

        while len(data) - at >= 9:
            end = at + 9 + int.from_bytes(data[at : at + 3])

            if len(data) < end:
                break

            stream = int.from_bytes(data[at + 5 : at + 9])
            self._take(data[at + 3], data[at + 4], stream, data[at + 9 : end])
            at = end

        self._rest = data[at:]

    def connection_lost(self, error: Exception | None) -> None:
        """All calls are over."""
        for stream in list(self._calls):
            self._end(stream)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == DATA:
            self._read(stream, payload)
        elif kind == SETTINGS and not flags & ACK:
            self._transport.write(frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            self._transport.write(frame(PING, ACK, 0, payload))

        if kind == GOAWAY:
            raise ConnectionError(f"the server leaves: {payload[8:]!r}")

        if kind == RST or (kind in (DATA, HEADERS) and flags & END_STREAM):
            self._end(stream)

    def _read(self, stream: int, payload: bytes) -> None:
        if stream not in self._calls:
            return

        receive, held = self._calls[stream]
        held += payload

        while len(held) >= 5:
            end = 5 + int.from_bytes(held[1:5])

            if len(held) < end:
                break

            receive(bytes(held[5:end]))
            del held[:end]

    def _end(self, stream: int) -> None:
        call = self._calls.pop(stream, None)

        if call is not None:
            call[0](None)


async def connect(host: str, port: int) -> Connection:
    """A connection to a gRPC server without TLS."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, host, port)

    return connection
