"""The schema that providers with strict structured outputs accept, where a signature has one.

They want every object closed and all its properties required, and know only part of JSON Schema.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, cast

from headrace.signatures import Signature

KEPT = ("type", "description", "enum", "const")
"""Keywords that every such provider knows. Bounds and formats stand in the prompt, and are checked."""


class _NotStrictError(Exception):
    """Some part of the schema leaves open what may stand there."""


@functools.lru_cache(maxsize=256)
def strict_schema(signature: type[Signature]) -> dict[str, Any] | None:
    """The schema of the outputs, not to be changed; None where a type, such as dict, has no strict form."""
    schema = signature.json_schema("output")

    try:
        definitions = {name: _strict(one) for name, one in schema.get("$defs", {}).items()}

        return _strict(schema) | ({"$defs": definitions} if definitions else {})
    except _NotStrictError:
        return None


def _strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}

    strict = {name: schema[name] for name in KEPT if name in schema}

    for union in ("anyOf", "oneOf"):
        if union in schema:
            return strict | {"anyOf": [_strict(one) for one in schema[union]]}

    match schema.get("type"):
        case "object":
            return strict | _closed(schema)
        case "array":
            return strict | {"items": _strict(_items(schema))}
        case None if not strict.keys() & {"enum", "const"}:
            raise _NotStrictError
        case _:
            return strict


def _closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    if not schema.get("properties") or schema.get("additionalProperties"):
        raise _NotStrictError

    properties = {name: _strict(one) for name, one in schema["properties"].items()}

    return {
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _items(schema: Mapping[str, Any]) -> dict[str, Any]:
    if "prefixItems" in schema or not isinstance(schema.get("items"), dict):
        raise _NotStrictError

    return cast("dict[str, Any]", schema["items"])
