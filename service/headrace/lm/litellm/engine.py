"""The litellm engine: any provider, through `litellm.acompletion`, with its promises checked.

litellm's own deadlines, retries and word on how a stream ended are not used. Every stream is closed
here, whatever happens, because a stream litellm lost sight of goes on generating.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import anyio
import httpx

from headrace.errors import LMError, LMTimeoutError
from headrace.lm.answer.assembly import Assembly
from headrace.lm.base import Completion, Message, Receive, Request
from headrace.lm.deadlines import Deadlines, Watchdog
from headrace.lm.engines import Attempt, Engine, Obstacle, Provider
from headrace.lm.litellm import loading
from headrace.lm.litellm.catalog import usage_of
from headrace.lm.litellm.errors import translated
from headrace.lm.litellm.providers import DIRECT_PROVIDERS
from headrace.lm.litellm.routes import Route, copied, find_route
from headrace.lm.surrogates import SURROGATE

NO_KEY = "none"
"""For addresses that need no key: the SDKs below litellm insist on one."""
TEXTS = ("content", "reasoning_content")
CLOSING = 2.0
"""Seconds litellm gets to close a stream."""
LATE = 5.0
"""Seconds litellm's own timeout comes after ours, which tells what happened."""


class LitellmEngine(Engine):
    """Asks any provider by litellm."""

    name = "litellm"

    def __init__(self, provider: Provider, options: Mapping[str, Any]) -> None:
        """Raises LMUnsupportedError for options that the provider does not take, if it is known."""
        with contextlib.suppress(Obstacle):
            find_route(provider, options)

        self._route = Route(provider, options)

    @staticmethod
    def warm_up() -> None:
        """See Engine.warm_up."""
        loading.warm_up()

    async def ask(self, request: Request, receive: Receive, attempt: Attempt) -> Completion:
        """See Engine.ask."""
        provider = self._route.provider
        answer = attempt.begin_answer(receive, self._route.count)
        await _ask(self._route, request.messages, answer, attempt)
        usage = usage_of(provider, attempt.lm.model, answer.usage)

        return attempt.completed(answer, usage, answer.served_by or provider.model)


async def _ask(
    route: Route, messages: Sequence[Message], assembly: Assembly, attempt: Attempt
) -> None:
    deadlines, model = attempt.deadlines, attempt.lm.model
    litellm = await loading.opened()
    arguments = _arguments(route, messages, deadlines)
    begun = False

    try:
        guard = Watchdog(deadlines, model, PersistentTimeout(), when_begun=attempt.begun)

        async with guard as watchdog:
            answer = await litellm.acompletion(**arguments)
            begun = True
            await _read(answer, assembly, watchdog)
    except LMTimeoutError as error:
        if error is assembly.stopped_by or not assembly.finished:
            raise
    except LMError:
        raise
    except Exception as error:  # litellm raises many kinds, and whatever its providers' code raises
        if error is assembly.stopped_by:
            raise

        if not assembly.finished:
            raise translated(
                error, route, deadlines, model, begun=begun, emitted=assembly.emitted
            ) from None


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

    if route.count > 1:
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
    source = Source()

    try:
        source.watch(answer)

        async for chunk in answer:
            sent = _as_sent(chunk, _reason(answer, "received"))
            assembly.suspicious = assembly.suspicious or _has_surrogates(sent)
            assembly.feed(sent)
            assembly.flush()
            source.watch(answer)

            if assembly.pieces != pieces:
                pieces = assembly.pieces
                watchdog.progressed_at = time.monotonic()
                watchdog.enter("idle")
    finally:
        await _close(answer)

    if source.error is not None:
        raise source.error

    if reason := _reason(answer, "received") or _reason(answer, "intermittent"):
        assembly.feed({"choices": [{"finish_reason": reason}]})
        assembly.end()


class PersistentTimeout:
    """A timeout that cancels again wherever its block goes on: code of litellm's may swallow a cancel."""

    def __init__(self) -> None:
        self._scope = anyio.CancelScope()

    def reschedule(self, when: float) -> None:
        """Sets the end, by the event loop's clock."""
        self._scope.deadline = when

    async def __aenter__(self) -> None:
        self._scope.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._scope.__exit__(kind, error, traceback)

        if self._scope.cancelled_caught:
            raise TimeoutError


class Source:
    """Stands between litellm and the stream it reads, and keeps the error that ended it.

    litellm passes over a broken connection once it has seen a finish reason, however early.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        self._stream: Any = None
        self._chunks: AsyncIterator[Any] | None = None

    def watch(self, answer: Any) -> None:
        """Takes its place as soon as there is a stream: some are opened with the first chunk."""
        stream: Any = getattr(answer, "completion_stream", None)

        if self._chunks is None and hasattr(stream, "__aiter__"):
            self._stream, self._chunks = stream, aiter(stream)
            answer.completion_stream = self

    def __aiter__(self) -> Source:
        return self

    async def __anext__(self) -> Any:
        assert self._chunks is not None

        try:
            return await anext(self._chunks)
        except StopAsyncIteration:
            raise
        except Exception as error:
            self.error = error
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)  # what litellm closes it with


async def _close(answer: Any) -> None:
    """Closes a stream. Whatever litellm makes of that is no matter of the answer's.

    It shields what it does from anyio's deadlines, so that only one of asyncio's bounds it.
    """
    with contextlib.suppress(Exception), anyio.CancelScope(shield=True):
        async with asyncio.timeout(CLOSING):
            await answer.aclose()


def _reason(answer: Any, kind: str) -> str | None:
    """litellm's note of a finish reason.

    The received one is the provider's. The intermittent one may be made up, with Gemini for every
    chunk, and counts only where the stream has ended without an error.
    """
    return getattr(answer, f"{kind}_finish_reason", None)


def _as_sent(chunk: Any, reason: str | None) -> dict[str, Any]:
    """The chunk in OpenAI's words, without litellm's own finish reasons: it makes some up."""
    usage = getattr(chunk, "usage", None)

    return {
        "model": chunk.model,
        "choices": [{**_choice(one), "finish_reason": reason} for one in chunk.choices],
        "usage": usage.model_dump() if usage is not None else None,
    }


def _choice(choice: Any) -> dict[str, Any]:
    delta, logprobs = choice.delta, choice.logprobs
    function = getattr(delta, "function_call", None)

    return {
        "index": choice.index,
        "delta": {
            "content": delta.content,
            "reasoning_content": getattr(delta, "reasoning_content", None),
            "tool_calls": [call.model_dump() for call in delta.tool_calls or ()],
            "function_call": function.model_dump() if function is not None else None,
        },
        "logprobs": logprobs.model_dump() if hasattr(logprobs, "model_dump") else logprobs,
    }


def _has_surrogates(sent: dict[str, Any]) -> bool:
    texts = (str(one["delta"][kind] or "") for one in sent["choices"] for kind in TEXTS)

    return any(SURROGATE.search(text) for text in texts)
