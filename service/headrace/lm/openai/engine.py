"""The direct engine: OpenAI's chat-completions SSE, read by ourselves.

One POST, and what arrives is read where it arrives: from the socket to the receiver in one turn of the
event loop. Whatever ends the answer early, the connection is aborted at once: the provider must not go
on for nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from headrace.errors import (
    LMNotConfiguredError,
    LMTimeoutError,
    UsageError,
)
from headrace.lm.answer.assembly import Assembly
from headrace.lm.base import Completion, Message, Receive, Request
from headrace.lm.deadlines import Watchdog
from headrace.lm.engines import Attempt, Engine, Provider
from headrace.lm.errors import broken, refused
from headrace.lm.http import Broken, ConnectTimeout, InvalidRequest, Response, http_pool, proxy_for
from headrace.lm.litellm import Route, find_route, usage_of
from headrace.lm.loose_json import dumps
from headrace.lm.openai.stream import read_answer

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
        await _ask(route, self._proxy, request.messages, answer, attempt)
        usage = usage_of(route.provider, model, answer.usage)

        return attempt.completed(answer, usage, answer.served_by or route.provider.model)


async def _ask(
    route: Route,
    proxy: str | None,
    messages: Sequence[Message],
    assembly: Assembly,
    attempt: Attempt,
) -> None:
    deadlines, model = attempt.deadlines, attempt.lm.model
    pool = await http_pool()

    try:
        async with Watchdog(deadlines, model, when_begun=attempt.begun) as watchdog:
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

    await read_answer(response, assembly, watchdog, model)

    if not response.complete:
        await _see_out(response)


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


async def _see_out(response: Response) -> None:
    """Waits for the end of the body, which is all that its connection lacks to be kept."""
    with contextlib.suppress(TimeoutError, Broken):
        async with asyncio.timeout(GOODBYE):
            await response.stream(lambda _: False)
