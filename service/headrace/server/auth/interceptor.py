"""AuthInterceptor: the default for whoever is not known, at every method and before a request is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

import grpc
from grpc.aio import ServerInterceptor, ServicerContext

from headrace.server.auth.principals import UNKNOWN, Principals
from headrace.server.errors import Unauthenticated
from headrace.server.refusals import peer_of, report_refusal
from headrace.server.v1.status import status_of

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

MAX_NAME = 200
"""Characters of a method's name in the log."""


class AuthInterceptor(ServerInterceptor):
    """Turns strangers away, but from the methods of `open_services`."""

    def __init__(self, directory: Principals, open_services: Iterable[str] = ()) -> None:
        self._directory = directory
        self._open = tuple(f"/{service}/" for service in open_services)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """See ServerInterceptor."""
        method: str = handler_call_details.method
        metadata: Any = handler_call_details.invocation_metadata or ()
        admitted = method.startswith(self._open) or self._directory.admits(metadata)

        return await continuation(handler_call_details) if admitted else _refusing(method)


def _refusing(method: str) -> Handler:
    """A stream, because a unary method would read the request first."""

    async def refuse(requests: object, context: ServicerContext[Any, Any]) -> None:
        error = Unauthenticated(UNKNOWN)
        report_refusal(error, method.rpartition("/")[2][:MAX_NAME], peer_of(context))
        status = status_of(error, {}, {})
        await context.abort(status.code, status.message, status.trailers)

    handler: Handler = grpc.stream_stream_rpc_method_handler(refuse)

    return handler
