"""Example inputs to paste: the author's first, or values of the right shape made from the schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEPTH = 6
"""How deep nested schemas are filled; a recursive model would never end."""

BY_TYPE: Mapping[str, Any] = {"integer": 1, "number": 1.0, "boolean": True, "null": None}


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

    kind = schema.get("type")

    if kind == "object":
        return _object(schema, root, depth) if depth > 0 else {}

    if kind == "array":
        return [_value(name, schema.get("items", {}), root, depth - 1)] if depth > 0 else []

    return BY_TYPE.get(str(kind), f"some {name.replace('_', ' ')}")


def _resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref", "")

    if not reference.startswith("#/"):
        return schema

    for step in reference[2:].split("/"):
        root = root[step]

    return root
