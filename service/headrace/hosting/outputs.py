"""The outputs of a module, read off its signature, its return annotation, or its source."""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping
from types import FunctionType, NoneType
from typing import Any, NotRequired, Required, TypeVar, get_args, get_origin

from typing_extensions import ReadOnly, is_typeddict

from headrace.chain_of_thought import ChainOfThought
from headrace.hosting.return_analysis import RESULT, Outputs, returned_by
from headrace.module import Module
from headrace.predict import Predict
from headrace.react import ReAct
from headrace.signatures import Field, OutputField
from headrace.signatures.annotations import alternatives
from headrace.values import Prediction

Place = tuple[int, FunctionType]


def module_outputs(
    module: Module, method: FunctionType | None = None, around: frozenset[Place] = frozenset()
) -> Outputs | None:
    """The outputs of a module, or of one of its methods; None where they cannot be known for sure.

    `around` are the methods whose results hang on this one.
    """
    method = method or _work(module)

    if method is None or (id(module), method) in around:
        return None

    inner = functools.partial(module_outputs, around=around | {(id(module), method)})

    match module:
        case Predict(signature=signature) if method is Predict.aforward:
            return signature.output_fields
        case ChainOfThought(predict=predict) if method is ChainOfThought.aforward:
            return inner(predict)
        case ReAct(extract=extract) if method is ReAct.aforward:
            turns = OutputField(desc="what was thought, done and seen")
            answer = inner(extract)
            return answer and {"trajectory": turns.named("trajectory", dict[str, Any]), **answer}
        case _:
            return _stated(method) or returned_by(module, method, inner)


def _work(module: Module) -> FunctionType | None:
    """The method that does a module's work, where a call of the module gives what that returns."""
    cls = type(module)
    own = {"acall", "__call__", "forward", "aforward"} & vars(module).keys()

    if own or cls.acall is not Module.acall or cls.__call__ is not Module.__call__:
        return None

    method = cls.aforward if module.works_async else cls.forward

    return method if isinstance(method, FunctionType) else None


def _stated(method: FunctionType) -> Outputs | None:
    """The outputs that a return annotation states; None where it leaves them open."""
    try:
        hint = typing.get_type_hints(method, include_extras=True).get("return")
    except (NameError, TypeError):  # said where the program is made, if it matters there
        return None

    members = [one for one in alternatives(hint) if one is not NoneType]

    if len(members) == 1 and is_typeddict(members[0]):
        return _of_typed_dict(members[0])

    if not members or any(map(_may_hold_outputs, members)):
        return None

    return {RESULT: OutputField().named(RESULT, hint)}


def _of_typed_dict(kind: Any) -> Outputs:
    hints = typing.get_type_hints(kind, include_extras=True)

    return {name: _key(name, hint, name in kind.__required_keys__) for name, hint in hints.items()}


def _key(name: str, hint: Any, required: bool) -> Field:
    """The output for a key. What its annotation says goes first: as a string, Python missed it."""
    while (around := get_origin(hint)) in (NotRequired, Required, ReadOnly):
        required = around is Required or (required and around is ReadOnly)
        hint = get_args(hint)[0]

    field = OutputField() if required else OutputField(default_factory=NoneType)

    return field.named(name, hint)  # type: ignore[no-any-return]  # typed Any for class bodies


def _may_hold_outputs(kind: Any) -> bool:
    """True where a value of this type may be a Prediction or a mapping, whose items are the outputs."""
    origin: Any = get_origin(kind) or kind

    if origin is Any or isinstance(origin, TypeVar):
        return True

    try:
        is_wider = any(issubclass(one, origin) for one in (Prediction, dict))

        return is_wider or issubclass(origin, Prediction | Mapping)
    except TypeError:  # Literal and kin, and protocols that cannot be asked
        return hasattr(get_origin(kind) or kind, "_is_protocol")
