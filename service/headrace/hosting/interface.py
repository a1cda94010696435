"""The interface of a module: description, inputs and outputs, read off its code.

Inputs are those of a built-in module's signature; else the parameters of the method that does the
work, their annotations the types; where there is none, the type of the default, or `str`. Outputs are
those declared for hosting, those of a built-in module's signature, those of the return annotation, or
what can be seen to be returned; else they are not declared and predictions carry what comes.
"""

from __future__ import annotations

import inspect
import itertools
import typing
from collections.abc import Callable, Sequence
from typing import Any

from headrace.chain_of_thought import ChainOfThought
from headrace.errors import UsageError
from headrace.hosting.outputs import module_outputs
from headrace.module import Module, PredictingModule
from headrace.predict import Predict
from headrace.react import ReAct
from headrace.signatures import (
    Field,
    InputField,
    Signature,
    ensure_signature,
    make_signature,
)
from headrace.signatures.defaults import taking_default

DeclaredOutputs = type[Signature] | str | None
"""Outputs as declared for hosting: a signature whose outputs count, or "a, b: int"."""

NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
BUILT_IN = (Module, PredictingModule, Predict, ChainOfThought, ReAct)


def description_of(module: Module) -> str:
    """The first paragraph of its class's docstring; of a built-in module, of its signature's."""
    own = itertools.takewhile(lambda cls: cls not in BUILT_IN, type(module).__mro__)
    signature = _signature_of(module)
    instructions = "" if signature is None else signature.instructions

    return _first_paragraph(next((cls.__doc__ for cls in own if cls.__doc__), instructions))


def input_fields(module: Module) -> Sequence[Field]:
    """The program's inputs.

    Raises UsageError for a module without work, annotations that cannot be resolved, and parameters
    that cannot be given by name.
    """
    work = _work_of(module)
    parameters = inspect.signature(work).parameters.values()
    named = [parameter for parameter in parameters if parameter.kind in NAMED]

    for parameter in parameters:
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise UsageError(
                f"{work.__qualname__} takes {parameter.name!r} by position, and inputs have names: "
                "take out the /"
            )

    built_in = _signature_of(module)

    if built_in is not None and not named:  # a subclass of a built-in may name its own
        return [_taking_default(field) for field in built_in.input_fields.values()]

    hints = _hints(work)

    return [_taking_default(_input(one, hints.get(one.name))) for one in named]


def _input(parameter: inspect.Parameter, annotation: Any) -> Field:
    default = ... if parameter.default is parameter.empty else parameter.default

    return InputField(default).named(parameter.name, annotation)  # type: ignore[no-any-return]  # typed Any for class bodies


def _taking_default(field: Field) -> Field:
    if field.default is ... or (field.options and field.default is not None):
        return field  # what constrains numbers cannot be asked of a word

    return field.named(field.name, taking_default(field.annotation, field.default))


def output_fields(module: Module, declared: DeclaredOutputs) -> Sequence[Field]:
    """The program's outputs; none when they are neither declared nor to be seen."""
    outputs = module_outputs(module) if declared is None else _declared(declared).output_fields

    return list((outputs or {}).values())


def _work_of(module: Module) -> Callable[..., Any]:
    module.demand_work()

    return module.aforward if module.works_async else module.forward


def _signature_of(module: Module) -> type[Signature] | None:
    """The signature of a built-in module; None for others."""
    match module:
        case Predict(signature=signature):
            return signature
        case ChainOfThought(predict=predict):
            return predict.signature
        case ReAct(signature=signature):
            return signature
        case _:
            return None


def _declared(outputs: type[Signature] | str) -> type[Signature]:
    if not isinstance(outputs, str):
        return ensure_signature(outputs)

    if "->" in outputs:
        raise UsageError(
            f"outputs={outputs!r}: write the outputs alone, as in 'answer, score: int'"
        )

    return make_signature(f"inputs -> {outputs}")


def _first_paragraph(text: str) -> str:
    return " ".join(text.strip().split("\n\n")[0].split())


def _hints(work: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(work, include_extras=True)
    except (NameError, TypeError) as error:
        raise UsageError(
            f"{work.__qualname__}: an annotation cannot be resolved: {error}"
        ) from error
