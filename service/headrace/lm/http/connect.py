"""Connects to an origin: its name looked up, a socket, TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

from aiohappyeyeballs import (
    start_connection,  # pyright: ignore[reportUnknownVariableType] - half typed: its addresses
)

from headrace.lm.errors import distrust
from headrace.lm.http.connection import Connection
from headrace.lm.http.request import Origin
from headrace.lm.http.response import Broken

Addresses: TypeAlias = Sequence[
    tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]
]

KNOWN_FOR = 60.0
"""Seconds for which the addresses of a name are remembered."""
HEAD_START = 0.25
"""Seconds one address gets before the next is tried beside it (RFC 8305)."""


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])

    return context


TLS = _tls()  # made once, when this is imported: reading the certificates takes its time


class Connector:
    """Makes connections; remembers the addresses of names for a while."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[float, Addresses]] = {}
        self._loop = asyncio.get_running_loop()

    async def connect(self, origin: Origin, make: Callable[[], Connection]) -> Connection:
        """A connection to an origin. Raises Broken."""
        try:
            _, connection = await self._loop.create_connection(
                make,
                sock=await self._socket(origin.host, origin.port),
                ssl=TLS if origin.tls else None,
                server_hostname=origin.host if origin.tls else None,
            )
        except (socket.gaierror, UnicodeError):
            raise Broken("its host name is unknown") from None
        except ssl.SSLCertVerificationError as error:
            raise Broken(distrust(error)) from None
        except OSError:
            raise Broken("it cannot be reached") from None

        return connection

    async def _socket(self, host: str, port: int) -> socket.socket:
        """A connected socket, to the address that answers first."""
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
