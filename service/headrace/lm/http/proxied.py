"""Requests through a proxy, by aiohttp: the proxy's own connection, its tunnel, TLS inside it.

Slower than our own connections, which have none of that: a task is woken for every piece of a body.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from headrace.lm.errors import distrust
from headrace.lm.http import connect
from headrace.lm.http.connection import HEAD_LIMIT
from headrace.lm.http.request import Address, parse_url
from headrace.lm.http.response import Broken, ConnectTimeout, Response, Take

KEEP_ALIVE = 30.0
"""Seconds an idle connection is kept."""
OURS = ("Accept", "Content-Type")
"""Headers that aiohttp would add."""


@dataclass
class Phase:
    """The phase that a request is in."""

    connecting: bool = False


class ProxiedRequests:
    """Posts requests through proxies. Belongs to the running loop."""

    def __init__(self) -> None:
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_start.append(_connecting)
        trace.on_connection_create_end.append(_connected)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # Response unpacks, and knows when to stop
            max_line_size=HEAD_LIMIT,
            max_field_size=HEAD_LIMIT,
            skip_auto_headers=OURS,
            trace_configs=[trace],
        )

    async def post(
        self, address: Address, fields: Mapping[str, str], body: bytes, proxy: str, limit: float
    ) -> Response:
        """Sends a request and waits for the head of its response, which has to be left.

        limit: seconds a connection may take. Raises InvalidRequest, ConnectTimeout and Broken.
        """
        by = parse_url(proxy)
        credentials = {"proxy-authorization": by.authorization} if by.authorization else {}
        to_proxy = {"user-agent": fields["user-agent"], **credentials}
        phase = Phase()

        try:
            answer = await self._session.post(
                address.origin.url + address.path,
                data=body,
                headers={**fields, **({} if address.origin.tls else credentials)},
                proxy=by.origin.url,
                proxy_headers=to_proxy if address.origin.tls else None,
                ssl=connect.TLS,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=limit),
                trace_request_ctx=phase,
            )
        except aiohttp.ConnectionTimeoutError:
            raise ConnectTimeout(f"no connection in {limit:g} s") from None
        except UnicodeError:
            raise Broken("its host name is unknown") from None
        except (aiohttp.ClientError, OSError) as error:
            hung_up = phase.connecting and not isinstance(error, aiohttp.ClientConnectorError)
            raise Broken(how_failed(error, "its proxy hung up" * hung_up)) from None

        return PulledResponse(answer)

    async def close(self) -> None:
        """Closes all connections."""
        await self._session.close()


class PulledResponse(Response):
    """A response whose body is fetched from aiohttp."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        super().__init__()
        self._answer = answer
        self._closed = _closed(answer)

        try:
            self._begin(
                answer.status, {name.lower(): value for name, value in answer.headers.items()}
            )
        except Broken:
            self.leave()
            raise

    async def stream(self, take: Take) -> None:
        """See Response.stream."""
        content = self._answer.content

        try:
            while body := await content.readany():
                if self._hand_on(take, body):
                    break
        except (aiohttp.ClientError, OSError) as error:
            raise Broken(how_failed(error)) from None

        self.complete = content.at_eof()

        if self.complete and self._was_reset():
            raise Broken("the connection broke")

    def leave(self) -> None:
        """See Response.leave."""
        connection = self._answer.connection

        if not self.complete and connection is not None and connection.transport is not None:
            connection.transport.abort()  # at once, whatever is still to be sent

        self._answer.close()

    def _was_reset(self) -> bool:
        """True where the connection ended with an error, which aiohttp takes for a body's end too."""
        closed = self._closed

        return closed is not None and closed.done() and closed.exception() is not None


def how_failed(error: Exception, otherwise: str = "") -> str:
    """A few words on how a connection of aiohttp's failed."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return distrust(error.certificate_error)
        case aiohttp.ClientConnectorDNSError():
            return "its host name is unknown"
        case aiohttp.ClientConnectorError():
            return "it cannot be reached"
        case aiohttp.ClientHttpProxyError():
            return "its proxy refuses"
        case aiohttp.ClientResponseError():
            return otherwise or "it does not speak HTTP"
        case _:
            return otherwise or "the connection broke"


def _closed(answer: aiohttp.ClientResponse) -> asyncio.Future[None] | None:
    """The end of the connection, where the body has no other."""
    bounded = answer.headers.keys() & {"Content-Length", "Transfer-Encoding"}
    connection = answer.connection

    if bounded or connection is None or connection.protocol is None:
        return None

    closed = connection.protocol.closed

    if closed is not None:
        closed.add_done_callback(_heard)

    return closed


def _heard(closed: asyncio.Future[None]) -> None:
    """Looks at an end, so that asyncio logs none that nobody asked for."""
    if not closed.cancelled():
        closed.exception()


async def _connecting(_: aiohttp.ClientSession, context: Any, __: object) -> None:
    context.trace_request_ctx.connecting = True


async def _connected(_: aiohttp.ClientSession, context: Any, __: object) -> None:
    context.trace_request_ctx.connecting = False
