"""Values of protobuf's own types: JSON as Struct, seconds as Duration and Timestamp, both ways.

Protobuf parsers stop at 100 nested messages, so what goes out may nest no deeper than SENT_DEPTH.
Struct has only doubles: integers they cannot hold go out as decimal strings.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from headrace.errors import FieldViolation, RequestInvalid
from headrace.server.v1.text import sound
from headrace.values import json_text as text_of
from headrace.values.walk import SENT_DEPTH, Walk

MAX_EXACT = 2**53
"""Integers up to here are exact as doubles."""

BILLION = 1_000_000_000

FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
"""Of Timestamps: the years 1 to 9999."""


class NoRoom(ValueError):
    """Values take more bytes than they may."""


def to_struct(values: Mapping[str, object]) -> Struct:
    """A Struct of JSON-safe values. Raises ValueError where they nest too deep."""
    struct = Struct()
    _Filling().fill(struct, values)

    return struct


def fill_struct(struct: Struct, values: Mapping[str, object], room: int) -> int:
    """Writes JSON-safe values where they stand, and gives their size in bytes.

    Raises NoRoom where they take more than `room`, as soon as that is certain: a long list takes five
    times as much as it does in JSON, and would hold up the event loop for seconds.
    """
    struct.SetInParent()
    _Filling(room).fill(struct, values)
    size = struct.ByteSize()

    if size > room:
        raise NoRoom

    return size


def json_text(value: object) -> str:
    """JSON-safe values as JSON text, which keeps the order of members and exact integers."""
    return sound(text_of(value))


def to_value(value: object) -> Value:
    """A Value of a JSON-safe value. Raises ValueError where they nest too deep."""
    target = Value()
    filling = _Filling()
    filling.target = target
    filling.visit(value)

    return target


class _Filling(Walk[None]):
    """Fills messages where they stand: one that is made first would be copied into its place.

    room: bytes that it may fill. It counts no more than is there for certain, and raises NoRoom.
    """

    max_depth = SENT_DEPTH

    def __init__(self, room: float = math.inf) -> None:
        super().__init__()
        self._room = room

    target: Value
    """The message that the current value is written into."""

    def constant(self, value: bool | None) -> None:
        self._take(2)

        if value is None:
            self.target.null_value = NULL_VALUE
        else:
            self.target.bool_value = value

    def integer(self, value: int) -> None:
        if abs(value) > MAX_EXACT:
            self.target.string_value = str(value)
        else:
            self.number(value)

    def number(self, value: float) -> None:
        self._take(9)
        self.target.number_value = value

    def text(self, value: str) -> None:
        self._take(2 + len(value))
        self.target.string_value = sound(value)

    def members(self, value: Mapping[str, object]) -> None:
        struct = self.target.struct_value
        struct.SetInParent()
        self.fill(struct, value)

    def fill(self, struct: Struct, values: Mapping[str, object]) -> None:
        """Fills a Struct."""
        fields = struct.fields

        for name, member in values.items():
            self._take(6 + len(name))
            self.target = fields[sound(name)]
            self.at(name, member)

    def items(self, value: Sequence[object]) -> None:
        self.target.list_value.SetInParent()
        values = self.target.list_value.values

        for index, item in enumerate(value):
            self._take(2)
            self.target = values.add()
            self.at(index, item)

    def other(self, value: object) -> None:
        raise TypeError(f"{type(value).__name__} is not a JSON value")

    def too_deep(self) -> None:
        raise ValueError(f"nests deeper than {self.max_depth}")

    def _take(self, size: int) -> None:
        self._room -= size

        if self._room < 0:
            raise NoRoom


def from_struct(struct: Struct) -> dict[str, object]:
    """The values of a Struct; whole doubles that are exact become ints. Its depth is bounded by
    protobuf's parser."""
    return {name: from_value(value) for name, value in struct.fields.items()}


def from_value(value: Value) -> object:
    """The JSON value of a Value."""
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= MAX_EXACT else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return from_struct(value.struct_value)
        case "list_value":
            return [from_value(item) for item in value.list_value.values]
        case _:
            return None


def from_json(text: str) -> object:
    """The value of JSON text, integers exact. Raises ValueError or, nested too deep, RecursionError."""
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def seconds(duration: Duration, field: str, limit: float) -> float:
    """A duration of a request. Raises RequestInvalid where it is negative or beyond the limit."""
    value = duration.seconds + duration.nanos / BILLION

    if not 0 <= value <= limit:
        raise RequestInvalid([FieldViolation(field, f"must be between 0s and {limit:g}s")])

    return value


def moment(timestamp: Timestamp, field: str) -> float:
    """A timestamp of a request, in seconds since the epoch.

    Raises RequestInvalid for one that lies outside of the years 1 to 9999, or counts nanos wrongly.
    """
    if not (FIRST_SECOND <= timestamp.seconds <= LAST_SECOND and 0 <= timestamp.nanos < BILLION):
        problem = "must be a moment of the years 1 to 9999, with nanos from 0 to 999999999"
        raise RequestInvalid([FieldViolation(field, problem)])

    return timestamp.seconds + timestamp.nanos / BILLION


def duration(value: float) -> Duration:
    """Seconds as a Duration."""
    whole, nanos = divmod(round(value * BILLION), BILLION)

    return Duration(seconds=whole, nanos=nanos)


def timestamp(value: float) -> Timestamp:
    """Seconds since the epoch as a Timestamp."""
    whole = int(value)

    return Timestamp(seconds=whole, nanos=int((value - whole) * BILLION))
