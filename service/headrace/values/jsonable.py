"""to_jsonable: the JSON form of what programs return.

- A pydantic model has the JSON form that it gives itself, by alias; where it has none, its fields are
  taken one by one, as those of dataclasses are. Dates, Decimal, UUID, Path and kin have the form pydantic gives them.
- Bytes are base64. Sets are sorted lists, so that equal sets look equal.
- Lone surrogates, which no encoding carries, become U+FFFD.
- What has no JSON form (NaN, functions, cycles …) raises OutputUnserialisable and names its path.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import functools
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from decimal import Decimal
from typing import Any, TypeAlias

from pydantic import BaseModel, TypeAdapter

from headrace.errors import OutputUnserialisable
from headrace.values.aliases import going_out

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"

MAX_DEPTH = 100
MAX_INTEGER_BITS = 1024
"""Past this, an integer is out of range for the doubles that most JSON readers use."""


def to_jsonable(value: object, path: str = "outputs") -> JSON:
    """The value as new dicts, lists, strings, finite numbers, booleans and None.

    `path` is what errors call the value. Raises OutputUnserialisable.
    """
    return _Walk(path).plain(value)


class _Walk:
    """One descent into a value, which knows where it is."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._steps: list[str | int] = []
        self._around: list[int] = []

    def plain(self, value: object) -> JSON:
        """The JSON form of a value at the current place."""
        match value:
            case None | bool():
                return value
            case enum.Enum():
                return self.plain(value.value)
            case str():
                return repaired(value)
            case int():
                return self._integer(value)
            case float():
                return self._finite(value)
            case _:
                return self._nested(value)

    def _nested(self, value: object) -> JSON:
        if id(value) in self._around:
            raise self._refusal("contains itself")

        if len(self._around) == MAX_DEPTH:
            raise self._refusal(f"is nested deeper than {MAX_DEPTH} levels")

        self._around.append(id(value))
        result = self._container(value)
        self._around.pop()

        return result

    def _container(self, value: Any) -> JSON:
        for type_, form in _FORMS:
            if isinstance(value, type_):
                return form(self, value)

        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._dataclass(value)

        return self._leaf(value)

    def binary(self, value: Any) -> str:
        """Bytes as base64."""
        return base64.b64encode(bytes(value)).decode("ascii")

    def decimal(self, value: Decimal) -> str:
        """A Decimal as its text, which keeps every digit."""
        if not value.is_finite():
            raise self._refusal(f"is {value}")

        return str(value)

    def mapping(self, value: Mapping[Any, Any]) -> JSON:
        """A mapping as an object."""
        return self._object(value.items())

    def array(self, items: Iterable[Any]) -> list[JSON]:
        """Values as an array."""
        result: list[JSON] = []

        for index, value in enumerate(items):
            self._steps.append(index)
            result.append(self.plain(value))
            self._steps.pop()

        return result

    def unordered(self, value: AbstractSet[Any]) -> JSON:
        """A set as a sorted array."""
        return _sorted(self.array(value))

    def model(self, value: BaseModel) -> JSON:
        """A pydantic model as it dumps itself, or field by field where it cannot."""
        try:
            dumped = value.model_dump(mode="json", by_alias=True, warnings="none")
        except Exception:  # noqa: BLE001 - pydantic's own, or a serializer's: the walk finds it
            return self._fields(value, {**value.__dict__, **(value.model_extra or {})})

        return self.plain(dumped)

    def _dataclass(self, value: Any) -> JSON:
        """One of pydantic's as it dumps itself, or field by field, as all others are."""
        names = [field.name for field in dataclasses.fields(value)]

        try:
            dumped = _dumped(value) if hasattr(value, "__pydantic_validator__") else None
        except Exception:  # noqa: BLE001 - as for models
            dumped = None

        if dumped is None:
            return self._fields(value, {name: getattr(value, name) for name in names})

        return self.plain(dumped)

    def _fields(self, value: Any, fields: dict[str, Any]) -> JSON:
        """Fields under their outside names, where pydantic knows the type."""
        with suppress(Exception):  # it says in many ways that it does not
            fields = going_out(_adapter_of(value), fields)

        return self._object(fields.items())

    def _leaf(self, value: Any) -> JSON:
        try:
            dumped = _dumped(value)
        except Exception as error:  # pydantic says in many ways that it does not know a type
            raise self._refusal(f"is of type {type(value).__name__}") from error

        return self.plain(dumped)

    def _object(self, items: Iterable[tuple[Any, Any]]) -> dict[str, JSON]:
        result: dict[str, JSON] = {}

        for key, value in items:
            name = self._key(key)

            if name in result:
                raise self._refusal(f"has two keys that are {name!r} in JSON")

            self._steps.append(name)
            result[name] = self.plain(value)
            self._steps.pop()

        return result

    def _key(self, key: object) -> str:
        plain = self.plain(key)

        if isinstance(plain, (dict, list)):
            raise self._refusal(f"has a key of type {type(key).__name__}")

        return plain if isinstance(plain, str) else json.dumps(plain)

    def _integer(self, value: int) -> int:
        if value.bit_length() > MAX_INTEGER_BITS:
            raise self._refusal("is an integer out of range")

        return int(value)

    def _finite(self, value: float) -> float:
        if not math.isfinite(value):
            raise self._refusal(f"is {float(value)}")

        return float(value)

    def _refusal(self, reason: str) -> OutputUnserialisable:
        path = self._root + "".join(_step_text(step) for step in self._steps)

        return OutputUnserialisable(f"{path} has no JSON form: it {reason}")


_FORMS: Sequence[tuple[type | tuple[type, ...], Callable[[_Walk, Any], JSON]]] = (
    (BaseModel, _Walk.model),
    ((bytes, bytearray, memoryview), _Walk.binary),
    (Decimal, _Walk.decimal),
    (Mapping, _Walk.mapping),
    (AbstractSet, _Walk.unordered),
    (Sequence, _Walk.array),
)


def _dumped(value: Any) -> Any:
    return _adapter_of(value).dump_python(value, mode="json", by_alias=True, warnings="none")


def _adapter_of(value: object) -> TypeAdapter[Any]:
    kind: Any = type(value)

    return _adapter(kind)


@functools.lru_cache(maxsize=256)
def _adapter(type_: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(type_)


def _sorted(items: list[Any]) -> list[Any]:
    try:
        return sorted(items)
    except TypeError:  # of several types
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))


def repaired(text: str) -> str:
    """The text as a plain str that can be encoded: surrogate pairs joined, lone ones U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    return str.__str__(text)


def _step_text(step: str | int) -> str:
    return f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]"
