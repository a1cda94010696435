"""JSON Schemas as people are told of them: what to choose from, what kind of value, which members. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

from headrace_client.cli.clean import one_line

Schema: TypeAlias = dict[str, Any]

KINDS = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def plain(schema: Schema, definitions: Mapping[str, Schema] | None = None) -> Schema:
    """The schema with what it points to, and `T | null` as one schema: one more choice, or a type more.

    Only the schema itself: its members point on, to the definitions it keeps.
    """
    definitions = {**(definitions or {}), **schema.get("$defs", {})}
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    own = {key: value for key, value in schema.items() if key not in ("$ref", "anyOf")}

    if name in definitions:
        return plain({"$defs": definitions, **definitions[name], **own})

    arms: Sequence[Schema] = schema.get("anyOf", [])
    others = [one for one in arms if one.get("type") != "null"]

    if len(others) != 1:
        return {"$defs": definitions, **schema}

    only = plain({"$defs": definitions, **others[0], **own})

    return _or_null(only) if len(arms) > 1 else only


def choices_of(schema: Schema) -> Sequence[object]:
    """The values that there are to choose from; empty where there are too many to list."""
    if "const" in schema:
        return [schema["const"]]

    return cast("Sequence[object]", schema.get("enum", []))


def types_of(schema: Schema) -> set[str]:
    """The JSON types of its values; empty where any will do."""
    found: object = schema.get("type", [])
    own = [found] if isinstance(found, str) else cast("list[str]", found)

    return {*own, *(kind for arm in schema.get("anyOf", []) for kind in types_of(arm))}


def kind_text(schema: Schema) -> str:
    """What its values are, in words: a whole number, text or null, one of left and right."""
    if choices := choices_of(schema):
        return " or ".join(map(shown, choices))

    types = types_of(schema)

    return " or ".join(KINDS[name] for name in KINDS if name in types) or "a value"


def members_of(schema: Schema) -> Iterator[tuple[str, str]]:
    """The members of an object, each with what it takes."""
    required = schema.get("required", [])

    for name, member in schema.get("properties", {}).items():
        optional = "" if name in required else ", optional"
        described = plain(member, schema.get("$defs"))
        yield one_line(name), f"{kind_text(described)}{optional}"


def shown(choice: object) -> str:
    """A choice as people read and type it: text as it is, anything else as JSON."""
    return one_line(choice if isinstance(choice, str) else json.dumps(choice, ensure_ascii=False))


def _or_null(schema: Schema) -> Schema:
    if choices := choices_of(schema):
        return {key: value for key, value in schema.items() if key != "const"} | {
            "enum": [*choices, None]
        }

    return {**schema, "type": [*sorted(types_of(schema)), "null"]} if types_of(schema) else schema
