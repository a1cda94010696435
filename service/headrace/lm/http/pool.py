"""The connections of one event loop, closed when it is.

There is no limit: a call that waits for a free connection would wait in silence. Connections whose
answer was read to its end are kept for a while; others are closed where they stand.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import AsyncGenerator, Mapping
from functools import partial

from headrace.lm.http.connect import Connector
from headrace.lm.http.connection import Connection
from headrace.lm.http.proxied import KEEP_ALIVE, ProxiedRequests
from headrace.lm.http.request import Origin, fields_of, parse_url, request_bytes
from headrace.lm.http.response import ConnectTimeout, Response

CLOSING_AT_EXIT = 1.0


class Pool:
    """Posts requests over connections that it keeps: its own, or aiohttp's where there is a proxy.

    Belongs to the running loop.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._connector = Connector()
        self._proxied: ProxiedRequests | None = None
        self._idle: dict[Origin, dict[Connection, asyncio.TimerHandle]] = {}

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        proxy: str | None = None,
        connect: float,
    ) -> Response:
        """Sends a request and waits for the head of its response, which has to be left.

        connect: seconds a connection may take. Raises InvalidRequest, ConnectTimeout and Broken.
        """
        address = parse_url(url)
        fields = fields_of(address, headers, body)

        if proxy is not None:
            self._proxied = self._proxied or ProxiedRequests()

            return await self._proxied.post(address, fields, body, proxy, connect)

        request = request_bytes(address, fields, body)
        connection = self._kept(address.origin) or await self._connect(address.origin, connect)
        response = connection.request(request)

        try:
            await response.begun()
        except BaseException:
            response.leave()
            raise

        return response

    async def close(self) -> None:
        """Closes the idle connections."""
        for connections in self._idle.values():
            for connection, timer in connections.items():
                timer.cancel()
                connection.abort()

        self._idle.clear()

        if self._proxied is not None:
            await self._proxied.close()

    def _kept(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin)

        if not idle:
            return None

        connection, timer = idle.popitem()
        timer.cancel()

        return connection

    async def _connect(self, origin: Origin, limit: float) -> Connection:
        make = partial(Connection, partial(self._keep, origin), partial(self._forget, origin))

        try:
            async with asyncio.timeout(limit):
                return await self._connector.connect(origin, make)
        except TimeoutError:
            raise ConnectTimeout(f"no connection in {limit:g} s") from None

    def _keep(self, origin: Origin, connection: Connection) -> None:
        """Its response was left."""
        if connection.reusable:
            timer = self._loop.call_later(KEEP_ALIVE, connection.abort)
            self._idle.setdefault(origin, {})[connection] = timer
        else:
            connection.abort()

    def _forget(self, origin: Origin, connection: Connection) -> None:
        idle = self._idle.get(origin, {})

        if timer := idle.pop(connection, None):
            timer.cancel()

        if not idle:
            self._idle.pop(origin, None)


_pools: dict[asyncio.AbstractEventLoop, tuple[Pool, AsyncGenerator[None, None]]] = {}


async def http_pool() -> Pool:
    """The running loop's pool."""
    loop = asyncio.get_running_loop()
    held = _pools.get(loop)

    if held is None:
        pool = Pool()
        keeper = _keeper(pool)
        held = _pools[loop] = pool, keeper
        await anext(keeper)

    return held[0]


async def _keeper(pool: Pool) -> AsyncGenerator[None, None]:
    """Closes the pool at the loop's end: loops close their asynchronous generators then."""
    try:
        yield
    finally:
        del _pools[asyncio.get_running_loop()]
        await _close(pool)


async def _close(pool: Pool) -> None:
    await pool.close()
    await asyncio.sleep(0)  # sockets are closed in the next turn


@atexit.register
def _close_at_exit() -> None:
    """For loops that still run in daemon threads, such as the portal's."""
    for loop, (pool, _) in list(_pools.items()):
        if loop.is_running():
            closing = asyncio.run_coroutine_threadsafe(_close(pool), loop)

            try:
                closing.result(CLOSING_AT_EXIT)
            except TimeoutError:
                closing.cancel()
