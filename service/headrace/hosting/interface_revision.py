"""Interface revision: a short name that changes when callers of a program may have to.

It counts the inputs and outputs by name, type and requiredness, and their JSON Schemas, those of nested
models included. Words do not count (descriptions, titles, examples, defaults), nor does order that means
nothing: of fields, of the members of objects, of enum values. The program's name does not count either.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from headrace.hosting.port import FieldInfo

WORDS = frozenset(
    {
        "$comment",
        "default",
        "deprecated",
        "description",
        "example",
        "examples",
        "readOnly",
        "title",
        "writeOnly",
    }
)
"""Keywords of a schema that say something of values and hold them to nothing."""
NAMED = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
"""Keywords that hold schemas by names, which may be those of other keywords."""


def interface_revision_of(
    inputs: Sequence[FieldInfo],
    outputs: Sequence[FieldInfo],
    input_schema: Mapping[str, Any],
    output_schema: Mapping[str, Any],
) -> str:
    """First 12 hex digits of a SHA-256 over what callers of a program give and get."""
    facts = [_fields(inputs), _fields(outputs), _bare(input_schema), _bare(output_schema)]
    written = json.dumps(facts, sort_keys=True)

    return hashlib.sha256(written.encode()).hexdigest()[:12]


def _fields(fields: Iterable[FieldInfo]) -> Sequence[tuple[str, str, bool]]:
    return sorted((field.name, field.type, field.required) for field in fields)


def _bare(schema: object) -> object:
    """A schema without its words, its sets in order."""
    if isinstance(schema, Mapping):
        keywords = cast("Mapping[str, Any]", schema)

        return {key: _held(key, value) for key, value in keywords.items() if key not in WORDS}

    if isinstance(schema, list):
        return [_bare(one) for one in cast("list[object]", schema)]

    return schema


def _held(key: str, value: Any) -> object:
    """What a keyword holds."""
    if key in NAMED and isinstance(value, Mapping):
        schemas = cast("Mapping[str, object]", value)

        return {name: _bare(schema) for name, schema in schemas.items()}

    if key in ("enum", "required") and isinstance(value, list):
        return sorted(cast("list[object]", value), key=json.dumps)

    return value if key == "const" else _bare(value)
