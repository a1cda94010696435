"""Return analysis: the outputs that a method returns, read off its source, which is never run.

Known are the outputs of members that it calls, Predictions and dicts whose names stand there, and values
whose type can be seen. Any other return makes the whole unknown: rather nothing than something wrong.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any, Protocol, TypeAlias

from headrace.errors import SignatureError
from headrace.hosting.name_analysis import Bindings
from headrace.module import Module
from headrace.signatures import Field, OutputField
from headrace.values import Prediction

Outputs: TypeAlias = Mapping[str, Field]

RESULT = "result"
"""The output that holds a value which is neither a Prediction nor a mapping."""

CALLS = ("acall", "aforward", "forward")
SCALARS = (str, bool, int, float, list)
NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


class OutputsOf(Protocol):
    """Gives the outputs of a module, or of one of its methods; None where they are not known."""

    def __call__(self, module: Module, method: FunctionType | None = None) -> Outputs | None: ...


def returned_by(module: Module, method: FunctionType, module_outputs: OutputsOf) -> Outputs | None:
    """The outputs that a method of a module returns; None where they cannot be seen."""
    tree = _tree(method)

    if tree is None:
        return None

    reading = _Reading(module, method, tree, module_outputs)

    try:
        return _common([reading.result(value) for value in _returned(tree)])
    except SignatureError:  # a name that no field can have
        return None


class _Reading:
    """Reads the expressions of one method."""

    def __init__(
        self,
        module: Module,
        method: FunctionType,
        tree: ast.FunctionDef | ast.AsyncFunctionDef,
        module_outputs: OutputsOf,
    ) -> None:
        self._module = module
        self._method = method
        self._arguments = tree.args
        self._names = Bindings(method, tree)
        self._module_outputs = module_outputs

    def result(self, value: ast.expr) -> Outputs | None:
        """The outputs of a run that returns this."""
        outputs = self._outputs(value)

        if outputs is not None:
            return outputs

        field = self._field(value)

        return {RESULT: field.named(RESULT)} if field.annotation in SCALARS else None

    def _outputs(self, value: ast.expr) -> Outputs | None:
        match value:
            case ast.Await(inner):
                return self._outputs(inner)
            case ast.IfExp(_, one, other):
                return _common([self._outputs(one), self._outputs(other)])
            case ast.Name(name):
                assigned = self._names.assigned(name)
                is_safe = assigned is not None and self._names.is_only_read(name)
                return self._outputs(assigned) if assigned is not None and is_safe else None
            case ast.Dict(keys, values):
                return self._merged(zip(keys, values, strict=True))
            case ast.Call(func, args, keywords) if self._names.outside(func) in (Prediction, dict):
                spread = [(None, one) for one in args]
                return self._merged([*spread, *((_key(one), one.value) for one in keywords)])
            case ast.Call():
                return self._called(value)
            case _:
                return None

    def _merged(self, items: Iterable[tuple[ast.expr | None, ast.expr]]) -> Outputs | None:
        """The outputs of `{key: value, **others}`."""
        merged: dict[str, Field] = {}

        for key, value in items:
            match key:
                case None:
                    others = self._outputs(value)

                    if others is None or RESULT in others:  # which may be no mapping at all
                        return None

                    merged |= others
                case ast.Constant(str(name)):
                    merged[name] = self._field(value).named(name)
                case _:
                    return None

        return merged

    def _called(self, call: ast.Call) -> Outputs | None:
        """The outputs of a member, or of the class below."""
        if not all(self._keeps_outputs(one) for one in call.keywords):
            return None

        match call.func:
            case ast.Attribute(ast.Call(ast.Name("super"), []), ("aforward" | "forward") as name):
                below = _below(type(self._module), self._method, name)
                return None if below is None else self._module_outputs(self._module, below)
            case ast.Attribute(owner, name) if name in CALLS:
                member = self._member(owner)
            case _:
                member = self._member(call.func)

        return self._module_outputs(member) if isinstance(member, Module) else None

    def _keeps_outputs(self, given: ast.keyword) -> bool:
        """True unless it is a `signature`, by which a call changes what a predictor gives."""
        if given.arg is not None:
            return given.arg != "signature"

        own = self._arguments.kwarg
        is_own = own is not None and isinstance(given.value, ast.Name) and given.value.id == own.arg

        # Where hosted, these are inputs and were checked.
        return is_own and own is not None and self._names.is_only_spread(own.arg)

    def _member(self, value: ast.expr) -> Any:
        """The value of `self.steps[0]` and the like when the program is made."""
        match value:
            case ast.Name(name):
                first = [*self._arguments.posonlyargs, *self._arguments.args][:1]
                return self._module if self._names.bound(name) == first else None
            case ast.Attribute(owner, name) if not self._names.sets_attribute(name):
                module = self._member(owner)
                return vars(module).get(name) if isinstance(module, Module) else None
            case ast.Subscript(owner, ast.Constant(key)):
                return _item(self._member(owner), key)
            case _:
                return None

    def _field(self, value: ast.expr) -> Field:
        """A field of the value's type; of any type, where it cannot be seen."""
        match value:
            case ast.Attribute(owner, name) | ast.Subscript(owner, ast.Constant(str(name))) if (
                name in (outputs := self._outputs(owner) or {}) and RESULT not in outputs
            ):
                return outputs[name]
            case ast.Name(name) if (assigned := self._names.assigned(name)) is not None:
                field = self._field(assigned)
                return field if field.annotation in SCALARS else _typed(Any)
            case ast.JoinedStr():
                return _typed(str)
            case ast.List() | ast.ListComp():
                return _typed(list)
            case ast.Constant(str() | int() | float() as constant):
                return _typed(type(constant))
            case _:
                return _typed(Any)


def _tree(method: FunctionType) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The syntax tree of a method that does what stands there: undecorated, and no generator."""
    try:
        [tree] = ast.parse(textwrap.dedent(inspect.getsource(method))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return None

    if not isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef) or tree.decorator_list:
        return None

    yields = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(tree))

    return None if yields or tree.name != method.__name__ else tree


def _returned(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions that it returns. None is left out, since a program that returns it fails."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Return(None | ast.Constant(None)):
                continue
            case ast.Return(ast.expr() as value):
                yield value
            case _:
                yield from () if isinstance(node, NESTED) else _returned(node)


def _common(several: Sequence[Outputs | None]) -> Outputs | None:
    """The outputs where all have the same names; what differs in type may be anything."""
    known = [one for one in several if one is not None]

    if (
        not known
        or len(known) < len(several)
        or any(one.keys() != known[0].keys() for one in known)
    ):
        return None

    return {
        name: field
        if all(one[name].annotation == field.annotation for one in known)
        else _typed(Any).named(name)
        for name, field in known[0].items()
    }


def _below(cls: type, method: FunctionType, name: str) -> FunctionType | None:
    """The method that `super().name` is, in a method of a class."""
    order = cls.__mro__
    at = next(at for at, one in enumerate(order) if vars(one).get(method.__name__) is method)
    found = next((vars(one)[name] for one in order[at + 1 :] if name in vars(one)), None)

    return found if isinstance(found, FunctionType) else None


def _key(given: ast.keyword) -> ast.expr | None:
    return None if given.arg is None else ast.Constant(given.arg)


def _item(held: Any, key: Any) -> Any:
    try:
        return held[key] if type(held) in (list, tuple, dict) else None
    except (LookupError, TypeError):
        return None


def _typed(annotation: Any) -> Field:
    field: Field = OutputField().named("value", annotation)

    return field
