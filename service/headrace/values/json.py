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
import functools
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from decimal import Decimal
from typing import Any, NoReturn, TypeAlias

from pydantic import BaseModel, TypeAdapter

from headrace.errors import OutputUnserialisable
from headrace.values.aliases import going_out
from headrace.values.walk import Step, Walk

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"

MAX_INTEGER_BITS = 1024
"""Past this, an integer is out of range for the doubles that most JSON readers use."""


def to_jsonable(value: object, path: str = "outputs") -> JSON:
    """The value as new dicts, lists, strings, finite numbers, booleans and None.

    `path` is the name of the value in errors. Raises OutputUnserialisable.
    """
    return _ToJson(path).visit(value)


class _ToJson(Walk[JSON]):
    """Makes the JSON form of a value, and refuses what has none."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self._root = root
        self._around: list[int] = []
        """Identities of the values that the current one is inside of."""

    def constant(self, value: bool | None) -> JSON:
        return value

    def integer(self, value: int) -> int:
        if value.bit_length() > MAX_INTEGER_BITS:
            self._refuse("is an integer out of range")

        return int(value)

    def number(self, value: float) -> float:
        if not math.isfinite(value):
            self._refuse(f"is {float(value)}")

        return float(value)

    def text(self, value: str) -> str:
        return value if type(value) is str and value.isascii() else repaired(value)

    def members(self, value: Mapping[Any, Any]) -> dict[str, JSON]:
        self._enter(value)
        result: dict[str, JSON] = {}

        for key, member in value.items():
            name = key if type(key) is str and key.isascii() else self._name(key)

            if name in result:
                self._refuse(f"has two keys that are {name!r} in JSON")

            result[name] = self.at(name, member)

        self._around.pop()

        return result

    def items(self, value: Iterable[Any]) -> list[JSON]:
        self._enter(value)
        result = [self.at(index, item) for index, item in enumerate(value)]
        self._around.pop()

        return result

    def other(self, value: Any) -> JSON:
        self._enter(value)
        result = self._form(value)
        self._around.pop()

        return result

    def too_deep(self) -> NoReturn:
        self._refuse(f"is nested deeper than {self.max_depth} levels")

    def _form(self, value: Any) -> JSON:
        for type_, form in _FORMS:
            if isinstance(value, type_):
                return form(self, value)

        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._dataclass(value)

        try:
            dumped = _dumped(value)
        except Exception as error:  # pydantic says in many ways that it does not know a type
            raise self._refusal(f"is of type {type(value).__name__}") from error

        return self.visit(dumped)

    def model(self, value: BaseModel) -> JSON:
        """A pydantic model as it dumps itself, or field by field where it cannot."""
        try:
            dumped = value.model_dump(mode="json", by_alias=True, warnings="none")
        except Exception:  # noqa: BLE001 - pydantic's own, or a serializer's: the walk finds it
            return self._fields(value, {**value.__dict__, **(value.model_extra or {})})

        return self.visit(dumped)

    def _dataclass(self, value: Any) -> JSON:
        """One of pydantic's as it dumps itself, or field by field, as all others are."""
        names = [field.name for field in dataclasses.fields(value)]

        try:
            dumped = _dumped(value) if hasattr(value, "__pydantic_validator__") else None
        except Exception:  # noqa: BLE001 - as for models
            dumped = None

        if dumped is None:
            return self._fields(value, {name: getattr(value, name) for name in names})

        return self.visit(dumped)

    def _fields(self, value: Any, fields: dict[str, Any]) -> JSON:
        """Fields under their outside names, where pydantic knows the type."""
        with suppress(Exception):  # it says in many ways that it does not
            fields = going_out(_adapter_of(value), fields)

        return self.visit(fields)

    def binary(self, value: Any) -> str:
        """Bytes as base64."""
        return base64.b64encode(bytes(value)).decode("ascii")

    def decimal(self, value: Decimal) -> str:
        """A Decimal as its text, which keeps every digit."""
        if not value.is_finite():
            self._refuse(f"is {value}")

        return str(value)

    def unordered(self, value: AbstractSet[Any]) -> JSON:
        """A set as a sorted array."""
        return _sorted(self.sequence(list(value)))

    def array(self, value: Sequence[Any]) -> JSON:
        """A sequence that is no list, as an array."""
        return self.sequence(list(value))

    def _name(self, key: object) -> str:
        plain = self.visit(key)

        if isinstance(plain, (dict, list)):
            self._refuse(f"has a key of type {type(key).__name__}")

        return plain if isinstance(plain, str) else json.dumps(plain)

    def _enter(self, value: object) -> None:
        if id(value) in self._around:
            self._refuse("contains itself")

        self._around.append(id(value))

    def _refuse(self, reason: str) -> NoReturn:
        raise self._refusal(reason)

    def _refusal(self, reason: str) -> OutputUnserialisable:
        path = self._root + "".join(_step_text(step) for step in self.steps)

        return OutputUnserialisable(f"{path} has no JSON form: it {reason}")


_FORMS: Sequence[tuple[type | tuple[type, ...], Callable[[_ToJson, Any], JSON]]] = (
    (BaseModel, _ToJson.model),
    ((bytes, bytearray, memoryview), _ToJson.binary),
    (Decimal, _ToJson.decimal),
    (AbstractSet, _ToJson.unordered),
    (Sequence, _ToJson.array),
)


def _dumped(value: Any) -> Any:
    return _adapter_of(value).dump_python(value, mode="json", by_alias=True, warnings="none")


def _adapter_of(value: object) -> TypeAdapter[Any]:
    kind: Any = type(value)

    return _adapter(kind)


@functools.lru_cache(maxsize=256)
def _adapter(type_: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(type_)


def _sorted(items: Any) -> list[JSON]:
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


def _step_text(step: Step) -> str:
    return f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]"
