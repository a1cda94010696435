"""The direct engine: OpenAI's chat-completions SSE, read by ourselves.

One POST, one loop over what arrives, one call to the receiver per piece of the answer. Whatever ends
the loop early, the connection is aborted at once: the provider must not go on for nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import aiohttp
import orjson

from headrace.errors import (
    LMNotConfiguredError,
    LMStreamBrokenError,
    LMTimeoutError,
    UsageError,
)
from headrace.lm.assembly import Assembly
from headrace.lm.base import Message
from headrace.lm.connections import broken
from headrace.lm.deadlines import Deadlines, Watchdog
from headrace.lm.failures import refused, said_in_stream
from headrace.lm.routes import Route
from headrace.lm.sessions import http_session
from headrace.lm.sse import LINE_LIMIT, EventSplitter, LineTooLong

REFUSAL_LIMIT = 16 * 1024
"""Bytes read of a refusal."""
REFUSAL_TIME = 0.5
"""Seconds to wait for its words; the status alone says enough."""
GOODBYE = 0.05
"""Seconds for the end of a body whose answer is whole, so that its connection can be kept."""


async def ask(
    route: Route, messages: Sequence[Message], assembly: Assembly, deadlines: Deadlines, model: str
) -> None:
    """Asks once and feeds the answer to the assembly. Raises an LMError."""
    session = await http_session()
    body = _encoded(route.body(messages))
    timeout = aiohttp.ClientTimeout(total=None, connect=deadlines.connect)
    watchdog = Watchdog(deadlines, model)

    try:
        async with watchdog:
            response = await session.post(
                route.url,
                data=body,
                headers=route.headers,
                timeout=timeout,
                allow_redirects=False,
                proxy=route.proxy,
            )

            try:
                await _read(response, assembly, watchdog, model)
            finally:
                _leave(response)
    except aiohttp.ConnectionTimeoutError:
        raise LMTimeoutError("connect", deadlines.connect, model=model) from None
    except aiohttp.InvalidURL:
        raise LMNotConfiguredError("api_base is no valid URL", model=model) from None
    except (aiohttp.ClientError, OSError) as error:
        if error is assembly.stopped_by:
            raise

        if not assembly.finished:  # else the answer is whole, however its connection ended
            raise broken(model, error, emitted=assembly.emitted) from None


def _encoded(body: object) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:
        pass

    try:
        return json.dumps(body).encode()  # takes lone surrogates and integers of any size
    except TypeError as error:
        raise UsageError(f"messages and options of an LM must be JSON: {error}") from None


async def _read(
    response: aiohttp.ClientResponse, assembly: Assembly, watchdog: Watchdog, model: str
) -> None:
    if not 200 <= response.status < 300:
        said = await _refusal(response.content)
        raise refused(response.status, said, model=model, headers=response.headers)

    if response.content_type == "application/json":
        _feed([await _whole(response.content, model)], assembly, model)
    elif response.content_type == "text/html":
        raise LMStreamBrokenError("the provider answered with a page of HTML", model=model)
    else:
        await _read_events(response.content, assembly, watchdog, model)


async def _refusal(content: aiohttp.StreamReader) -> str:
    """What a provider says with an error status: as much as comes soon."""
    said = b""

    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(REFUSAL_TIME):
            while len(said) < REFUSAL_LIMIT and (data := await content.readany()):
                said += data

    return said.decode("utf-8", "replace")


async def _whole(content: aiohttp.StreamReader, model: str) -> bytes:
    """The body of a provider that does not stream."""
    body = bytearray()

    while data := await content.readany():
        body += data

        if len(body) > LINE_LIMIT:
            raise LMStreamBrokenError("the LM's answer is too long", model=model)

    return bytes(body)


async def _read_events(
    content: aiohttp.StreamReader, assembly: Assembly, watchdog: Watchdog, model: str
) -> None:
    splitter = EventSplitter()
    pieces = 0

    while data := await content.readany():
        try:
            done = _feed(splitter.feed(data), assembly, model)
        except LineTooLong:
            raise LMStreamBrokenError(
                "the LM's answer has a line without end", model=model
            ) from None

        if assembly.pieces != pieces:
            pieces = assembly.pieces
            watchdog.progressed("trailer" if assembly.finished else "idle")

        if done:
            await _see_out(content)
            return

    _feed(splitter.close(), assembly, model)


def _feed(payloads: Iterable[bytes], assembly: Assembly, model: str) -> bool:
    """Feeds the chunks; True after [DONE]."""
    chunk: dict[str, Any]

    for payload in payloads:
        try:
            chunk = orjson.loads(payload)
        except ValueError:
            if payload.strip() == b"[DONE]":
                return True

            chunk = _second_look(payload, model)
            assembly.suspicious = True

        if type(chunk) is not dict:
            raise LMStreamBrokenError("the LM's answer has an event that is no chunk", model=model)

        if error := chunk.get("error"):
            raise said_in_stream(error, model=model)

        assembly.feed(chunk)

    return False


def _second_look(payload: bytes, model: str) -> Any:
    """JSON that is wrong only in its characters: lone surrogates, bytes that are not UTF-8."""
    try:
        return json.loads(payload.decode("utf-8", "surrogateescape")) if payload.strip() else {}
    except (ValueError, RecursionError):
        raise LMStreamBrokenError("the LM's answer has malformed JSON", model=model) from None


async def _see_out(content: aiohttp.StreamReader) -> None:
    if not content.at_eof():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE):
                while not content.at_eof():
                    await content.readany()


def _leave(response: aiohttp.ClientResponse) -> None:
    """Gives the connection back if the answer was read to its end, else aborts it."""
    connection = response.connection

    if (
        connection is not None
        and connection.transport is not None
        and not response.content.at_eof()
    ):
        connection.transport.abort()

    response.close()
