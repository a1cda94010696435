"""pydantic's side of fields: validators, built once per type, and JSON Schema."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import pydantic
from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.json_schema import (
    GenerateJsonSchema,
    JsonSchemaValue,
    JsonSchemaWarningKind,
)

from headrace.errors import OutputUnserialisable
from headrace.values import to_jsonable
from headrace.values.aliases import coming_in
from headrace.values.parts import Node, outside_name

Mode: TypeAlias = Literal["validation", "serialization"]
JsonSchema: TypeAlias = dict[str, Any]


def adapter_for(annotation: Any, constraints: Mapping[str, Any] | None = None) -> TypeAdapter[Any]:
    """The validator of values of a type, with constraints as `pydantic.Field` names them.

    Classes that pydantic does not know are checked with isinstance. Raises pydantic's own errors
    for what cannot annotate a value.
    """
    key = tuple(sorted((constraints or {}).items()))

    try:
        hash((annotation, key))
    except TypeError:
        return _build(annotation, key)

    # Unions are equal in any order, their validators are not: the text keeps them apart.
    return _cached(repr(annotation), annotation, key)


@functools.lru_cache(maxsize=1024)
def _cached(text: str, annotation: Any, key: tuple[tuple[str, Any], ...]) -> TypeAdapter[Any]:
    return _build(annotation, key)


def _build(annotation: Any, key: tuple[tuple[str, Any], ...]) -> TypeAdapter[Any]:
    constrained: Any = Annotated[annotation, pydantic.Field(**dict(key))] if key else annotation

    try:
        return TypeAdapter(constrained)
    except PydanticSchemaGenerationError:
        return TypeAdapter(constrained, config=ConfigDict(arbitrary_types_allowed=True))


def validated(adapter: TypeAdapter[Any], value: object) -> Any:
    """The value as the adapter's type, its parts under any name they have.

    Raises pydantic.ValidationError if it does not fit.
    """
    return adapter.validate_python(coming_in(adapter, value))


def object_schema(
    adapters: Mapping[str, TypeAdapter[Any]], mode: Mode = "validation"
) -> JsonSchema:
    """The JSON Schema of an object with these properties, definitions they share under `$defs`."""
    properties, shared = TypeAdapter.json_schemas(
        [(name, mode, adapter) for name, adapter in adapters.items()],
        schema_generator=_Generator,
    )
    schema: JsonSchema = {
        "type": "object",
        "properties": {name: dict(one) for (name, _), one in properties.items()},
    }

    return {**schema, "$defs": shared["$defs"]} if shared.get("$defs") else schema


def value_schema(adapter: TypeAdapter[Any], mode: Mode = "validation") -> JsonSchema:
    """The JSON Schema of one value, complete in itself."""
    return adapter.json_schema(mode=mode, schema_generator=_Generator)


def default_text(default: object) -> JsonSchema:
    """The part of a JSON Schema that shows a default; empty where the default has no JSON form."""
    try:
        return {"default": to_jsonable(default)}
    except OutputUnserialisable:
        return {}


class _Generator(GenerateJsonSchema):
    """Describes types without a JSON form as anything at all, and says nothing on the way.

    Parts have their outside names, in what comes in too.
    """

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {  # noqa: RUF012 - pydantic's declaration
        "skipped-choice",
        "non-serializable-default",
        "skipped-discriminator",
    }

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        return {}

    def encode_default(self, dft: Any) -> Any:
        encoded = super().encode_default(dft)

        # A set's order differs from process to process; a schema must not.
        return sorted(encoded, key=repr) if isinstance(dft, (set, frozenset)) else encoded

    def model_fields_schema(self, schema: Any) -> JsonSchemaValue:
        return super().model_fields_schema(_named_outside(schema))

    def typed_dict_schema(self, schema: Any) -> JsonSchemaValue:
        return super().typed_dict_schema(_named_outside(schema))

    def dataclass_args_schema(self, schema: Any) -> JsonSchemaValue:
        fields = _outside({field["name"]: field for field in schema["fields"]})
        named: Any = {
            **schema,
            "fields": [{**field, "name": name} for name, field in fields.items()],
        }

        return super().dataclass_args_schema(named)


def _named_outside(schema: Any) -> Any:
    return {**schema, "fields": _outside(schema["fields"])}


def _outside(fields: Mapping[str, Node]) -> dict[str, Node]:
    """Fields that go by their outside names alone, in both directions."""
    named = {outside_name(name, field): field for name, field in fields.items()}

    return {name: {**field, "validation_alias": name} for name, field in named.items()}
