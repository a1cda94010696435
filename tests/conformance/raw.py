"""HTTP/2 by hand: a peer that speaks just enough of it to be rude."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY = 4, 6, 7


class Frame(NamedTuple):
    """One frame as it came."""

    kind: int
    payload: bytes


def frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    """A frame as it is sent."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


GREETING = PREFACE + frame(SETTINGS)


class Peer:
    """A connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Sends bytes; none where the server has left."""
        with suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    async def frames(self, last: Frame | None = None) -> list[Frame]:
        """All frames up to the last one, or until the server closes the connection."""
        found: list[Frame] = []

        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while last is None or last not in found:
                head = await self._reader.readexactly(9)
                payload = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
                found.append(Frame(head[3], payload))

        return found


@asynccontextmanager
async def peer(address: str) -> AsyncGenerator[Peer, None]:
    """A raw connection inside an `async with` block."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))

    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
