"""One connection to a provider: bytes in, a response out.

It carries one request at a time. What the response's reader raises stays with that response: an
event loop would only log it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from headrace.lm.http.response import Broken, PushedResponse

HEAD_LIMIT = 64 * 1024
"""Bytes a response's head may have, about: it is counted by what arrives."""


class Connection(asyncio.Protocol):
    """A connection. `left` is called when a response was left, `lost` when the connection is gone."""

    def __init__(
        self, left: Callable[[Connection], None], lost: Callable[[Connection], None]
    ) -> None:
        self._left = left
        self._lost = lost
        self._response: PushedResponse | None = None
        self._headers: dict[str, str] = {}
        self._head_size = 0
        self._ended = False
        self._pieces = 0  # of the body, at its end
        self._body: list[bytes] = []
        self.on_body = self._body.append
        """The parser's callback; a list's own method, because it is called for every token."""
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        self.reusable = False
        """Another request may follow."""

    def request(self, data: bytes) -> PushedResponse:
        """Sends a request, head and body, and gives the response it will have."""
        self._response = response = PushedResponse(self._leave)
        self._headers, self._head_size = {}, 0
        self._ended = self.reusable = False
        self._transport.write(data)

        return response

    def abort(self) -> None:
        """Closes at once, whatever is under way."""
        self.reusable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol. Everything a provider sends comes by here."""
        response, parser = self._response, self._parser

        if response is None or parser is None:
            self.abort()  # nobody asked
            return

        spoke_http = True

        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            spoke_http = False

        if self._ended:
            del self._body[self._pieces :]  # a second answer's: nobody asked for it

        if self._body:
            body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._body.clear()
            response.receive(body)

        if self._ended:
            self._response = None
            response.end()
        elif not spoke_http:
            self._fail("it does not speak HTTP")
        elif not response.status:
            self._check_head(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._parser = None  # it holds on to this object
        self.reusable = False
        self._lost(self)
        response, self._response = self._response, None

        if response is not None:
            response.lost(clean=exc is None)

    def on_message_begin(self) -> None:
        """The parser's callback. After an answer's end a second begins, for which nobody asked."""
        if self._ended:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser's callback."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The parser's callback."""
        status = self._parser.get_status_code() if self._parser else 0

        if self._response is not None and status >= 200:
            self._response.begin(status, self._headers)

        self._headers = {}

    def on_message_complete(self) -> None:
        """The parser's callback. It comes for the interim answers (1xx) too, which have no body."""
        begun = self._response is not None and self._response.status

        if begun and not self._ended and self._parser is not None:
            self._ended, self._pieces = True, len(self._body)
            self.reusable = self._parser.should_keep_alive()

    def _check_head(self, size: int) -> None:
        self._head_size += size

        if self._head_size > HEAD_LIMIT:
            self._fail("the head of its answer has no end")

    def _fail(self, how: str) -> None:
        response, self._response = self._response, None
        self.abort()

        if response is not None:
            response.fail(Broken(how))

    def _leave(self) -> None:
        if self._response is not None:
            self._response = None
            self.abort()

        self._left(self)
