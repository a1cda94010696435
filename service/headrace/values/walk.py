"""Walk: one descent into a value, for all who convert, check, count or show values.

It tells the kinds of values apart, knows its place, and goes no deeper than it may, so that no nesting
exhausts the stack. Its subclass, the visitor, has one method for each kind.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import NoneType
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar, cast

from pydantic import BaseModel

T = TypeVar("T")

Form: TypeAlias = Callable[[Any, Any], Any]

Step: TypeAlias = str | int
"""A name in an object, or an index in an array."""

MAX_DEPTH = 100
"""Objects and arrays inside each other, the outermost included, of any value."""

SENT_DEPTH = 30
"""Of values that cross the wire: protobuf parsers stop at 100 nested messages, and an object takes three."""


class Walk(ABC, Generic[T]):
    """A descent that makes a T of each value. One walk serves one value at a time."""

    _forms: ClassVar[Mapping[type, Form]]
    """Methods by exact type, for the types of JSON: most values are of one, and are asked for no other."""

    max_depth = MAX_DEPTH

    def __init__(self) -> None:
        self.steps: list[Step] = []
        """From the outermost value to the current one."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._forms = {
            str: cls.text,
            int: cls.integer,
            float: cls.number,
            bool: cls.constant,
            NoneType: cls.constant,
            dict: cls.mapping,
            list: cls.sequence,
            tuple: cls.sequence,
        }

    def visit(self, value: object) -> T:
        """The result for the value at the current place. An enum member counts as its value."""
        form: Form = self._forms.get(type(value), _of_other_type)
        result: T = form(self, value)

        return result

    def at(self, step: Step, value: object) -> T:
        """The result for a part of the current value."""
        self.steps.append(step)
        form: Form = self._forms.get(type(value), _of_other_type)
        result: T = form(self, value)
        self.steps.pop()

        return result

    def mapping(self, value: Mapping[Any, Any]) -> T:
        """The result for a mapping, unless it stands too deep."""
        return self.members(value) if len(self.steps) < self.max_depth else self.too_deep()

    def sequence(self, value: Sequence[Any]) -> T:
        """The result for a list or tuple, unless it stands too deep."""
        return self.items(value) if len(self.steps) < self.max_depth else self.too_deep()

    @abstractmethod
    def constant(self, value: bool | None) -> T:
        """The result for None, True or False."""

    @abstractmethod
    def integer(self, value: int) -> T:
        """The result for a whole number, of whatever size."""

    @abstractmethod
    def number(self, value: float) -> T:
        """The result for a double, infinities and NaN among them."""

    @abstractmethod
    def text(self, value: str) -> T:
        """The result for text, which may hold lone surrogates."""

    @abstractmethod
    def members(self, value: Mapping[Any, Any]) -> T:
        """The result for a mapping that does not."""

    @abstractmethod
    def items(self, value: Sequence[Any]) -> T:
        """The result for a list or tuple that does not."""

    @abstractmethod
    def other(self, value: object) -> T:
        """The result for a value of any other type."""

    @abstractmethod
    def too_deep(self) -> T:
        """The result in place of a mapping, list or tuple that stands deeper than `max_depth`."""


def _of_other_type(walk: Walk[Any], value: Any) -> Any:
    """The result for a value that is of no type of JSON, though perhaps of a subclass of one."""
    match value:
        case enum.Enum():
            return walk.visit(value.value)
        case str():
            return walk.text(value)
        case int():
            return walk.integer(value)
        case float():
            return walk.number(value)
        case BaseModel():  # even one that is a mapping as well
            return walk.other(value)
        case Mapping():
            return walk.mapping(value)  # pyright: ignore[reportUnknownArgumentType] - of anything
        case list() | tuple():
            return walk.sequence(cast("Sequence[Any]", value))
        case _:
            return walk.other(value)
