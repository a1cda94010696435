"""The direct engine: OpenAI's chat-completions SSE, read by ourselves.

One POST, and what arrives is read where it arrives: from the socket to the receiver in one turn of the
event loop. Whatever ends the answer early, the connection is aborted at once: the provider must not go
on for nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from headrace.errors import (
    LMNotConfiguredError,
    LMStreamBrokenError,
    LMTimeoutError,
    UsageError,
)
from headrace.lm.answer.assembly import Assembly
from headrace.lm.base import Completion, Message, Receive, Request
from headrace.lm.deadlines import Deadlines, Watchdog
from headrace.lm.engines import Attempt, Engine, Provider
from headrace.lm.errors import broken, refused, said_in_stream
from headrace.lm.http import Broken, ConnectTimeout, InvalidRequest, Response, http_pool, proxy_for
from headrace.lm.litellm import Route, find_route, usage_of
from headrace.lm.loose_json import dumps, loads, sequence
from headrace.lm.openai.sse import EventSplitter, LineTooLong, MarkupError

REFUSAL_LIMIT = 16 * 1024
"""Bytes read of a refusal."""
REFUSAL_TIME = 0.5
"""Seconds to wait for its words; the status alone says enough."""
GOODBYE = 0.05
"""Seconds for the end of a body whose answer is whole, so that its connection can be kept."""


class DirectEngine(Engine):
    """Asks providers that speak OpenAI's chat completions."""

    name = "direct"

    def __init__(self, provider: Provider, options: Mapping[str, Any]) -> None:
        """Raises Obstacle for a provider of another dialect, LMUnsupportedError for options it refuses."""
        self._route = find_route(provider, options)
        self._proxy = proxy_for(self._route.url)

    async def ask(self, request: Request, receive: Receive, attempt: Attempt) -> Completion:
        """See Engine.ask."""
        route, model = self._route, attempt.lm.model
        answer = attempt.begin_answer(receive, route.count)
        await _ask(route, self._proxy, request.messages, answer, attempt.deadlines, model)
        usage = usage_of(route.provider, model, answer.usage)

        return attempt.completed(answer, usage, answer.served_by or route.provider.model)


async def _ask(
    route: Route,
    proxy: str | None,
    messages: Sequence[Message],
    assembly: Assembly,
    deadlines: Deadlines,
    model: str,
) -> None:
    pool = await http_pool()

    try:
        async with Watchdog(deadlines, model) as watchdog:
            response = await pool.post(
                route.url,
                route.headers,
                _encoded(route.body(messages)),  # not kept: the answer may take long
                proxy=proxy,
                connect=deadlines.connect,
            )

            try:
                await _read(response, assembly, watchdog, model)
            finally:
                response.leave()
    except ConnectTimeout:
        raise LMTimeoutError("connect", deadlines.connect, model=model) from None
    except InvalidRequest as error:
        raise LMNotConfiguredError(f"api_base or extra_headers: {error}", model=model) from None
    except LMTimeoutError as error:
        if error is assembly.stopped_by or not assembly.finished:
            raise  # else the answer is whole, and only its end did not come
    except Broken as error:
        if not assembly.finished:  # else the answer is whole, however its connection ended
            raise broken(model, str(error), emitted=assembly.emitted) from None


def _encoded(body: object) -> bytes:
    try:
        return dumps(body)
    except TypeError as error:
        raise UsageError(f"messages and options of an LM must be JSON: {error}") from None


async def _read(response: Response, assembly: Assembly, watchdog: Watchdog, model: str) -> None:
    if not 200 <= response.status < 300:
        said = await _refusal(response)
        raise refused(response.status, said, model=model, headers=response.headers)

    await _read_events(response, assembly, watchdog, model)


async def _refusal(response: Response) -> str:
    """The provider's words with an error status: as much as comes soon."""
    said = bytearray()

    def take(body: bytes) -> bool:
        said.extend(body)
        return len(said) >= REFUSAL_LIMIT

    with contextlib.suppress(TimeoutError, Broken):
        async with asyncio.timeout(REFUSAL_TIME):
            await response.stream(take)

    return said.decode("utf-8", "replace")


async def _read_events(
    response: Response, assembly: Assembly, watchdog: Watchdog, model: str
) -> None:
    """Reads a body for what it is, not for what its content type says."""
    splitter = EventSplitter()
    pieces = 0
    done = False

    def take(body: bytes) -> bool:
        nonlocal pieces, done
        done = _feed(splitter.feed(body), assembly, model)

        if assembly.pieces != pieces:
            pieces = assembly.pieces
            watchdog.progressed("trailer" if assembly.settled else "idle")

        return done

    try:
        await response.stream(take)

        if not done:
            _feed(splitter.close(), assembly, model)
            assembly.end()
    except LineTooLong:
        raise LMStreamBrokenError("the LM's answer has a line without end", model=model) from None
    except MarkupError:
        raise LMStreamBrokenError(
            "the provider answered with a page of HTML", model=model
        ) from None

    if splitter.puzzled and not assembly.pieces:
        raise LMStreamBrokenError("the provider answered with neither events nor JSON", model=model)

    if not response.complete:
        await _see_out(response)


def _feed(payloads: Iterable[bytes], assembly: Assembly, model: str) -> bool:
    """Feeds the chunks that came together; True after [DONE]."""
    chunk: dict[str, Any]

    try:
        for payload in payloads:
            try:
                chunk = orjson.loads(payload)
            except ValueError:
                if payload.strip() == b"[DONE]":
                    assembly.end()
                    return True

                chunk = _second_look(payload, model)
                assembly.suspicious = True

            if type(chunk) is dict and "choices" in chunk and "error" not in chunk:
                assembly.feed(chunk)
            else:
                _feed_rest(chunk, assembly, model)
    finally:
        assembly.flush()

    return False


def _feed_rest(value: Any, assembly: Assembly, model: str) -> None:
    """Feeds what comes in place of a chunk: an array of them, an error, or what means nothing."""
    chunks = sequence(value) or [value]

    if not all(type(chunk) is dict for chunk in chunks):
        raise LMStreamBrokenError("the LM's answer has an event that is no chunk", model=model)

    for chunk in chunks:
        error = chunk if chunk.get("object") == "error" else chunk.get("error")

        if error:
            raise said_in_stream(error, model=model)

        assembly.feed(chunk)


def _second_look(payload: bytes, model: str) -> Any:
    """JSON that is wrong only in its characters."""
    try:
        return loads(payload)
    except ValueError:
        raise LMStreamBrokenError("the LM's answer has malformed JSON", model=model) from None


async def _see_out(response: Response) -> None:
    """Waits for the end of the body, which is all that its connection lacks to be kept."""
    with contextlib.suppress(TimeoutError, Broken):
        async with asyncio.timeout(GOODBYE):
            await response.stream(lambda _: False)
