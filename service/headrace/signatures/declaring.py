"""The class form: the fields and instructions that a signature class and its bases declare."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, get_origin

from headrace.errors import SignatureError
from headrace.signatures.fields import Field, Side
from headrace.signatures.grammar import resolve
from headrace.signatures.names import TypeNames


class Body(dict[str, Any]):
    """The namespace of a class body, which holds each field once."""

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(value, Field) and isinstance(self.get(name), Field):
            raise SignatureError(
                f"field {name!r} is declared twice; a class body has one place for a name. "
                f"Put the other side in with .append({name!r}, OutputField())"
            )

        super().__setitem__(name, value)


def declared_fields(cls: type, body: Mapping[str, Any]) -> list[Field]:
    """The fields of a class body, in order. Raises SignatureError."""
    fields = {name: value for name, value in body.items() if isinstance(value, Field)}
    annotations = _annotations(cls)

    for name, annotation in annotations.items():
        if name not in fields and not name.startswith("_") and not _is_class_variable(annotation):
            raise SignatureError(
                f"{cls.__name__}.{name} is neither input nor output; "
                f"write {name}: … = InputField() or OutputField()"
            )

    plain = {name: value for name, value in body.items() if name not in fields}
    names = TypeNames.of_class(plain)

    return [
        field.named(name, _resolved(cls, name, annotations[name], names))
        if name in annotations
        else field.named(name)
        for name, field in fields.items()
    ]


def with_inherited(inherited: Iterable[Field], declared: Iterable[Field]) -> list[Field]:
    """Inherited fields, then declared ones; one that is declared again takes the inherited one's place.

    That holds for one declared on the other side, too.
    """
    merged = {(one.side, one.name): one for one in inherited}

    for one in declared:
        if (one.side, one.name) not in merged:
            merged.pop(("output" if one.side == "input" else "input", one.name), None)

        merged[one.side, one.name] = one

    return [*merged.values()]


def stated_instructions(body: Mapping[str, Any], inherited: Sequence[str | None]) -> str | None:
    """The docstring of a class body; without one the first inherited instructions; None for none.

    A class that inherits none is Signature itself: its docstring speaks to its readers, not to a model.
    """
    docstring = inspect.cleandoc(body.get("__doc__") or "")

    return next((text for text in [docstring, *inherited] if inherited and text), None)


def sides_of(fields: Iterable[Field]) -> tuple[Mapping[str, Field], Mapping[str, Field]]:
    """Inputs and outputs by name. Raises SignatureError for two of a name on one side."""
    sides: dict[Side, dict[str, Field]] = {"input": {}, "output": {}}

    for field in fields:
        if field.name in sides[field.side]:
            raise SignatureError(f"there are two {field.side} fields named {field.name!r}")

        sides[field.side][field.name] = field

    return MappingProxyType(sides["input"]), MappingProxyType(sides["output"])


def _annotations(cls: type) -> Mapping[str, Any]:
    try:
        return inspect.get_annotations(cls)
    except NameError as error:  # where annotations are evaluated late
        raise SignatureError(f"{cls.__name__}: unknown type {error.name!r}") from error


def _resolved(cls: type, name: str, annotation: Any, names: TypeNames) -> Any:
    where = f"{cls.__name__}.{name}"

    try:
        return resolve(annotation, names)
    except NameError as error:
        raise SignatureError(
            f"{where}: unknown type {error.name!r}; define or import it before the class"
        ) from error
    except Exception as error:
        raise SignatureError(f"{where}: {annotation!r} is not a type: {error}") from error


def _is_class_variable(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.startswith(("ClassVar", "typing.ClassVar"))

    return annotation is ClassVar or get_origin(annotation) is ClassVar
