"""A TCP proxy that a test can cut: what breaks on the way, without a way that breaks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Cutting:
    """Passes bytes between whoever connects and a port of loopback."""

    def __init__(self, port: int) -> None:
        self.target = port
        """Where new connections go."""
        self._writers: set[asyncio.StreamWriter] = set()
        self.is_down = False
        """Connections are refused while it is."""
        self.accepted = 0
        self.port = 0

    def cut(self) -> None:
        """Breaks every connection, as a network does: with a reset, in the middle of whatever it is."""
        for writer in self._writers:
            writer.transport.abort()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection to its end."""
        if self.is_down:
            writer.transport.abort()
            return

        self.accepted += 1

        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers |= {writer, far_writer}
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
            self._writers -= {writer, far_writer}


@asynccontextmanager
async def cutting(port: int) -> AsyncGenerator[Cutting, None]:
    """A proxy before a port, on a port of its own."""
    proxy = Cutting(port)
    server = await asyncio.start_server(proxy.carry, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]

    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await server.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()

    with contextlib.suppress(OSError):
        writer.close()
