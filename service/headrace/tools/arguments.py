"""Arguments of a call to a tool, checked and made into the types that the tool asks for."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from headrace.errors import OutputUnserialisable
from headrace.signatures.schemas import JsonSchema, adapter_for, validated
from headrace.signatures.violations import (
    Violation,
    clipped,
    few,
    path_of,
    property_names,
    violations,
)
from headrace.values import to_jsonable


class Fault(NamedTuple):
    """One thing that is wrong with the arguments."""

    place: str
    """Of the argument, or inside it: `place.city`."""
    rule: str
    """In a sentence of its own."""


class Arguments(NamedTuple):
    """The arguments of a call, and in words what is wrong with them."""

    values: dict[str, Any]
    faults: list[Fault]
    """They name places and rules, and hold none of the values."""
    cause: ValidationError | None
    """The first of them, which does: internal."""


def check_arguments(
    given: Mapping[str, Any],
    schema: JsonSchema,
    types: Mapping[str, Any],
    declared: Mapping[str, JsonSchema],
) -> Arguments:
    """Holds arguments to a tool's schema, to its parameters' types, and to what `args` declared."""
    faults = [*_misnamed(given, schema)]
    values = dict(given)
    cause: ValidationError | None = None

    for name, value in given.items():
        if name in declared:
            faults += _unfit(name, value, declared[name])

        if name in types:
            adapter = adapter_for(types[name])

            try:
                values[name] = validated(adapter, value)
            except ValidationError as error:
                cause = cause or error
                found = violations(error, adapter)
                places = ((name + one.path, one.rule) for one in found)
                faults += (Fault(place, f"argument {place!r}: {rule}") for place, rule in places)

    return Arguments(values, faults, cause)


def _misnamed(given: Mapping[str, Any], schema: JsonSchema) -> Iterator[Fault]:
    known: Mapping[str, Any] = schema["properties"]

    for name in schema["required"]:
        if name not in given:
            yield Fault(name, f"argument {name!r} is missing")

    for name in () if schema["additionalProperties"] else given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            there = f"it takes {', '.join(known)}" if known else "it takes none"
            hint = f"did you mean {near[0]!r}? " if near else ""
            yield Fault(name, f"there is no argument {name!r}; {hint}{there}")


def _unfit(name: str, value: object, schema: JsonSchema) -> Iterator[Fault]:
    try:
        plain = to_jsonable(value)
    except OutputUnserialisable:
        yield Fault(name, f"argument {name!r} has no JSON form")
        return

    from jsonschema import Draft202012Validator  # a sixth of what importing headrace would take

    validator: Any = Draft202012Validator(schema)
    names = property_names(schema)
    found = [
        Violation(path_of(one.absolute_path, names), f"{one.validator} {one.validator_value!r}")
        for one in validator.iter_errors(plain)
    ]

    for path, rule in few(found):
        place = name + path
        yield Fault(place, f"argument {place!r} breaks the rule {clipped(rule)}")
