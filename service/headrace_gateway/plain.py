"""Values of the wire as JSON has them.

Enum values are short and lower case ("module", "start"), durations are seconds, whole numbers have no
fraction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

Payload: TypeAlias = dict[str, Any]


def message_object(message: Message) -> Payload:
    """Any message as it is."""
    return cast("Payload", whole(written(message)))


def struct_object(struct: Struct) -> Payload:
    """A Struct as it is."""
    return cast("Payload", whole(MessageToDict(struct)))


def written(message: Message) -> Payload:
    """A message with all of its members; numbers of Structs are still doubles."""
    return MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def whole(value: Any) -> Any:
    """Numbers of a Struct are doubles: whole ones lose their ".0"."""
    match value:
        case dict():
            return {name: whole(one) for name, one in value.items()}  # pyright: ignore[reportUnknownVariableType]  # JSON
        case list():
            return [whole(one) for one in value]  # pyright: ignore[reportUnknownVariableType]  # JSON
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case _:
            return value


def short(name_of: Callable[[Any], str], value: int) -> str:
    """KIND_LM as "lm"; a value of a later version as its number."""
    try:
        return name_of(value).partition("_")[2].lower()
    except ValueError:
        return str(value)


def seconds(duration: Duration) -> float:
    """A length of time in seconds."""
    return duration.seconds + duration.nanos / 1e9
