"""Annotations: a type's text, its parts, and tests for those that hold text or None.

Reasoning is the one type of our own: it asks for the thinking a provider sends apart from its answer.
"""

from __future__ import annotations

import enum
import typing
from types import EllipsisType, NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NewType,
    Optional,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema
from typing_extensions import TypeAliasType

_SPECIAL_FORM = type(Optional)
_ALIASES = (
    TypeAliasType,
    getattr(typing, "TypeAliasType", TypeAliasType),
)  # not one on every Python


class Reasoning(str):
    """Annotates an output field that holds the provider's native reasoning content.

    Such a field is text like any other: it streams, and its value in a prediction is a str.
    """

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler(str)


def is_type(value: object) -> bool:
    """True if `value` can annotate a field: a class, a parametrised type, an alias, Any, None."""
    if get_origin(value) is not None:
        return get_origin(value) is not ClassVar

    if value is None or value is Any:
        return True

    return isinstance(value, (type, NewType, TypeVar, *_ALIASES))


def is_special_form(value: object) -> bool:
    """True if `value` becomes a type by subscription, as Optional and Literal do."""
    return isinstance(value, _SPECIAL_FORM)


def bare(annotation: Any) -> Any:
    """The annotation without Annotated, NewType and aliases around it."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif isinstance(annotation, _ALIASES):
            annotation = annotation.__value__
        else:
            return annotation


def metadata(annotation: Any) -> list[Any]:
    """All that Annotated says of a type, inside aliases and an Optional too, the innermost first."""
    if isinstance(annotation, NewType):
        return metadata(annotation.__supertype__)

    if isinstance(annotation, _ALIASES):
        return metadata(annotation.__value__)

    if get_origin(annotation) is Annotated:
        inner, *said = get_args(annotation)

        return [*metadata(inner), *said]

    if get_origin(annotation) in (Union, UnionType):
        members = [one for one in get_args(annotation) if one not in (None, NoneType)]

        return metadata(members[0]) if len(members) == 1 else []

    return []


def alternatives(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, flat and bare; of any other annotation, itself."""
    annotation = bare(annotation)

    if get_origin(annotation) in (Union, UnionType):
        return tuple(one for arg in get_args(annotation) for one in alternatives(arg))

    return (NoneType,) if annotation is None else (annotation,)


def allows_none(annotation: Any) -> bool:
    """True if None is one of the values the annotation names."""
    return NoneType in alternatives(annotation)


def is_text(annotation: Any) -> bool:
    """True if the annotation is str, Reasoning or an Optional of them."""
    members = [one for one in alternatives(annotation) if one is not NoneType]

    return bool(members) and all(one in (str, Reasoning) for one in members)


def type_text(annotation: Any) -> str:
    """The annotation as one would write it: `list[str]`, `Literal['a', 'b']`, `Person | None`."""
    origin, args = get_origin(annotation), get_args(annotation)

    if origin is Annotated:
        return type_text(args[0])

    if origin in (Union, UnionType):
        return " | ".join(type_text(arg) for arg in args)

    if origin is Literal:
        return f"Literal[{', '.join(_value_text(arg) for arg in args)}]"

    if annotation.__class__ is list:  # the arguments of a Callable
        return f"[{', '.join(type_text(arg) for arg in annotation)}]"

    if origin is None or not args:
        return "tuple[()]" if origin is tuple and annotation is not tuple else _name(annotation)

    return f"{_name(origin)}[{', '.join(type_text(arg) for arg in args)}]"


def _value_text(value: object) -> str:
    if isinstance(value, enum.Enum):
        return f"{_name(type(value))}.{value.name}"

    return repr(value)


def _name(annotation: Any) -> str:
    if annotation is NoneType or annotation is None:
        return "None"

    if isinstance(annotation, EllipsisType):
        return "..."

    name = getattr(annotation, "__qualname__", None) or getattr(annotation, "__name__", None)

    if not isinstance(name, str):
        return type(annotation).__name__ if "0x" in repr(annotation) else repr(annotation)

    return name.rpartition("<locals>.")[2]
