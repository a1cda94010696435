"""Values that fit a JSON schema, for canned answers to requests with a response format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

DEPTH = 8
"""How deep a schema that refers to itself is followed."""


def example(schema: Schema, prose: Callable[[str], str]) -> Any:
    """A value that fits the schema; `prose` writes the text of a property."""
    definitions: Mapping[str, Schema] = schema.get("$defs", {})

    def value(part: Schema, name: str, depth: int) -> Any:
        if "$ref" in part:
            part = definitions.get(part["$ref"].rpartition("/")[2], {}) if depth else {}

        if "const" in part:
            return part["const"]

        if "enum" in part:
            return part["enum"][0]

        if options := part.get("anyOf") or part.get("oneOf"):
            return value(options[0], name, depth)

        match part.get("type"):
            case "object":
                properties: Mapping[str, Schema] = part.get("properties", {})
                return {key: value(inner, key, depth - 1) for key, inner in properties.items()}
            case "array":
                return [value(part.get("items", {}), name, depth - 1)] if depth else []
            case "integer" | "number":
                return 7
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return prose(name)

    return value(schema, "", DEPTH)
