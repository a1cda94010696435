"""Texts that all dialects share: how fields are described, which values fit, how values look."""

from __future__ import annotations

import enum
import functools
import json
from collections.abc import Callable, Iterable
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import TypeAdapter

from headrace.errors import OutputUnserialisable
from headrace.signatures import Field
from headrace.signatures.annotations import alternatives
from headrace.signatures.schemas import value_schema
from headrace.values import to_jsonable

NOT_SUPPLIED = "Not supplied in this example."
INCOMPLETE = "In this example of the task some fields are missing."


def field_list(fields: Iterable[Field]) -> str:
    """A numbered list of fields: name, type, description, constraints."""
    return "\n".join(f"{at}. {_described(field)}" for at, field in enumerate(fields, 1))


def _described(field: Field) -> str:
    constraints = f"Constraints: {field.constraints}." if field.constraints else ""

    return " ".join(
        part for part in (f"`{field.name}` ({field.type_text}):", field.desc, constraints) if part
    )


def type_note(field: Field, write: Callable[[object], str] | None = None) -> str:
    """The form that a value of the field has to have; empty for text. `write` writes the options."""
    if field.streams_text:
        return ""

    members = alternatives(field.annotation)
    named = [one for one in members if one is not NoneType]
    note = _note(named[0], write or value_text) if len(named) == 1 else None

    if note is None:
        return f"must be JSON that fits the schema: {_schema_text(field.adapter)}"

    return f"{note}, or null" if NoneType in members else note


@functools.lru_cache(maxsize=512)
def _schema_text(adapter: TypeAdapter[Any]) -> str:
    return json.dumps(value_schema(adapter), ensure_ascii=False)


def _note(annotation: Any, write: Callable[[object], str]) -> str | None:
    if annotation is bool:
        return "must be true or false"

    if annotation in (int, float):
        return f"must be a single {annotation.__name__} value"

    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return f"must be one of: {'; '.join(map(write, annotation))}"

    if get_origin(annotation) is Literal:
        options = "; ".join(map(write, get_args(annotation)))

        return f"must match exactly, with nothing added, one of: {options}"

    return None


def asked_type(field: Field) -> str:
    """The type of a value, as a request names it after the field; empty for text."""
    return "" if field.streams_text else f" (as a valid {field.type_text})"


def shown_value(value: object) -> Any:
    """A value as JSON holds it; one without a JSON form is shown as str() writes it."""
    try:
        return to_jsonable(value)
    except OutputUnserialisable:
        return str(value)


def value_text(value: object) -> str:
    """A value as a prompt shows it: text as it is, all else as JSON."""
    shown = shown_value(value)

    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)


def json_text(value: object) -> str:
    """A value as JSON, text too."""
    return json.dumps(shown_value(value), ensure_ascii=False)
