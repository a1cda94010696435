"""A gRPC status other than OK, read from its trailers without any I/O, and the error it stands for.

The rule of the contract: without `headrace-run-state` only this stream ended, and a code that speaks of
the road rather than of the request means: resume. With it, the run is over, or in a state in which
resuming would not help: the stream ends either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import grpc
from google.protobuf.message import DecodeError
from google.rpc import (  # type: ignore[import-untyped]  # it ships stubs, but no py.typed
    error_details_pb2,
    status_pb2,
)
from grpc.aio import AioRpcError
from headrace_proto.v1.headrace_pb2 import Usage

from headrace_client._errors import (
    DeadlineExceeded,
    FieldViolation,
    HeadraceError,
    LMError,
    PermissionDenied,
    QuotaExceeded,
    RequestInvalid,
    RequestRefused,
    RunCancelled,
    RunFailed,
    RunSuspended,
    ServerFault,
    ServerUnreachable,
    Unauthenticated,
)
from headrace_client._reasons import BY_REASON

OF_THE_ROAD = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.CANCELLED,  # by someone on the way: our own cancel ends reading otherwise
    }
)

RUN_STATE = "headrace-run-state"

TOO_LARGE = (
    'the answer is larger than this client takes: ask for output_form="json", '
    'or raise "grpc.max_receive_message_length" in channel_options'
)

OVER = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
"""The states of a run that is over. Any other that a server names: it is not."""

BY_CODE: dict[grpc.StatusCode, type[HeadraceError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: RequestInvalid,
    grpc.StatusCode.NOT_FOUND: RequestRefused,
    grpc.StatusCode.ALREADY_EXISTS: RequestRefused,
    grpc.StatusCode.FAILED_PRECONDITION: RequestRefused,
    grpc.StatusCode.OUT_OF_RANGE: RequestRefused,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.RESOURCE_EXHAUSTED: QuotaExceeded,
    grpc.StatusCode.UNAVAILABLE: ServerUnreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
}
"""For reasons of a later version of the server, and where there is none."""


@dataclass(frozen=True, slots=True)
class CallStatus:
    """A status other than OK."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    run_id: str = ""
    run_state: str = ""
    """What the server says of the run: whether it is over, or why not to resume; empty for neither."""
    retry_delay: float | None = None
    violations: tuple[FieldViolation, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    cause: str = ""
    usage: Usage | None = None

    @property
    def is_told(self) -> bool:
        """A headrace server says this, and nothing on the way to it."""
        return bool(self.reason or self.run_state)

    @property
    def is_cut(self) -> bool:
        """Only the stream ended: the same request may be made again."""
        return not self.run_state and self.code in OF_THE_ROAD

    def of_an_answer(self) -> CallStatus:
        """The same, of a call that the server has accepted: no refusal, but perhaps our own channel's limit."""
        if self.is_told or self.code is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            return self

        return replace(self, reason="PREDICTION_TOO_LARGE", message=f"{TOO_LARGE}: {self.message}")

    def error(self, run_id: str = "", message: str = "") -> HeadraceError:
        """The error this status stands for; `run_id` where the status names none."""
        return error_class(self.code, self.reason, self.run_state)(
            message or self.message,
            code=self.code,
            reason=self.reason,
            run_id=self.run_id or run_id,
            run_state=self.run_state,
            retry_delay=self.retry_delay,
            violations=self.violations,
            metadata=self.metadata,
            cause=self.cause,
            usage=self.usage,
        )


def error_class(code: grpc.StatusCode, reason: str, run_state: str) -> type[HeadraceError]:
    """The class for what a status says."""
    if run_state and run_state not in OVER:
        return RunSuspended

    if reason in BY_REASON:
        return BY_REASON[reason]

    if reason.startswith("LM_"):
        return LMError

    if run_state:
        return RunCancelled if run_state == "CANCELLED" else RunFailed

    return BY_CODE.get(code, ServerFault)


def status_of(error: AioRpcError) -> CallStatus:
    """Reads the details that stacks with a decoder get, else the plain trailers beside them."""
    metadata = dict(
        iter(error.trailing_metadata() or ())
    )  # not of it: gRPC 1.76 takes it for a mapping
    trailers = {name: value for name, value in metadata.items() if isinstance(value, str)}
    details = _details(metadata.get("grpc-status-details-bin"))
    info = details.info

    return CallStatus(
        code=error.code(),
        message=error.details() or error.code().name,
        reason=info.reason or trailers.get("headrace-error-reason", ""),
        run_id=info.metadata.get("run_id", "") or trailers.get("headrace-run-id", ""),
        run_state=trailers.get(RUN_STATE, ""),
        retry_delay=details.retry_delay or _seconds(trailers.get("headrace-retry-delay-ms", "")),
        violations=details.violations,
        metadata=dict(info.metadata),
        cause=details.cause,
        usage=_usage(metadata.get("headrace-usage-bin")),
    )


def suspended(trailers: Iterable[tuple[str, str | bytes]], run_id: str) -> HeadraceError | None:
    """The error of a stream that ended without one, although its run is not over."""
    state = next((str(value) for name, value in trailers if name == RUN_STATE), "")

    if state in OVER or not state:
        return None

    return CallStatus(grpc.StatusCode.OK, "the stream ended", run_state=state).error(run_id)


@dataclass(slots=True)
class _Details:
    info: error_details_pb2.ErrorInfo = field(default_factory=error_details_pb2.ErrorInfo)
    retry_delay: float | None = None
    violations: tuple[FieldViolation, ...] = ()
    cause: str = ""


def _details(packed: str | bytes | None) -> _Details:
    details = _Details()

    try:
        status = status_pb2.Status.FromString(bytes(packed) if isinstance(packed, bytes) else b"")

        for part in status.details:
            retry = error_details_pb2.RetryInfo()
            request = error_details_pb2.BadRequest()
            debug = error_details_pb2.DebugInfo()

            if part.Unpack(retry):
                details.retry_delay = retry.retry_delay.ToTimedelta().total_seconds()
            elif part.Unpack(request):
                details.violations = tuple(
                    FieldViolation(violation.field, violation.description)
                    for violation in request.field_violations
                )
            elif part.Unpack(debug):
                details.cause = debug.detail
            else:
                part.Unpack(details.info)
    except DecodeError:
        pass  # whoever wrote this on the way: the code and the plain trailers remain

    return details


def _usage(packed: str | bytes | None) -> Usage | None:
    try:
        return Usage.FromString(packed) if isinstance(packed, bytes) else None
    except DecodeError:
        return None


def _seconds(milliseconds: str) -> float | None:
    return int(milliseconds) / 1000 if milliseconds.isdecimal() else None
