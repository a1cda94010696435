"""Checking a caller's inputs against a program's fields, before anything runs."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from headrace.errors import FieldViolation, InputInvalid
from headrace.signatures import Field


def check_inputs(fields: Mapping[str, Field], given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs as their fields' types, defaults filled in.

    Raises InputInvalid with one violation per name that is unknown, missing or of the wrong type.
    """
    violations = [*_unknown(fields, given), *_missing(fields, given)]
    values: dict[str, Any] = {}

    for name, field in fields.items():
        if name in given:
            try:
                values[name] = field.validate(given[name])
            except ValidationError as error:
                violations.extend(_wrong(name, error))
        elif not field.required:
            values[name] = field.default_value()

    if violations:
        raise InputInvalid(violations)

    return values


def _unknown(fields: Mapping[str, Field], given: Mapping[str, Any]) -> Iterator[FieldViolation]:
    for name in given:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            hint = (
                f"did you mean {near[0]}?" if near else f"there are {', '.join(fields) or 'none'}"
            )

            yield FieldViolation(f"inputs.{name}", f"unknown; {hint}")


def _missing(fields: Mapping[str, Field], given: Mapping[str, Any]) -> Iterator[FieldViolation]:
    for name, field in fields.items():
        if field.required and name not in given:
            yield FieldViolation(f"inputs.{name}", f"missing; a {field.type_text} is required")


def _wrong(name: str, error: ValidationError) -> Iterator[FieldViolation]:
    """Says where and what, never the value: it may be somebody's secret."""
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        path = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in one["loc"])

        yield FieldViolation(f"inputs.{name}{path}", one["msg"])
