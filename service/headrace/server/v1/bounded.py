"""JSON that callers send as a part of a request, read and held to the limits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.struct_pb2 import Struct, Value

from headrace.errors import FieldViolation, InputInvalid
from headrace.runs.limits import Limits
from headrace.server.v1.values import from_json, from_struct, from_value
from headrace.values.limits import UnfitValue, count_elements

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BoundedJson:
    """Reads one part of a request, in the forms it may have. Its methods raise InputInvalid."""

    name: str
    """What the part is called in violations; as text it is `<name>_json`."""
    limits: Limits

    def struct(self, struct: Struct) -> dict[str, object]:
        """The values of a Struct."""
        self._check_size(struct.ByteSize())

        return self._checked(from_struct(struct))

    def value(self, value: Value) -> object:
        """The value of a Value."""
        self._check_size(value.ByteSize())

        return self._checked(from_value(value))

    def object_text(self, text: str) -> dict[str, object]:
        """The members of an object, as JSON text."""
        value = self._parsed(text)

        if not isinstance(value, dict):
            raise self._not_json("must be a JSON object")

        return self._checked({str(name): member for name, member in value.items()})  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON

    def text(self, text: str) -> object:
        """The value of JSON text."""
        return self._checked(self._parsed(text))

    def _parsed(self, text: str) -> object:
        self._check_size(len(text.encode()))

        try:
            return from_json(text)
        except json.JSONDecodeError as error:
            raise self._not_json(f"is not JSON: {error.msg} at character {error.pos}") from None
        except ValueError as error:
            raise self._not_json(f"is not JSON: {error}") from None
        except RecursionError:
            raise self._not_json("nests too deep") from None

    def _checked(self, value: T) -> T:
        try:
            elements = count_elements(value, self.limits.max_input_depth)
        except UnfitValue as error:
            dot = "." if error.path and not error.path.startswith("[") else ""
            raise _invalid(f"{self.name}{dot}{error.path}", error.reason) from None

        most = self.limits.max_input_elements

        if elements > most:
            raise _invalid(self.name, f"{elements} values; at most {most} are taken")

        return value

    def _check_size(self, size: int) -> None:
        most = self.limits.max_input_bytes

        if size > most:
            raise _invalid(self.name, f"{size} bytes; at most {most} are taken")

    def _not_json(self, reason: str) -> InputInvalid:
        return _invalid(f"{self.name}_json", reason)


def _invalid(field: str, reason: str) -> InputInvalid:
    return InputInvalid([FieldViolation(field, reason)])
