"""One connection to a provider, and the response that it pushes on where the bytes arrive.

It carries one request at a time. What the response's reader raises stays with that response: an
event loop would only log it.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping
from typing import cast

import httptools

from headrace.lm.http.response import Broken, Response, Take

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


class PushedResponse(Response):
    """A response that its connection pushes on where the bytes arrive."""

    def __init__(self, leave: Callable[[], None]) -> None:
        super().__init__()
        self._leave = leave
        self._kept: list[bytes] = []  # what came before anyone read
        self._take: Take | None = None
        self._context: contextvars.Context  # of whoever reads
        self._error: BaseException | None = None
        self._waiting: asyncio.Future[None] | None = None

    def leave(self) -> None:
        """See Response.leave."""
        self._leave()

    async def begun(self) -> None:
        """Waits for the head. Raises Broken."""
        while not self.status:
            await self._change()

    async def stream(self, take: Take) -> None:
        """See Response.stream. `take` runs in this context but outside this task, in the same turn."""
        self._context = contextvars.copy_context()
        self._take = take
        kept, self._kept = b"".join(self._kept), []

        try:
            if kept:
                self.receive(kept)

            while self._take is not None and not self.complete:
                await self._change()

            if self._error is not None:
                raise self._error
        finally:
            self._take = None

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The head has come."""
        try:
            self._begin(status, headers)
        except Broken as error:
            self.fail(error)

        self._wake()

    def receive(self, body: bytes) -> None:
        """More of the body has come."""
        if self._take is None:
            self._kept.append(body)
            return

        try:
            if self._unpacker is None:
                enough = self._context.run(self._take, body)
            else:
                enough = self._context.run(self._hand_on, self._take, body)
        except BaseException as error:  # noqa: BLE001 - raised where the response is read
            self.fail(error)
        else:
            if enough:
                self._take = None
                self._wake()

    def end(self) -> None:
        """The body has ended."""
        self.complete = True
        self._wake()

    def lost(self, *, clean: bool) -> None:
        """The connection has ended: with some bodies, that is their end, if it was closed and not reset."""
        bounded = "content-length" in self.headers or "transfer-encoding" in self.headers

        if self.status and clean and not bounded:
            self.end()
        else:
            self.fail(Broken("the connection broke"))

    def fail(self, error: BaseException) -> None:
        """It will not become complete."""
        self._error = self._error or error
        self._take = None
        self._wake()

    async def _change(self) -> None:
        if self._error is not None:
            raise self._error

        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
