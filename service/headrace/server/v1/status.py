"""Errors as statuses: code, details, and trailers.

The limits are gRPC's: a status whose trailers pass 8 KiB may be replaced on the way by another, so
details stay below 4 KiB and messages below 500 characters. Nothing of an error crosses but its
reason, its message and its metadata; its cause only where a developer has asked for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details_pb2  # type: ignore[import-untyped]  # has no py.typed
from google.rpc import status_pb2
from grpc import StatusCode
from headrace_proto.v1 import headrace_pb2 as pb

from headrace.errors import (
    HeadraceError,
    LMError,
    QuotaExceeded,
    RequestInvalid,
    RequestRefused,
)
from headrace.server.errors import StreamAged
from headrace.server.reasons import CODES
from headrace.server.v1.text import ascii_value, line, sized, status_message

DOMAIN = "headrace.dev"
"""Of every ErrorInfo, for ever."""

MAX_DETAILS = 3_800
"""Bytes of `grpc-status-details-bin`."""

MAX_CAUSE = 3_000
"""Bytes of a cause."""

MAX_METADATA = 200
"""Characters of one metadata value."""

MAX_DELAY = 366 * 24 * 3600.0
"""Seconds of a retry delay; programs may raise errors with any, and messages do not hold all."""


@dataclass(frozen=True, slots=True)
class RpcStatus:
    """The end of an RPC: code, message, trailers."""

    code: StatusCode
    message: str
    trailers: tuple[tuple[str, str | bytes], ...]


def code_of(error: HeadraceError) -> StatusCode:
    """The gRPC code of an error."""
    return CODES.get(error.reason, StatusCode.INTERNAL)


def status_of(
    error: HeadraceError, facts: Mapping[str, str], trailers: Mapping[str, str], cause: str = ""
) -> RpcStatus:
    """The status of an error.

    `facts` (run_id, program) join its metadata; `trailers` (headrace-run-id and kin) go beside the
    standard ones. The `cause` goes along as DebugInfo, as far as there is room.
    """
    code, message, delay = code_of(error), status_message(error.message), retry_delay(error)
    plain = {**trailers, "headrace-error-reason": error.reason}

    if delay is not None:
        plain["headrace-retry-delay-ms"] = str(round(delay * 1000))

        if code is StatusCode.UNAVAILABLE:
            plain["grpc-retry-pushback-ms"] = str(round(delay * 1000))

    details = _details(code, message, error, facts, cause)

    return RpcStatus(
        code,
        message,
        (
            *((name, ascii_value(value)) for name, value in plain.items()),
            ("grpc-status-details-bin", details),
        ),
    )


def failure_of(error: HeadraceError, call_id: int = 0) -> pb.Failure:
    """The same facts as a message."""
    failure = pb.Failure(
        status_code=code_of(error).value[0],
        reason=error.reason,
        message=status_message(error.message),
        metadata=_metadata(error, {}),
        call_id=call_id,
    )

    if (delay := retry_delay(error)) is not None:
        failure.retry_delay.FromNanoseconds(round(delay * 1e9))

    return failure


def retry_delay(error: HeadraceError) -> float | None:
    """Seconds after which the same may succeed, where the error knows."""
    delay = None

    if isinstance(error, LMError):
        delay = error.retry_after
    elif isinstance(error, RequestRefused | StreamAged):
        delay = error.retry_delay

    return delay if delay is not None and 0 <= delay <= MAX_DELAY else None


def _details(
    code: StatusCode, message: str, error: HeadraceError, facts: Mapping[str, str], cause: str
) -> bytes:
    status = status_pb2.Status(code=code.value[0], message=message)
    info = details_pb2.ErrorInfo(
        reason=error.reason, domain=DOMAIN, metadata=_metadata(error, facts)
    )
    _add(status, info)

    if (delay := retry_delay(error)) is not None:
        retry = details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(round(delay * 1e9))
        _add(status, retry)

    if isinstance(error, QuotaExceeded):
        violation = details_pb2.QuotaFailure.Violation(subject="caller", description=message)
        _add(status, details_pb2.QuotaFailure(violations=[violation]))

    if isinstance(error, RequestInvalid):
        _add(status, _bad_request(error, MAX_DETAILS - status.ByteSize()))

    room = min(MAX_CAUSE, MAX_DETAILS - 100 - status.ByteSize())

    if cause and room > 0:
        _add(status, details_pb2.DebugInfo(detail=sized(cause, room)))

    return bytes(status.SerializeToString(deterministic=True))  # replayed runs give equal bytes


def _bad_request(error: RequestInvalid, room: int) -> details_pb2.BadRequest:
    """As many of the violations as there is room for."""
    bad_request = details_pb2.BadRequest()

    for violation in error.violations:
        wire = details_pb2.BadRequest.FieldViolation(
            field=line(violation.field, 100), description=line(violation.description, 300)
        )
        room -= wire.ByteSize() + 4

        if room < 100:
            break

        bad_request.field_violations.append(wire)

    return bad_request


def _metadata(error: HeadraceError, facts: Mapping[str, str]) -> dict[str, str]:
    named = {**facts, **error.metadata}

    return {
        line(str(name), 40): line(str(value), MAX_METADATA)
        for name, value in list(named.items())[:8]
    }


def _add(status: status_pb2.Status, detail: Message) -> None:
    packed = Any()
    packed.Pack(detail, deterministic=True)
    status.details.append(packed)
