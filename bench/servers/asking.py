"""Two ways of reading a provider's bytes by hand, for the servers that show the limit.

`by_aiohttp` is what one would write; `by_protocol` parses HTTP where the bytes arrive, which spares a
wake-up of the event loop for each piece, and knows no TLS, no errors and no more than one provider.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

import aiohttp
import httptools
import orjson

URL = os.environ["BENCH_UPSTREAM"] + "/chat/completions"
HEADER = "[[ ## answer ## ]]\n"
FOOTER = "[[ ## completed ## ]]"

Take = Callable[[list[str]], None]
"""Takes the tokens that came together."""


class Tokens:
    """Finds the tokens in a body."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Takes more of the body."""
        *events, self._rest = (self._rest + data).split(b"\n\n")
        texts = [_text(event) for event in events if event != b"data: [DONE]"]
        chunks = [text for text in texts if text and text != HEADER and FOOTER not in text]

        if chunks:
            self._take(chunks)


def _text(event: bytes) -> str:
    choices = orjson.loads(event[6:])["choices"]

    return choices[0]["delta"].get("content") or "" if choices else ""


async def by_aiohttp(body: bytes, take: Take) -> None:
    """Asks, and reads the answer to its end."""
    tokens = Tokens(take)

    async with _session().post(URL, data=body) as response:
        async for data in response.content.iter_any():
            tokens.feed(data)


async def by_protocol(body: bytes, take: Take) -> None:
    """Asks, and reads the answer to its end."""
    where = urlsplit(URL)

    if _idle:
        line = _idle.pop()
    else:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(Line, where.hostname or "", where.port or 80)

    head = (
        b"POST %b HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        % where.path.encode()
    )
    await line.ask(head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body), take)
    _idle.append(line)


class Line(asyncio.Protocol):
    """A connection to the provider."""

    def __init__(self) -> None:
        self._body: list[bytes] = []
        self.on_body = self._body.append

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes, take: Take) -> asyncio.Future[None]:
        """Sends a request; done when the answer is."""
        self._tokens = Tokens(take)
        self._parser = httptools.HttpResponseParser(self)
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended = False
        self._transport.write(request)

        return self._over

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

        if self._body:
            self._tokens.feed(b"".join(self._body))
            self._body.clear()

        if self._ended:
            self._over.set_result(None)

    def on_message_complete(self) -> None:
        """The parser's callback."""
        self._ended = True


_idle: list[Line] = []
_sessions: list[aiohttp.ClientSession] = []


def _session() -> aiohttp.ClientSession:
    if not _sessions:
        connector = aiohttp.TCPConnector(limit=0)
        headers = {"Content-Type": "application/json"}
        _sessions.append(aiohttp.ClientSession(connector=connector, headers=headers))

    return _sessions[0]
