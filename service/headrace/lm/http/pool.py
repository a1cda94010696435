"""The connections of one event loop, closed when it is.

There is no limit: a call that waits for a free connection would wait in silence. Connections whose
answer was read to its end are kept for a while; others are closed where they stand.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import AsyncGenerator, Mapping
from functools import partial

from headrace.lm.http.connect import Reach
from headrace.lm.http.connection import Connection
from headrace.lm.http.request import Place, request_bytes, target_of
from headrace.lm.http.response import Broken, Response

KEEP_ALIVE = 30.0
"""Seconds an idle connection is kept."""
CLOSING_AT_EXIT = 1.0


class ConnectTimeout(Broken):
    """There was no connection in time."""


class Pool:
    """Posts requests over connections that it keeps. Belongs to the running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reach = Reach()
        self._idle: dict[Place, dict[Connection, asyncio.TimerHandle]] = {}

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
        target = target_of(url, proxy)
        request = request_bytes(target, headers, body)
        connection = self._kept(target.place) or await self._connect(target.place, connect)
        response = connection.request(request)

        try:
            await response.begun()
        except BaseException:
            response.leave()
            raise

        return response

    def close(self) -> None:
        """Closes the idle connections."""
        for connections in self._idle.values():
            for connection, timer in connections.items():
                timer.cancel()
                connection.abort()

        self._idle.clear()

    def _kept(self, place: Place) -> Connection | None:
        idle = self._idle.get(place)

        if not idle:
            return None

        connection, timer = idle.popitem()
        timer.cancel()

        return connection

    async def _connect(self, place: Place, limit: float) -> Connection:
        make = partial(Connection, partial(self._keep, place), partial(self._forget, place))

        try:
            async with asyncio.timeout(limit):
                return await self._reach.connect(place, make)
        except TimeoutError:
            raise ConnectTimeout(f"no connection in {limit:g} s") from None

    def _keep(self, place: Place, connection: Connection) -> None:
        """Its response was left."""
        if connection.reusable:
            timer = self._loop.call_later(KEEP_ALIVE, connection.abort)
            self._idle.setdefault(place, {})[connection] = timer
        else:
            connection.abort()

    def _forget(self, place: Place, connection: Connection) -> None:
        idle = self._idle.get(place, {})

        if timer := idle.pop(connection, None):
            timer.cancel()

        if not idle:
            self._idle.pop(place, None)


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
    pool.close()
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
