"""Description: the parts of a module as data, for callers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headrace.hosting.port import FieldInfo, PredictorInfo, ToolInfo
from headrace.module import Module, unfold
from headrace.signatures import Field
from headrace.tools import Tool


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
