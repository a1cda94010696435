"""Example inputs that are made up: an object that a program's schema of inputs accepts.

What a schema can say of a value is kept to, but for patterns and what spans several fields. They are for
people to paste and change, and for a form to begin with.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

DEPTH = 6
"""Levels of nested schemas that are filled; a recursive model would never end."""

BY_FORMAT: Mapping[str, str] = {
    "date": "2024-02-29",
    "date-time": "2024-02-29T12:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "ipv4": "192.0.2.1",
    "ipv4network": "192.0.2.0/24",
    "ipv6": "2001:db8::1",
    "ipvanyaddress": "192.0.2.1",
    "json-string": "{}",
    "time": "12:00:00",
    "uri": "https://example.com/",
    "uuid": "01234567-89ab-4def-8123-456789abcdef",
}


def example_inputs(schema: Mapping[str, Any]) -> dict[str, Any]:
    """An object that a JSON Schema of type object accepts, with its required properties."""
    return _object(schema, schema, DEPTH)


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})

    return {
        name: _value(name, properties.get(name, {}), root, depth - 1)
        for name in schema.get("required", ())
    }


def _value(name: str, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    schema = _resolve(schema, root)

    for given in ("const", "default"):
        if given in schema:
            return schema[given]

    for listed in ("enum", "examples"):
        if schema.get(listed):
            return schema[listed][0]

    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return _value(name, schema[choice][0], root, depth)

    match schema.get("type"):
        case "object":
            return _object(schema, root, depth) if depth > 0 else {}
        case "array":
            return [*_items(name, schema, root, depth - 1)] if depth > 0 else []
        case "integer" | "number" as kind:
            return _number(schema, whole=kind == "integer")
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _text(name, schema)


def _items(
    name: str, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int
) -> Iterator[Any]:
    """The items that an array has to have, and one more where it may."""
    first = schema.get("prefixItems", [])
    least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
    count = min(max(least, len(first), 1), most)
    rest = itertools.repeat(schema.get("items", {}))

    for one in itertools.islice(itertools.chain(first, rest), int(count)):
        yield _value(name, one, root, depth)


def _text(name: str, schema: Mapping[str, Any]) -> str:
    if schema.get("format") in BY_FORMAT:
        return BY_FORMAT[schema["format"]]

    text = f"some {name.replace('_', ' ')}"
    least, most = schema.get("minLength", 0), schema.get("maxLength")

    while len(text) < least:
        text += f" and {text}"

    return text[:most].strip().ljust(least, ".")


def _number(schema: Mapping[str, Any], *, whole: bool) -> int | float:
    """1, or what is near the bounds and keeps to them; 1 too where nothing that is tried does."""
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    step = schema.get("multipleOf", 1)
    bounds = [bound for bound in (low, high) if bound is not None]
    near = [
        math.floor(bound / step) * step + more * step for bound in bounds for more in (0, 1, -1)
    ]
    between = [sum(bounds) / len(bounds)] if bounds else []
    found = next((one for one in (1, step, *near, *between) if _keeps_to(one, schema, whole)), 1)

    return int(found) if whole else float(found)


def _keeps_to(value: float, schema: Mapping[str, Any], whole: bool) -> bool:
    return (
        schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf)
        and schema.get("exclusiveMinimum", -math.inf) < value
        and value < schema.get("exclusiveMaximum", math.inf)
        and value % schema.get("multipleOf", value or 1) == 0
        and (not whole or value == int(value))
    )


def _resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref", "")

    if not reference.startswith("#/"):
        return schema

    for step in reference[2:].split("/"):
        root = root[step]

    return root
