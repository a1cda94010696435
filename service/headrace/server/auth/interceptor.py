"""AuthInterceptor: lets callers in or turns them away, at every method and before a request is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from typing import Any, TypeAlias

import grpc
from grpc.aio import ServerInterceptor, ServicerContext

from headrace.server.auth.principals import Principals
from headrace.server.config import Principal
from headrace.server.errors import Unauthenticated
from headrace.server.v1.rpc import refuse

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

MAX_NAME = 200
"""Characters of a method's name in the log."""


class AuthInterceptor(ServerInterceptor):
    """Turns strangers away, but from the methods of `open_services`, and remembers who is let in.

    What comes before a request tells of tokens alone: a caller without one is let in where there may
    be a certificate, and `identify` looks at that.
    """

    def __init__(self, principals: Principals, open_services: Iterable[str] = ()) -> None:
        self._principals = principals
        self._open = tuple(f"/{service}/" for service in open_services)
        self._known: ContextVar[Principal | None] = ContextVar("known", default=None)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """See ServerInterceptor. It runs in the task of the RPC, as its method then does."""
        method: str = handler_call_details.method
        metadata: Any = handler_call_details.invocation_metadata or ()

        if not method.startswith(self._open):
            try:
                self._known.set(self._principals.by_metadata(metadata))
            except Unauthenticated as error:
                return _refusing(method, error)

        return await continuation(handler_call_details)

    def identify(self, context: ServicerContext[Any, Any]) -> Principal:
        """The caller of a method that was let in. Raises Unauthenticated."""
        return self._known.get() or self._principals.by_certificate(context.auth_context())


def _refusing(method: str, error: Unauthenticated) -> Handler:
    """A stream, because a unary method would read the request first."""

    async def serve(requests: object, context: ServicerContext[Any, Any]) -> None:
        await refuse(error, method.rpartition("/")[2][:MAX_NAME], context)

    handler: Handler = grpc.stream_stream_rpc_method_handler(serve)

    return handler
