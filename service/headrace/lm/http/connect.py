"""Reaching a provider: its name, a socket, perhaps a proxy's tunnel, TLS."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar, cast

from aiohappyeyeballs import (
    start_connection,  # pyright: ignore[reportUnknownVariableType] - half typed: its addresses
)

from headrace.lm.errors import distrust
from headrace.lm.http.connection import Connection
from headrace.lm.http.request import Place, connect_bytes, target_of
from headrace.lm.http.response import Broken

Addresses: TypeAlias = Sequence[
    tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]
]

KNOWN_FOR = 60.0
"""Seconds for which the addresses of a name are remembered."""
HEAD_START = 0.25
"""Seconds one address gets before the next is tried beside it (RFC 8305)."""
TUNNEL_LIMIT = 16 * 1024
GRANTED = re.compile(rb"HTTP/1\.[01] 2\d\d")

T = TypeVar("T", bound=asyncio.Protocol)


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])

    return context


TLS = _tls()  # made once, when this is imported: reading the certificates takes its time


class Reach:
    """Makes connections; remembers the addresses of names for a while."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[float, Addresses]] = {}
        self._loop = asyncio.get_running_loop()

    async def connect(self, place: Place, make: Callable[[], Connection]) -> Connection:
        """A connection to a place. Raises Broken."""
        try:
            if place.proxy is None:
                return await self._open(place, make)

            if not place.tls:
                return await self._open(target_of(place.proxy).place, make)

            return await self._tunnel(place, make)
        except (socket.gaierror, UnicodeError):
            raise Broken("its host name is unknown") from None
        except ssl.SSLCertVerificationError as error:
            raise Broken(distrust(error)) from None
        except OSError:
            raise Broken("it cannot be reached") from None

    async def _open(self, place: Place, make: Callable[[], T]) -> T:
        plug = await self._plug(place.host, place.port)
        _, protocol = await self._loop.create_connection(
            make,
            sock=plug,
            ssl=TLS if place.tls else None,
            server_hostname=place.host if place.tls else None,
        )

        return protocol

    async def _plug(self, host: str, port: int) -> socket.socket:
        """A connected socket."""
        addresses = await self._addresses(host, port)

        try:
            return await start_connection(
                addresses, happy_eyeballs_delay=HEAD_START, loop=self._loop
            )
        except OSError:
            self._known.pop((host, port), None)
            raise

    async def _addresses(self, host: str, port: int) -> Addresses:
        until, addresses = self._known.get((host, port), (0.0, ()))

        if self._loop.time() >= until:
            found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = cast("Addresses", found)
            self._known[host, port] = self._loop.time() + KNOWN_FOR, addresses

        return addresses

    async def _tunnel(self, place: Place, make: Callable[[], Connection]) -> Connection:
        assert place.proxy is not None
        tunnel = await self._open(target_of(place.proxy).place, Tunnel)

        try:
            await tunnel.dig(place)
            connection = make()
            transport = await self._loop.start_tls(
                tunnel.transport, connection, TLS, server_hostname=place.host
            )
        except BaseException:
            tunnel.transport.abort()
            raise

        if transport is None:
            raise Broken("the connection broke")

        connection.connection_made(transport)

        return connection


class Tunnel(asyncio.Protocol):
    """A connection through a proxy, until it stands."""

    def __init__(self) -> None:
        self._said = b""
        self._answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def dig(self, place: Place) -> None:
        """Asks the proxy. Raises Broken."""
        self.transport.write(connect_bytes(place))
        await self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._said += data

        if b"\r\n\r\n" in self._said and not self._answer.done():
            if GRANTED.match(self._said):
                self._answer.set_result(None)
            else:
                self._answer.set_exception(Broken("its proxy refuses"))
        elif len(self._said) > TUNNEL_LIMIT:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if not self._answer.done():
            self._answer.set_exception(Broken("its proxy hung up"))
