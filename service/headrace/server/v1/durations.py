"""google.protobuf.Duration and Timestamp to and from seconds."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from headrace.errors import FieldViolation, RequestInvalid

BILLION = 1_000_000_000


def seconds(duration: Duration, field: str, limit: float) -> float:
    """A duration of a request. Raises RequestInvalid where it is negative or beyond the limit."""
    value = duration.seconds + duration.nanos / BILLION

    if not 0 <= value <= limit:
        raise RequestInvalid([FieldViolation(field, f"must be between 0s and {limit:g}s")])

    return value


def duration(value: float) -> Duration:
    """Seconds as a Duration."""
    whole, nanos = divmod(round(value * BILLION), BILLION)

    return Duration(seconds=whole, nanos=nanos)


def timestamp(value: float) -> Timestamp:
    """Seconds since the epoch as a Timestamp."""
    message = Timestamp()
    fill_timestamp(message, value)

    return message


def fill_timestamp(message: Timestamp, value: float) -> None:
    """Writes seconds since the epoch into a Timestamp."""
    message.seconds = whole = int(value)
    message.nanos = int((value - whole) * BILLION)
