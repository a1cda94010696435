"""The gRPC code of each reason. Generated from proto/headrace/v1/reasons.toml by `make reasons`: edit that."""

from __future__ import annotations

from collections.abc import Mapping

from grpc import StatusCode

CODES: Mapping[str, StatusCode] = {
    "INPUT_INVALID": StatusCode.INVALID_ARGUMENT,
    "REQUEST_INVALID": StatusCode.INVALID_ARGUMENT,
    "PROGRAM_NOT_FOUND": StatusCode.NOT_FOUND,
    "RUN_NOT_FOUND": StatusCode.NOT_FOUND,
    "RUN_ID_REUSED": StatusCode.ALREADY_EXISTS,
    "REVISION_MISMATCH": StatusCode.FAILED_PRECONDITION,
    "CURSOR_AHEAD": StatusCode.OUT_OF_RANGE,
    "UNAUTHENTICATED": StatusCode.UNAUTHENTICATED,
    "PERMISSION_DENIED": StatusCode.PERMISSION_DENIED,
    "QUOTA_EXCEEDED": StatusCode.RESOURCE_EXHAUSTED,
    "SERVER_BUSY": StatusCode.UNAVAILABLE,
    "DRAINING": StatusCode.UNAVAILABLE,
    "STORE_UNAVAILABLE": StatusCode.UNAVAILABLE,
    "STREAM_AGED": StatusCode.UNAVAILABLE,
    "LM_RATE_LIMITED": StatusCode.RESOURCE_EXHAUSTED,
    "RUN_TOO_LARGE": StatusCode.RESOURCE_EXHAUSTED,
    "LM_UNAVAILABLE": StatusCode.ABORTED,
    "LM_SERVER_ERROR": StatusCode.ABORTED,
    "LM_STREAM_BROKEN": StatusCode.ABORTED,
    "OWNER_LOST": StatusCode.ABORTED,
    "CONTEXT_TOO_LONG": StatusCode.INVALID_ARGUMENT,
    "CONTENT_REFUSED": StatusCode.FAILED_PRECONDITION,
    "LM_AUTH": StatusCode.FAILED_PRECONDITION,
    "LM_BILLING": StatusCode.FAILED_PRECONDITION,
    "LM_UNSUPPORTED": StatusCode.FAILED_PRECONDITION,
    "LM_TIMEOUT": StatusCode.DEADLINE_EXCEEDED,
    "RUN_TIMEOUT": StatusCode.DEADLINE_EXCEEDED,
    "LM_REQUEST_REJECTED": StatusCode.INTERNAL,
    "PROGRAM_ERROR": StatusCode.INTERNAL,
    "TOOL_ERROR": StatusCode.INTERNAL,
    "OUTPUT_UNPARSABLE": StatusCode.INTERNAL,
    "OUTPUT_UNSERIALISABLE": StatusCode.INTERNAL,
    "PROGRAM_RESULT_INVALID": StatusCode.INTERNAL,
    "RUN_CANCELLED": StatusCode.CANCELLED,
    "SERVER_FAULT": StatusCode.INTERNAL,
}
