"""Parameters of a function: their types, read from it, and their JSON Schema."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

from headrace.errors import UsageError
from headrace.signatures.defaults import open_type, taking_default
from headrace.signatures.names import TypeNames
from headrace.signatures.schemas import JsonSchema, adapter_for, default_text, object_schema


@dataclass(frozen=True)
class Parameters:
    """The parameters that a function takes by name."""

    types: Mapping[str, Any]
    """In order; an unstated type is that of the default, and without one Any."""
    defaults: Mapping[str, Any]
    has_kwargs: bool
    """True where arguments of other names are taken too."""

    def require(self, names: Iterable[str], function: Callable[..., Any]) -> None:
        """Raises UsageError for names that the function does not take."""
        for name in names:
            if name not in self.types and not self.has_kwargs:
                there = ", ".join(self.types) or "nothing"
                raise UsageError(f"{_shown(function)} takes {there}, but no {name!r}")


def read_parameters(function: Callable[..., Any], stated: Mapping[str, Any]) -> Parameters:
    """The parameters of a function, with the types that are `stated` in place of its own.

    Raises UsageError for one that cannot be called by name, and for types that cannot be resolved.
    """
    parameters = _parameters(function)
    named = [one for one in parameters if one.kind is not Parameter.VAR_KEYWORD]

    for one in named:
        if one.kind in (Parameter.VAR_POSITIONAL, Parameter.POSITIONAL_ONLY):
            raise UsageError(
                f"{_shown(function)} takes {one.name!r} by position, and a tool is called by "
                "names; wrap it in a function that names what it takes"
            )

    has_kwargs = len(named) < len(parameters)
    types = {
        one.name: stated[one.name] if one.name in stated else _type(one, function) for one in named
    }
    defaults = {one.name: one.default for one in named if one.default is not Parameter.empty}

    return Parameters({**types, **(stated if has_kwargs else {})}, defaults, has_kwargs)


def parameters_schema(
    parameters: Parameters,
    declared: Mapping[str, JsonSchema],
    descriptions: Mapping[str, str],
) -> JsonSchema:
    """JSON Schema of the arguments as one object; `declared` replaces what the types say."""
    schema = object_schema({name: adapter_for(one) for name, one in parameters.types.items()})
    properties: dict[str, JsonSchema] = schema["properties"]

    for name, default in parameters.defaults.items():
        properties[name] |= default_text(default)

    properties |= {name: dict(one) for name, one in declared.items()}

    for name, description in descriptions.items():
        properties[name] = {**properties.get(name, {}), "description": description}

    # Functions that take anything take what is declared of it, if something is.
    more = parameters.has_kwargs and not declared
    optional = {*parameters.defaults, *(name for name, one in declared.items() if "default" in one)}

    return {
        **schema,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": more,
    }


def _parameters(function: Callable[..., Any]) -> list[Parameter]:
    """The parameters, with annotations that are strings evaluated where that is possible."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{_shown(function)} does not say what it takes; wrap it") from error

    for scope in (None, TypeNames(accepts=lambda value: True)):
        try:
            signature = inspect.signature(function, locals=scope, eval_str=True)
            break
        except Exception:  # noqa: BLE001, S112 - whatever evaluating an annotation raises
            continue

    return list(signature.parameters.values())


def _type(parameter: Parameter, function: Callable[..., Any]) -> Any:
    has_no_default = parameter.default is Parameter.empty

    if parameter.annotation is Parameter.empty:
        return Any if has_no_default else open_type(parameter.default)

    if isinstance(parameter.annotation, str):
        raise UsageError(
            f"the type of {parameter.name!r} of {_shown(function)} is unknown: "
            f"{parameter.annotation}; give it: Tool(..., arg_types={{{parameter.name!r}: ...}})"
        )

    if has_no_default:
        return parameter.annotation

    return taking_default(parameter.annotation, parameter.default)


def _shown(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__qualname__)
