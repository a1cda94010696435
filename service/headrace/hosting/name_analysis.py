"""Name analysis of one method: the values that its names stand for, and the uses that may change them."""

from __future__ import annotations

import ast
import asyncio
import builtins
from collections.abc import Iterator, Sequence
from types import FunctionType, ModuleType
from typing import Any

from headrace.values import Prediction

READING = ("get", "items", "keys", "values", "toDict")
"""Methods of dicts and Predictions that change nothing."""


class Bindings:
    """The names in a method, as its syntax tree has them."""

    def __init__(self, method: FunctionType, tree: ast.AST) -> None:
        self._method = method
        self._nodes = list(ast.walk(tree))
        self._around = {one: node for node in self._nodes for one in ast.iter_child_nodes(node)}

    def bound(self, name: str) -> Sequence[ast.AST]:
        """The places that give the name a meaning inside the method, its parameter included."""
        return [node for node in self._nodes if name in _names_bound_by(node)]

    def sets_attribute(self, name: str) -> bool:
        """True where the method sets or deletes an attribute of that name, of whatever object."""
        return any(
            isinstance(node, ast.Attribute) and node.attr == name and not _is_read(node)
            for node in self._nodes
        )

    def outside(self, value: ast.expr) -> Any:
        """The value of a name, or a dotted one, outside the method; None if it has none there."""
        match value:
            case ast.Name(name) if not self.bound(name):
                is_local = name in self._method.__code__.co_freevars
                here = self._method.__globals__
                return None if is_local else here.get(name, getattr(builtins, name, None))
            case ast.Attribute(owner, name):
                module = self.outside(owner)
                return getattr(module, name, None) if isinstance(module, ModuleType) else None
            case _:
                return None

    def assigned(self, name: str) -> ast.expr | None:
        """The expression that is assigned to the name, if nothing else is."""
        match self.bound(name):
            case [ast.Name() as target]:
                around = self._around[target]
            case _:
                return None

        match around:
            case ast.Assign([ast.Name()], value) | ast.AnnAssign(value=value):
                return value
            case ast.Tuple(targets):
                return self._gathered(self._around[around], targets.index(target))
            case _:
                return None

    def _gathered(self, assignment: ast.AST, at: int) -> ast.expr | None:
        match assignment:
            case ast.Assign([ast.Tuple(targets)], ast.Await(ast.Call(gather, args, []))) if (
                self.outside(gather) is asyncio.gather
                and len(targets) == len(args)
                and not any(isinstance(one, ast.Starred) for one in (*targets, *args))
            ):
                return args[at]
            case _:
                return None

    def is_only_read(self, name: str) -> bool:
        """True where nothing can add to the value of the name, or take from it."""
        return all(self._is_harmless(use, self._around[use]) for use in self._uses(name))

    def is_only_spread(self, name: str) -> bool:
        """True where the only use of the name is `**name`."""
        return all(isinstance(self._around[use], ast.keyword) for use in self._uses(name))

    def _uses(self, name: str) -> Iterator[ast.Name]:
        for node in self._nodes:
            if isinstance(node, ast.Name) and node.id == name and _is_read(node):
                yield node

    def _is_harmless(self, use: ast.Name, around: ast.AST) -> bool:
        match around:
            case ast.Return() | ast.FormattedValue() | ast.keyword(arg=None):
                return True
            case ast.Dict(keys, values):
                return keys[values.index(use)] is None
            case ast.Attribute(attr=name):
                is_data = not (name.startswith("_") or hasattr(Prediction, name))
                return _is_read(around) and (
                    name in READING or (is_data and not hasattr(dict, name))
                )
            case ast.Subscript(value):
                return value is use and _is_read(around)
            case ast.IfExp():
                return isinstance(self._around[around], ast.Return)
            case _:
                return False


def _is_read(node: ast.Name | ast.Attribute | ast.Subscript) -> bool:
    return isinstance(node.ctx, ast.Load)


def _names_bound_by(node: ast.AST) -> Sequence[str | None]:
    match node:
        case ast.Name(name) if not _is_read(node):
            return [name]
        case ast.arg(name) | ast.ExceptHandler(name=name) | ast.MatchMapping(rest=name):
            return [name]
        case ast.MatchAs(name=name) | ast.MatchStar(name):
            return [name]
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
            return [name]
        case ast.alias(name, asname):
            return [asname or name.partition(".")[0]]
        case ast.Global(names) | ast.Nonlocal(names):
            return names
        case _:
            return []
