"""Schemas of fields, from what a prompt says of them: type, options, schema, bounds.

The words are those of our own adapters, and of dspy's where they are others.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from headrace.signatures.options import PHRASES

from headrace_mock.schema_parts import Schema, kind_of, merged

OUTPUTS = "Your output fields are:"
STRUCTURE = re.compile(r"\n+(?=Every interaction|All interactions|Inputs (?:come|will))")
"""The part of a system message after the list of outputs begins so."""
LISTED = r"(?ms)^\d+\. `{0}` \((.*?)\):(.*?)(?=\n\d+\. `\w+` \(|\Z)"
"""An output in the list: its type, and what is said of it."""
NOTED = r"(?m)(?:\{{{0}\}} *# note: the value(?: you produce)?|^`{0}`) (must .*)"
CONSTRAINTS = re.compile(r"(?s).*Constraints: (.*?)\.?$")
TYPES: Mapping[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "list": {"type": "array"},
    "dict": {"type": "object"},
}
"""Of types by name; any other needs its schema beside it."""
DSPY_PHRASES: Mapping[str, str] = {
    "gt": "greater than: {}",
    "ge": "greater than or equal to: {}",
    "lt": "less than: {}",
    "le": "less than or equal to: {}",
    "multiple_of": "a multiple of the given number: {}",
    "min_length": "minimum length: {}",
    "max_length": "maximum length: {}",
}
NUMBERS: Mapping[str, str] = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
}
KEYWORDS: Mapping[str, Mapping[str, str]] = {
    "integer": NUMBERS,
    "number": NUMBERS,
    "string": {
        "gt": "formatExclusiveMinimum",
        "ge": "formatMinimum",
        "lt": "formatExclusiveMaximum",
        "le": "formatMaximum",
        "min_length": "minLength",
        "max_length": "maxLength",
        "pattern": "pattern",
    },
    "array": {"min_length": "minItems", "max_length": "maxItems"},
    "object": {"min_length": "minProperties", "max_length": "maxProperties"},
}
"""JSON Schema's names of constraints, by the type they stand at."""


def _phrase(name: str, phrase: str, others: str) -> tuple[str, re.Pattern[str]]:
    words = re.escape(phrase).replace(re.escape("{}"), "(.+?)")

    return name, re.compile(rf"(?:^|, ){words}(?=, (?:{others})|$)", re.DOTALL)


_SAID = [*PHRASES.items(), *DSPY_PHRASES.items()]
_HEADS = "|".join(re.escape(phrase.partition("{}")[0]) for _, phrase in _SAID)
_PHRASES = [_phrase(name, phrase, _HEADS) for name, phrase in _SAID]


def stated_schema(name: str, prompt: str, type_text: str = "") -> Schema:
    """The schema of an output, as far as a prompt says anything of it; {} where nothing is known.

    `type_text` is what else names its type, for prompts that do not list their outputs.
    """
    outputs = prompt.partition(OUTPUTS)[2] or prompt
    listed = re.search(LISTED.format(name), STRUCTURE.split(outputs, 1)[0])
    noted = re.search(NOTED.format(name), outputs)
    kind, said = listed.groups() if listed else (type_text, "")
    note = noted[1] if noted else ""
    schema = _described(note) or _typed(kind) or _listed(note)
    constraints = CONSTRAINTS.search(said)

    return _bounded(schema, constraints[1]) if constraints else schema


def _described(note: str) -> Schema | None:
    """The schema that a note gives of a value, or that of the type it names."""
    if stated := re.search(r"schema: (?=\{)", note):
        for text in (note, note.replace('\\"', '"')):  # which may stand in a JSON text itself
            with suppress(ValueError):
                schema: Schema = json.JSONDecoder().raw_decode(text, stated.end())[0]
                return schema

    named = re.search(r"must be a single (int|float) value|must be ([Tt]rue) or", note)

    return TYPES[named[1] or "bool"] if named else None


def _typed(kind: str) -> Schema | None:
    if options := re.search(r"Literal\[(.*)\]", kind, re.DOTALL):
        with suppress(ValueError, SyntaxError):
            return {"enum": ast.literal_eval(f"[{options[1]}]")}

    named = re.search(rf"\b({'|'.join(TYPES)})\b", kind)

    return TYPES[named[1]] if named else None


def _listed(note: str) -> Schema:
    """The options that a note lists: JSON, or texts as they are."""
    options = re.search(r"one of: (.*?)(?:, or null)?\.?$", note)

    return {"enum": [_read(one) for one in options[1].split("; ")]} if options else {}


def _bounded(schema: Schema, constraints: str) -> Schema:
    """The schema with what the prompt says of bounds, where the schema itself says nothing."""
    options: Sequence[Schema] = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]

    if len(options) == 1:
        return {**schema, "anyOf": [_bounded(options[0], constraints)]}

    if schema.keys() & {"$ref", "anyOf", "oneOf", "enum"}:
        return schema

    return merged(*_bounds(KEYWORDS.get(kind_of(schema), {}), constraints), schema)


def _bounds(keywords: Mapping[str, str], constraints: str) -> Iterator[Schema]:
    """The constraints that are stated, of those that have a keyword."""
    for name, phrase in _PHRASES:
        for text in phrase.findall(constraints) if name in keywords else ():
            keyword = keywords[name]
            is_text = keyword == "pattern" or keyword.startswith("format")
            value = text if is_text else _read(text)

            if is_text or not isinstance(value, str):
                yield {keyword: value}


def _read(text: str) -> Any:
    """JSON, or else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
