"""Errors over HTTP: their status, and the one shape of their body.

The body of a refused request and the last event of a failed stream are the same object. What the server
says is made to be shown; anything else is replaced by a fixed text, and logged.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import grpc
from headrace_client import (
    DeadlineExceeded,
    HeadraceError,
    RequestRefused,
    RunFailed,
    RunSuspended,
    ServerUnreachable,
)
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ExceptionHandler

from headrace_gateway.payloads import usage_object
from headrace_gateway.reasons import HTTP_STATUS

logger = logging.getLogger("headrace.gateway")

BY_CODE: dict[grpc.StatusCode, int] = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.CANCELLED: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 412,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
"""For reasons of a later version of the server."""

UNREACHABLE = "the gateway cannot reach the headrace server"
FAULT = "the gateway could not answer; its log says why"


def refusal(reason: str, message: str) -> HeadraceError:
    """An error of the gateway's own."""
    return RequestRefused(message, reason=reason)


def status_of(error: HeadraceError) -> int:
    """The HTTP status for an error."""
    return HTTP_STATUS.get(reason_of(error)) or BY_CODE.get(error.code, 502)


def reason_of(error: HeadraceError) -> str:
    """The stable name of what went wrong; there always is one."""
    if error.reason:
        return error.reason

    match error:
        case DeadlineExceeded():
            return "DEADLINE_EXCEEDED"
        case ServerUnreachable():
            return "SERVER_UNREACHABLE"
        case RequestRefused() | RunFailed() | RunSuspended():
            return error.code.name
        case _:
            return "SERVER_FAULT"


def error_object(error: HeadraceError, *, local: bool = False) -> dict[str, Any]:
    """An error as JSON: `type`, `reason`, `message`, and what else is known.

    What a server for developers tells of its cause stays on this machine: `local`.
    """
    known: dict[str, Any] = {
        "type": "error",
        "reason": reason_of(error),
        "message": _message(error),
        "run_id": "" if isinstance(error, RequestRefused) else error.run_id,
        "run_state": error.run_state.lower(),
        "retry_delay": error.retry_delay,
        "violations": [
            {"field": one.field, "description": one.description} for one in error.violations
        ],
        "metadata": dict(sorted(error.metadata.items())),
        "cause": error.cause if local else "",
        "usage": None if error.usage is None else usage_object(error.usage),
    }

    return {name: value for name, value in known.items() if value not in ("", None, [], {})}


def error_response(error: HeadraceError, *, local: bool = False) -> JSONResponse:
    """An error as the answer to a request."""
    headers: dict[str, str] = {}

    if error.retry_delay is not None:
        headers["retry-after"] = str(max(1, round(error.retry_delay)))

    status = status_of(error)

    if status == 401:
        headers["www-authenticate"] = "Bearer"

    return JSONResponse(error_object(error, local=local), status, headers)


def on_headrace_error(*, local: bool) -> ExceptionHandler:
    """Answers what the server, or the gateway itself, refuses."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HeadraceError)

        return error_response(error, local=local)

    return answer


async def on_http_exception(request: Request, error: Exception) -> JSONResponse:
    """Answers what the router refuses."""
    assert isinstance(error, HTTPException)
    path = request.url.path
    refused = (
        refusal("METHOD_UNKNOWN", f"{path} takes no {request.method}")
        if error.status_code == 405
        else refusal("PATH_UNKNOWN", f"there is nothing at {path}; see /openapi.json")
    )

    return JSONResponse(error_object(refused), status_of(refused), _plain(error.headers))


async def on_exception(request: Request, error: Exception) -> JSONResponse:
    """Answers where the gateway fails; the server that runs it logs the traceback."""
    return error_response(refusal("GATEWAY_FAULT", FAULT))


def _message(error: HeadraceError) -> str:
    if error.reason or isinstance(error, DeadlineExceeded):
        return error.message

    logger.warning("%s: %s", reason_of(error), error.message)

    if isinstance(error, ServerUnreachable):
        return UNREACHABLE

    return f"the headrace server answered {error.code.name}"


def _plain(headers: Mapping[str, str] | None) -> dict[str, str]:
    return dict(headers or {})
