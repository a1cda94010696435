"""A TCP proxy on loopback: a road to a server that a test can freeze or break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Road:
    """Carries bytes both ways until it is told otherwise."""

    def __init__(self, destination: str) -> None:
        host, _, port = destination.rpartition(":")
        self._host, self._port = host, int(port)
        self._open: list[asyncio.StreamWriter] = []
        self._carriers: set[asyncio.Task[None]] = set()
        self._frozen = False
        self.address = ""
        self.breaks = 0
        """How many connections were broken."""

    def freeze(self) -> None:
        """From now on nothing arrives any more, and nobody is told."""
        self._frozen = True

    def break_now(self) -> None:
        """Resets every connection; new ones are welcome."""
        for writer in self._open:
            writer.transport.abort()
            self.breaks += 1

        self._open.clear()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        self._open += [writer, far_writer]

        for one, other in ((reader, far_writer), (far_reader, writer)):
            carrier = asyncio.create_task(self._carry(one, other))
            self._carriers.add(carrier)
            carrier.add_done_callback(self._carriers.discard)

    async def close(self) -> None:
        self.break_now()

        for carrier in list(self._carriers):
            carrier.cancel()

        await asyncio.gather(*self._carriers, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while part := await reader.read(65536):
                if self._frozen:
                    await asyncio.Event().wait()

                writer.write(part)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def road_to(destination: str) -> AsyncGenerator[Road, None]:
    """A road for as long as the block lasts."""
    road = Road(destination)
    server = await asyncio.start_server(road.connect, "127.0.0.1", 0)
    road.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    try:
        yield road
    finally:
        server.close()
        await road.close()
