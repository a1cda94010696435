"""What a run that did not succeed has spent, beside the status that it ends with."""

from __future__ import annotations

from dataclasses import replace

from headrace.events import Usage
from headrace.server.v1.events import usage_message
from headrace.server.v1.status import MAX_DETAILS, RpcStatus

MAX_USAGE = 4096
"""Bytes of `headrace-usage-bin`."""

MAX_BINARY = MAX_DETAILS + 600
"""Bytes of it and of `grpc-status-details-bin` together: a third is added to both on the way, and then
all trailers have to stay below 8 KiB. What the counts of a run take fits beside any details."""


def with_usage(status: RpcStatus, usage: Usage) -> RpcStatus:
    """The status with a run's usage: without that of each model where there is no room for it."""
    message = usage_message(usage)
    taken = sum(len(value) for _, value in status.trailers if isinstance(value, bytes))

    if message.ByteSize() > min(MAX_USAGE, MAX_BINARY - taken):
        message.ClearField("models")

    trailer = "headrace-usage-bin", message.SerializeToString(deterministic=True)

    return replace(status, trailers=(*status.trailers, trailer))
