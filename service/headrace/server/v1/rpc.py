"""RPC: the boundary around every method. It identifies the caller, parses, and maps errors to statuses.

grpc.aio sends the text of an exception it does not know to the client, and replies to bytes it cannot
decode with a traceback in the log; so methods take bytes, and nothing leaves them but a status.
"""

from __future__ import annotations

import asyncio
import logging
from collections import ChainMap
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar
from urllib.parse import unquote

import grpc
from google.protobuf.message import DecodeError, Message
from grpc.aio import AbortError, ServicerContext

from headrace.errors import (
    FieldViolation,
    HeadraceError,
    InputInvalid,
    RequestInvalid,
    RequestRefused,
    ServerFault,
)
from headrace.log_context import log_context
from headrace.server.config import Principal
from headrace.server.core import Caller
from headrace.server.errors import RunOver
from headrace.server.v1.spent import with_usage
from headrace.server.v1.status import RpcStatus, status_of
from headrace.server.v1.text import status_message

logger = logging.getLogger("headrace.server")
refusals = logging.getLogger("headrace.refusals")
"""Of these, at most so many lines a second are written."""

CALLER_CONTEXT_BYTES: Mapping[str, int] = {"traceparent": 256, "tracestate": 512, "baggage": 8192}
"""Metadata that goes with a run for those who trace it, and how long it may be."""

NOTHING: Mapping[str, str] = {}
"""For the many calls that send none."""

Context: TypeAlias = "ServicerContext[bytes, bytes]"
Method: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Req = TypeVar("Req", bound=Message)
M = TypeVar("M", bound=Message)
T = TypeVar("T")


@dataclass(slots=True)
class RpcCall(Generic[Req]):
    """One RPC, as methods see it."""

    request: Req
    context: Context
    caller: Caller
    facts: dict[str, str] = field(default_factory=dict[str, str])
    """Known of it so far: run_id, program. Goes into the log and into the details of an error."""
    trailers: dict[str, str] = field(default_factory=dict[str, str])
    """Sent at its end, however it ends."""

    def send_trailers(self) -> None:
        """Sends them at a good end; a bad one sends them with its status."""
        self.context.set_trailing_metadata(tuple(self.trailers.items()))


Unary: TypeAlias = Callable[[RpcCall[Any]], Awaitable[Message]]
Streaming: TypeAlias = Callable[[RpcCall[Any]], Awaitable[None]]
Identify: TypeAlias = Callable[[Context], Principal]
"""Gives the caller of a method. Raises Unauthenticated."""


class RpcBoundary:
    """Wraps methods: RPCs come in here, and errors go out. It counts the calls that are inside."""

    def __init__(self, identify: Identify) -> None:
        self._identify = identify
        self._inside = 0
        self._emptied = asyncio.Event()
        self._emptied.set()

    async def emptied(self) -> None:
        """Waits until no call is inside."""
        await self._emptied.wait()

    def unary(self, kind: type[Message], method: Unary) -> Method:
        """A method that gives one message."""

        async def answer(call: RpcCall[Any]) -> bytes:
            message = await method(call)
            call.send_trailers()

            return message.SerializeToString()

        async def serve(payload: bytes, context: Context) -> bytes:
            return await self._pass(kind, payload, context, answer)

        return grpc.unary_unary_rpc_method_handler(serve)

    def streaming(self, kind: type[Message], method: Streaming) -> Method:
        """A method that writes a stream of messages."""

        async def answer(call: RpcCall[Any]) -> None:
            await method(call)
            call.send_trailers()

        async def serve(payload: bytes, context: Context) -> None:
            await self._pass(kind, payload, context, answer)

        return grpc.unary_stream_rpc_method_handler(serve)

    async def _pass(
        self,
        kind: type[Message],
        payload: bytes,
        context: Context,
        answer: Callable[[RpcCall[Any]], Awaitable[T]],
    ) -> T:
        self._inside += 1
        self._emptied.clear()

        try:
            return await self._guard(kind, payload, context, answer)
        except grpc.aio.InternalError:  # the client left, or its deadline passed, in mid-sending
            raise asyncio.CancelledError from None
        finally:
            self._inside -= 1

            if not self._inside:
                self._emptied.set()

    async def _guard(
        self,
        kind: type[Message],
        payload: bytes,
        context: Context,
        answer: Callable[[RpcCall[Any]], Awaitable[T]],
    ) -> T:
        facts: dict[str, str] = {}
        trailers: dict[str, str] = {}
        peer, request = peer_of(context), None
        log_context.set(facts)

        try:
            principal = self._identify(context)
            log_context.set(ChainMap(facts, {"principal": principal.name}))
            request = parse(kind, payload)
            caller = Caller(principal, peer, caller_context(context.invocation_metadata() or ()))
            return await answer(RpcCall(request, context, caller, facts, trailers))
        except (AbortError, grpc.aio.InternalError):
            raise
        except Exception as error:  # noqa: BLE001 - no text of it may reach the client
            if isinstance(error, RequestRefused):
                method = kind.DESCRIPTOR.name.removesuffix("Request")
                report_refusal(error, method, peer, getattr(request, "program", ""))

            await _abort(context, _status(error, kind, facts, trailers))


