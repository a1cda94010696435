"""The parts of a JSON schema: what they mean together, what they refer to, what they show."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import unquote

from headrace.lm.loose_json import mapping, sequence

Schema: TypeAlias = Mapping[str, Any]

NOTHING: tuple[object, ...] = (None, "", [], {})
"""Defaults that show nothing."""
KEYWORDS: Mapping[str, tuple[str, ...]] = {
    "object": ("properties", "additionalProperties", "patternProperties", "required", "minProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}  # fmt: skip
"""Keywords that tell of a type where none is named."""


def kind_of(schema: Schema) -> str:
    """The type of the values: the one that is named, of several the first, else what keywords tell of."""
    named: str | Sequence[str] = schema.get("type", ())

    if isinstance(named, str):
        return named

    told = (kind for kind, keywords in KEYWORDS.items() if not schema.keys().isdisjoint(keywords))

    return next((one for one in named if one != "null"), None) or next(
        iter(named), next(told, "string")
    )


def shown_by(schema: Schema) -> list[Any]:
    """Values that a schema itself shows: examples, and a default that says something."""
    default = schema.get("default")

    return [*sequence(schema.get("examples")), *(() if default in NOTHING else (default,))]


def fits(value: object, schema: Schema, root: Schema) -> bool:
    """True for a value that fits a part of a schema, whose references are looked up in the whole of it."""
    from jsonschema import Draft202012Validator  # takes a tenth of a second, and is seldom needed

    shared = {name: root[name] for name in ("$defs", "definitions") if name in root}
    validator: Any = Draft202012Validator({**schema, **shared})

    try:
        return bool(validator.is_valid(value))
    except Exception:  # noqa: BLE001 - whatever comes of a schema that is wrong
        return False


def looked_up(part: Schema, root: Schema) -> tuple[Schema, ...]:
    """The part that a part refers to, if it does, and what stands beside that."""
    if "$ref" not in part:
        return (part,)

    found = root

    for step in filter(None, unquote(part["$ref"]).lstrip("#/").split("/")):
        found = mapping(found.get(step.replace("~1", "/").replace("~0", "~")))

    return found, without(part, "$ref")


def other_properties(schema: Schema) -> Schema:
    """The schema of properties that are not named."""
    patterns: Mapping[str, Schema] = schema.get("patternProperties", {})

    return next(iter(patterns.values()), mapping(schema.get("additionalProperties")))


def array_parts(schema: Schema) -> tuple[Sequence[Schema], Schema]:
    """The schemas of an array's first items, each its own, and that of the others."""
    if tuple_ := sequence(schema.get("items")):  # as schemas were written before 2020
        return tuple_, mapping(schema.get("additionalItems"))

    return schema.get("prefixItems", ()), mapping(schema.get("items"))


def without(schema: Schema, keyword: str) -> Schema:
    """The schema without one keyword."""
    return {name: one for name, one in schema.items() if name != keyword}


def merged(*schemas: Schema) -> Schema:
    """One schema for what fits all of these, as far as they can be taken together."""
    return functools.reduce(_both, schemas, {})


def _both(first: Schema, second: Schema) -> Schema:
    together = {
        name: TOGETHER[name](first[name], second[name])
        for name in first.keys() & second.keys() & TOGETHER.keys()
    }

    return {**first, **second, **together}


def _properties(first: Mapping[str, Schema], second: Mapping[str, Schema]) -> Mapping[str, Schema]:
    return {**first, **{name: merged(first.get(name, {}), one) for name, one in second.items()}}


TOGETHER: Mapping[str, Callable[[Any, Any], Any]] = {
    "properties": _properties,
    "required": lambda first, second: [*first, *second],
    "allOf": lambda first, second: [*first, *second],
    "enum": lambda first, second: [one for one in first if one in second],
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}
"""Rules for keywords that two schemas have; of all others, the second's stand."""
