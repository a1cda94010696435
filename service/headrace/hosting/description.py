"""Description: the parts of a module as data, for callers; and inputs for them to paste."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from headrace.hosting.port import FieldInfo, PredictorInfo, ToolInfo
from headrace.module import Module, unfold
from headrace.signatures import Field
from headrace.tools import Tool

DEPTH = 6
"""Levels of nested schemas that are filled; a recursive model would never end."""

BY_TYPE: Mapping[str, Any] = {"integer": 1, "number": 1.0, "boolean": True, "null": None}


def input_infos(fields: Sequence[Field]) -> Sequence[FieldInfo]:
    """Inputs as data."""
    return [
        FieldInfo(
            field.name,
            field.type_text,
            field.desc,
            required=field.required,
            default=field.shown_default.get("default", ...),
        )
        for field in fields
    ]


def output_infos(fields: Sequence[Field]) -> Sequence[FieldInfo]:
    """Outputs as data."""
    return [
        FieldInfo(field.name, field.type_text, field.desc, streams_text=field.streams_text)
        for field in fields
    ]


def predictor_infos(module: Module) -> Sequence[PredictorInfo]:
    """The predictors of a module tree, each with what it can stream."""
    return [
        PredictorInfo(
            address,
            output_infos([*predictor.signature.output_fields.values()]),
            signature=predictor.signature.signature,
            module=type(predictor).__name__,
        )
        for address, predictor in module.named_predictors()
    ]


def tool_infos(module: Module) -> Sequence[ToolInfo]:
    """The tools that modules of a tree hold, each name once."""
    tools = {tool.name: tool for _, one in module.named_modules() for tool in _tools(one)}

    return [
        ToolInfo(
            tool.name,
            tool.desc,
            tool.parameters_schema,
            idempotent=tool.idempotent,
            approval=bool(tool.approve),
        )
        for tool in tools.values()
    ]


def _tools(module: Module) -> Iterator[Tool]:
    for _, part in unfold("", list(vars(module).values())):
        if isinstance(part, Tool) and not part.silent:
            yield part


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
