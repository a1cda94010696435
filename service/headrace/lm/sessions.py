"""One HTTP session per event loop, closed when its loop is.

The pool has no limit: a call that waits for a free connection would wait in silence. Connections
whose answer was read to its end are kept alive; others are closed where they stand.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import AsyncGenerator
from weakref import WeakKeyDictionary

import aiohttp

KEEP_ALIVE = 30.0
"""Seconds an idle connection is kept."""
READ_BUFFER = 256 * 1024
CLOSING_AT_EXIT = 1.0

_sessions: WeakKeyDictionary[
    asyncio.AbstractEventLoop, tuple[aiohttp.ClientSession, AsyncGenerator[None, None]]
] = WeakKeyDictionary()


async def http_session() -> aiohttp.ClientSession:
    """The running loop's session."""
    loop = asyncio.get_running_loop()
    held = _sessions.get(loop)

    if held is None or held[0].closed:
        session = _session()
        keeper = _keeper(session)
        held = _sessions[loop] = session, keeper
        await anext(keeper)

    return held[0]


async def _keeper(session: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
    """Closes the session at the loop's end: loops close their asynchronous generators then."""
    try:
        yield
    finally:
        await session.close()


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE, ttl_dns_cache=60),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        read_bufsize=READ_BUFFER,
    )


@atexit.register
def _close_at_exit() -> None:
    """For loops that still run in daemon threads, such as the portal's."""
    for loop, (session, _) in list(_sessions.items()):
        if loop.is_running():
            closing = asyncio.run_coroutine_threadsafe(session.close(), loop)

            try:
                closing.result(CLOSING_AT_EXIT)
            except TimeoutError:
                closing.cancel()