def parse(kind: type[M], payload: bytes) -> M:
    """A request message. Raises RequestInvalid for bytes that are none."""
    try:
        return kind.FromString(payload)
    except (DecodeError, RecursionError):
        violation = FieldViolation("request", f"is no {kind.DESCRIPTOR.full_name} message")
        raise RequestInvalid([violation]) from None


async def refuse(error: RequestRefused, method: str, context: ServicerContext[Any, Any]) -> None:
    """Ends a call of a method that is not entered."""
    report_refusal(error, method, peer_of(context))
    await _abort(context, status_of(error, {}, {}))


def report_refusal(error: RequestRefused, method: str, peer: str, program: str = "") -> None:
    """Logs a call that started nothing. What is wrong with inputs is content, and stays out."""
    unfit = isinstance(error, InputInvalid)
    words = "the inputs do not fit the program" if unfit else status_message(error.message)
    facts = {"reason": error.reason, "method": method, "peer": peer, "program": program}
    refusals.info("refused: %s", words, extra={"facts": facts})


def peer_of(context: ServicerContext[Any, Any]) -> str:
    """The caller's address, as host:port."""
    _, _, address = unquote(context.peer()).partition(":")

    return address


async def _abort(context: ServicerContext[Any, Any], status: RpcStatus) -> NoReturn:
    await context.abort(status.code, status.message, status.trailers)


def _status(
    error: Exception, kind: type[Message], facts: Mapping[str, str], trailers: Mapping[str, str]
) -> RpcStatus:
    """The end of an RPC in which `error` was raised; one that is not ours, or malformed, is a defect."""
    over = error if isinstance(error, RunOver) else None
    failure = error if over is None else over.failure
    state = _without_state(trailers) if over is None else trailers

    if isinstance(failure, HeadraceError):
        try:
            status = status_of(failure, facts, trailers, over.cause if over else "")

            return with_usage(status, over.usage) if over and over.usage else status
        except Exception as malformed:  # noqa: BLE001 - it is logged as the defect
            failure = malformed

    fault = ServerFault()
    logger.error("%s in %s", fault.message, kind.DESCRIPTOR.name, exc_info=failure)

    return status_of(fault, facts, state)


def _without_state(trailers: Mapping[str, str]) -> dict[str, str]:
    """A defect of the server does not say that a run is over, unless it came to tell just that."""
    return {name: value for name, value in trailers.items() if name != "headrace-run-state"}


def caller_context(metadata: Iterable[tuple[str, str | bytes]]) -> Mapping[str, str]:
    """The trace context in a call's metadata; what is too long is left out, for half of it says nothing.

    Of several values under one name the list counts, as HTTP has it.
    """
    found: dict[str, str] = {}

    for name, value in metadata:
        if name in CALLER_CONTEXT_BYTES and isinstance(value, str):
            found[name] = f"{found[name]},{value}" if name in found else value

    return {
        name: value for name, value in found.items() if len(value) <= CALLER_CONTEXT_BYTES[name]
    } or NOTHING
