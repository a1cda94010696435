"""Checking a caller's inputs against a program's fields, before anything runs."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from headrace.errors import FieldViolation, InputInvalid
from headrace.signatures import Field
from headrace.signatures.violations import violations


def check_inputs(fields: Mapping[str, Field], given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs as their fields' types, defaults filled in.

    Raises InputInvalid with one violation per name that is unknown, missing or of the wrong type.
    """
    found = [*_unknown(fields, given), *_missing(fields, given)]
    values: dict[str, Any] = {}
    cause: ValidationError | None = None

    for name, field in fields.items():
        if name in given:
            try:
                values[name] = field.validate(given[name])
            except ValidationError as error:
                cause = cause or error
                found.extend(_wrong(field, error))
        elif not field.required:
            values[name] = field.default_value()

    if found:
        raise InputInvalid(found) from cause

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


def _wrong(field: Field, error: ValidationError) -> Iterator[FieldViolation]:
    """Says where and what, and never the value of its own accord: it may be somebody's secret."""
    for path, rule in violations(error, field.adapter, own_words=True):
        yield FieldViolation(f"inputs.{field.name}{path}", rule)
