"""The litellm engine: any provider, through `litellm.acompletion`, with its promises checked.

litellm's own deadlines, retries and word on how a stream ended are not used. Every stream is closed
here, whatever happens, because a stream litellm lost sight of goes on generating.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

import aiohttp
import httpx

from headrace.errors import LMError, LMServerError, LMStreamBrokenError, LMTimeoutError
from headrace.lm import door
from headrace.lm.assembly import Assembly
from headrace.lm.base import Message
from headrace.lm.connections import broken, distrust
from headrace.lm.deadlines import Deadlines, Watchdog
from headrace.lm.failures import DETAIL_LIMIT, refused, said_in_stream, unsupported
from headrace.lm.mending import SURROGATE
from headrace.lm.providers import DIRECT_PROVIDERS, refused_of
from headrace.lm.routes import Route, copied
from headrace.lm.shapes import mapping

NO_KEY = "none"
"""For addresses that need no key: the SDKs below litellm insist on one."""
TEXTS = ("content", "reasoning_content")
CLOSING = 2.0
"""Seconds litellm gets to close a stream."""
LATE = 5.0
"""Seconds litellm's own timeout comes after ours, which tells what happened."""


async def ask(
    route: Route, messages: Sequence[Message], assembly: Assembly, deadlines: Deadlines, model: str
) -> None:
    """Asks once and feeds the answer to the assembly. Raises an LMError."""
    litellm = await door.opened()
    arguments = _arguments(route, messages, deadlines)

    try:
        async with Watchdog(deadlines, model) as watchdog:
            await _read(await litellm.acompletion(**arguments), assembly, watchdog)
    except LMTimeoutError:
        if not assembly.finished:
            raise
    except LMError:
        raise
    except Exception as error:  # litellm raises many kinds, and whatever its providers' code raises
        if error is assembly.stopped_by:
            raise

        if not assembly.finished:
            raise _translated(error, route, assembly, deadlines, model) from None


def _arguments(route: Route, messages: Sequence[Message], deadlines: Deadlines) -> dict[str, Any]:
    provider = route.provider
    arguments: dict[str, Any] = {
        **route.options,
        "model": provider.model,
        "custom_llm_provider": provider.name,
        "messages": [copied(message) for message in messages],
        "timeout": httpx.Timeout(deadlines.total + LATE, connect=deadlines.connect),
        "max_retries": 0,
        "num_retries": 0,
    }

    if (arguments.get("n") or 1) > 1:
        arguments["stream"] = False  # litellm streams the first completion only
        arguments.pop("stream_options", None)

    if key := provider.api_key or (NO_KEY if provider.name in DIRECT_PROVIDERS else None):
        arguments["api_key"] = key

    if provider.api_base:
        arguments["api_base"] = provider.api_base

    return arguments


async def _read(answer: Any, assembly: Assembly, watchdog: Watchdog) -> None:
    if not hasattr(answer, "__aiter__"):
        assembly.feed(answer.model_dump())
        return

    pieces = 0

    try:
        async for chunk in answer:
            sent = _as_sent(chunk)
            assembly.suspicious = assembly.suspicious or _has_surrogates(sent)
            assembly.feed(sent)
            assembly.flush()

            if assembly.pieces != pieces:
                pieces = assembly.pieces
                watchdog.progressed()
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING):
                await answer.aclose()

        if reason := answer.received_finish_reason or answer.intermittent_finish_reason:
            assembly.feed({"choices": [{"finish_reason": reason}]})


def _as_sent(chunk: Any) -> dict[str, Any]:
    """The chunk in OpenAI's words, without litellm's finish reasons: it makes some up."""
    usage = getattr(chunk, "usage", None)

    return {
        "model": chunk.model,
        "choices": [_choice(one) for one in chunk.choices],
        "usage": usage.model_dump() if usage is not None else None,
    }


def _choice(choice: Any) -> dict[str, Any]:
    delta, logprobs = choice.delta, choice.logprobs

    return {
        "index": choice.index,
        "delta": {
            "content": delta.content,
            "reasoning_content": getattr(delta, "reasoning_content", None),
            "tool_calls": [call.model_dump() for call in delta.tool_calls or ()],
        },
        "logprobs": logprobs.model_dump() if hasattr(logprobs, "model_dump") else logprobs,
    }


def _has_surrogates(sent: dict[str, Any]) -> bool:
    texts = (str(one["delta"][kind] or "") for one in sent["choices"] for kind in TEXTS)

    return any(SURROGATE.search(text) for text in texts)


def _translated(
    error: Exception, route: Route, assembly: Assembly, deadlines: Deadlines, model: str
) -> LMError:
    """litellm's error in our words, from what lies at the bottom of it."""
    known = door.litellm().exceptions
    chain = list(_chain(error))
    said = " ".join(dict.fromkeys(str(one) for one in chain))

    if isinstance(error, known.UnsupportedParamsError):
        provider = route.provider
        refused_options = refused_of(provider.model, provider.name, route.options)
        return unsupported(provider.name, refused_options, model, said)

    for one in chain:
        match one:
            case httpx.HTTPStatusError(response=response):
                return refused(
                    response.status_code,
                    said,
                    model=model,
                    headers=response.headers,
                    body=_body(response),
                )
            case httpx.ConnectTimeout() | httpx.PoolTimeout():
                return LMTimeoutError("connect", deadlines.connect, model=model)
            case httpx.TransportError() | aiohttp.ClientError():
                how = _distrust(chain) or _how(_at_bottom(chain, one))
                return broken(model, how, emitted=assembly.emitted)
            case UnicodeDecodeError() | json.JSONDecodeError():
                return LMStreamBrokenError("the LM's answer has malformed JSON", model=model)
            case _:
                pass

    return _reported(chain[-1], said, model)


def _body(response: httpx.Response) -> str:
    """The body of a refusal, where litellm has read it."""
    try:
        return response.text
    except httpx.ResponseNotRead:
        return ""


def _at_bottom(chain: Sequence[Exception], error: Exception) -> Exception:
    """The HTTP library's own error, which tells more than the one it was wrapped in."""
    return next((one for one in chain if isinstance(one, aiohttp.ClientError)), error)


def _distrust(chain: Sequence[Exception]) -> str:
    """Why the provider's certificate is not trusted, if that is what lies at the bottom."""
    found = [one for one in chain if isinstance(one, ssl.SSLCertVerificationError)]

    return distrust(found[-1]) if found else ""


def _how(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "its host name is unknown"
        case aiohttp.ClientConnectorError():
            return "it cannot be reached"
        case _:
            return "the connection broke"


def _reported(cause: Exception, said: str, model: str) -> LMError:
    """For errors that litellm tells apart by attributes only: `body` as OpenAI's, or a status."""
    if body := mapping(getattr(cause, "body", None)):
        return said_in_stream(body, model=model)

    status = getattr(cause, "status_code", None)

    if isinstance(status, int) and status >= 400:
        return refused(status, said, model=model)

    text = f"litellm failed with {type(cause).__name__}"

    return LMServerError(text, model=model, detail=said[:DETAIL_LIMIT])


def _chain(error: BaseException) -> Iterator[Exception]:
    """The error and what it came from, outermost first."""
    seen: list[BaseException] = []
    rest: list[BaseException | None] = [error]

    while rest:
        one = rest.pop(0)

        if isinstance(one, Exception) and not any(one is other for other in seen):
            seen.append(one)
            rest += [getattr(one, "original_exception", None), one.__cause__, one.__context__]
            yield one
