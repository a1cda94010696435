"""A TCP proxy that mistreats connections: cuts them short, resets, throttles or stalls them."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 16_384
RESET = struct.pack("ii", 1, 0)


def forever() -> int | None:
    """Lets everything through."""
    return None


@dataclass(eq=False)
class Proxy:
    """Stands in front of one server. What it does may be changed at any time."""

    upstream: str
    budget: Callable[[], int | None] = forever
    """Asked for each connection: bytes from the server after which it is reset; None = never."""
    delay: float = 0.0
    """Seconds that each piece waits."""
    rate: float = 0.0
    """Bytes a second towards the reader; 0 = as they come."""
    cuts: int = 0
    """Connections that were reset so far."""
    address: str = ""
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    def __post_init__(self) -> None:
        self._flowing.set()

    def reset_all(self) -> None:
        """Resets every connection there is."""
        for writer in list(self._writers):
            self._reset(writer)

    def stall(self) -> None:
        """Lets nothing through in either direction, until `flow`."""
        self._flowing.clear()

    def flow(self) -> None:
        """Lets bytes through again."""
        self._flowing.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a reader."""
        host, _, port = self.upstream.rpartition(":")
        self._writers.add(writer)

        try:
            from_server, to_server = await asyncio.open_connection(host, int(port))
        except OSError:
            self._reset(writer)
            return

        tasks = [
            asyncio.ensure_future(self._pump(reader, to_server, None)),
            asyncio.ensure_future(self._pump(from_server, writer, self.budget())),
        ]

        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

            await asyncio.gather(*tasks, return_exceptions=True)
            self._writers.discard(writer)
            self._reset(writer, count=False)
            self._reset(to_server, count=False)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, budget: int | None
    ) -> None:
        with suppress(ConnectionError):
            while data := (await reader.read(CHUNK))[:budget]:
                await self._flowing.wait()

                if self.delay:
                    await asyncio.sleep(self.delay)

                if self.rate:
                    await asyncio.sleep(len(data) / self.rate)

                writer.write(data)
                await writer.drain()

                budget = None if budget is None else budget - len(data)

            self.cuts += budget == 0

    def _reset(self, writer: asyncio.StreamWriter, *, count: bool = True) -> None:
        connection = writer.get_extra_info("socket")

        if connection is not None and not writer.transport.is_closing():
            self.cuts += count
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()


@asynccontextmanager
async def proxied(
    upstream: str, budget: Callable[[], int | None] = forever
) -> AsyncGenerator[Proxy, None]:
    """A proxy in front of a server, inside an `async with` block."""
    proxy = Proxy(upstream, budget)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    try:
        yield proxy
    finally:
        server.close()
        proxy.flow()
        proxy.reset_all()
        await asyncio.sleep(0)
