"""RPC: what surrounds every method, once: who calls, decoding, and how errors leave the server.

grpc.aio sends the text of an exception it does not know to the client, and replies to bytes it cannot
decode with a traceback in the log; so methods take bytes, and nothing leaves them but a status.
"""

from __future__ import annotations

import asyncio
import logging
from collections import ChainMap
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message
from grpc.aio import AbortError, ServicerContext

from headrace.errors import HeadraceError, RequestRefused, ServerFault
from headrace.log_context import log_context
from headrace.server.config import Principal
from headrace.server.refusals import peer_of, report_refusal
from headrace.server.v1.requests import parse
from headrace.server.v1.status import RpcStatus, status_of

logger = logging.getLogger("headrace.server")

Context: TypeAlias = "ServicerContext[bytes, bytes]"
Method: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Req = TypeVar("Req", bound=Message)


@dataclass(slots=True)
class RpcCall(Generic[Req]):
    """One RPC, as methods see it."""

    request: Req
    context: Context
    principal: Principal
    peer: str = ""
    """Where the caller is."""
    facts: dict[str, str] = field(default_factory=dict[str, str])
    """What is known of it so far: run_id, program. Goes into the details of an error."""
    trailers: dict[str, str] = field(default_factory=dict[str, str])
    """Sent at its end, however it ends."""

    async def write(self, message: Message) -> None:
        """Sends a message. Only one task of an RPC may, and never inside a timeout."""
        await self.context.write(message.SerializeToString())

    def send_trailers(self) -> None:
        """Says what is known at a good end."""
        self.context.set_trailing_metadata(tuple(self.trailers.items()))


class RunOver(Exception):
    """The run of a call has ended with a failure.

    The failure belongs to the run and is told to many readers; it is not raised itself, because each
    time it would gather frames.
    """

    def __init__(self, failure: HeadraceError, cause: str = "") -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.cause = cause
        """What the caller may be told of what led to it."""


Unary: TypeAlias = Callable[[RpcCall[Any]], Awaitable[Message]]
Streaming: TypeAlias = Callable[[RpcCall[Any]], Awaitable[None]]
Identify: TypeAlias = Callable[[Context], Principal]
"""Who calls. Raises Unauthenticated."""


T = TypeVar("T")


class RpcBoundary:
    """Where RPCs come in and errors go out. Knows who calls, and how many calls are inside."""

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
            return await answer(RpcCall(request, context, principal, peer, facts, trailers))
        except (AbortError, grpc.aio.InternalError):
            raise
        except Exception as error:  # noqa: BLE001 - no text of it may reach the client
            if isinstance(error, RequestRefused):
                method = kind.DESCRIPTOR.name.removesuffix("Request")
                report_refusal(error, method, peer, getattr(request, "program", ""))

            await _abort(context, _status(error, kind, facts, trailers))


async def _abort(context: Context, status: RpcStatus) -> NoReturn:
    await context.abort(status.code, status.message, status.trailers)


def _status(
    error: Exception, kind: type[Message], facts: Mapping[str, str], trailers: Mapping[str, str]
) -> RpcStatus:
    """How an RPC ends in which `error` was raised; what is not ours, or malformed, is a defect."""
    over = error if isinstance(error, RunOver) else None
    failure = error if over is None else over.failure
    state = _without_state(trailers) if over is None else trailers

    if isinstance(failure, HeadraceError):
        try:
            return status_of(failure, facts, trailers, over.cause if over else "")
        except Exception as malformed:  # noqa: BLE001 - it is logged as the defect
            failure = malformed

    fault = ServerFault()
    logger.error("%s in %s", fault.message, kind.DESCRIPTOR.name, exc_info=failure)

    return status_of(fault, facts, state)


def _without_state(trailers: Mapping[str, str]) -> dict[str, str]:
    """A defect of the server does not say that a run is over, unless it came to tell just that."""
    return {name: value for name, value in trailers.items() if name != "headrace-run-state"}
