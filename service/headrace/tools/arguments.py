"""Arguments: what a call gives a tool, checked and made into the types the tool asks for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from headrace.errors import OutputUnserialisable
from headrace.signatures.schemas import JsonSchema, adapter_for, validated
from headrace.values import to_jsonable


class Arguments(NamedTuple):
    """The arguments of a call, and in words what is wrong with them."""

    values: dict[str, Any]
    faults: list[str]
    """They name arguments and types, and hold none of the values."""


def check_arguments(
    given: Mapping[str, Any],
    schema: JsonSchema,
    types: Mapping[str, Any],
    declared: Mapping[str, JsonSchema],
) -> Arguments:
    """Holds arguments to a tool's schema, to its parameters' types, and to what `args` declared."""
    faults = [*_misnamed(given, schema)]
    values = dict(given)

    for name, value in given.items():
        if name in declared:
            faults += _unfit(name, value, declared[name])

        if name in types:
            try:
                values[name] = validated(adapter_for(types[name]), value)
            except ValidationError as error:
                faults += _wrong(name, error)

    return Arguments(values, faults)


def _misnamed(given: Mapping[str, Any], schema: JsonSchema) -> Iterator[str]:
    known: Mapping[str, Any] = schema["properties"]

    for name in schema["required"]:
        if name not in given:
            yield f"argument {name!r} is missing"

    for name in () if schema["additionalProperties"] else given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            there = f"it takes {', '.join(known)}" if known else "it takes none"
            hint = f"did you mean {near[0]!r}? " if near else ""
            yield f"there is no argument {name!r}; {hint}{there}"


def _wrong(name: str, error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        yield f"argument {_path(name, one['loc'])}: {one['msg']}"


def _unfit(name: str, value: object, schema: JsonSchema) -> Iterator[str]:
    try:
        plain = to_jsonable(value)
    except OutputUnserialisable:
        yield f"argument {name!r} has no JSON form"
        return

    from jsonschema import Draft202012Validator  # a sixth of what importing headrace would take

    validator: Any = Draft202012Validator(schema)

    for error in validator.iter_errors(plain):
        rule = f"{error.validator} {error.validator_value!r}"
        yield f"argument {_path(name, error.absolute_path)} breaks the rule {rule}"


def _path(name: str, steps: Iterable[int | str]) -> str:
    return repr(name + "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in steps))
