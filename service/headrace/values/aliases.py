"""One name on both sides: what the parts of models, dataclasses and typed dicts are called outside.

A part goes out as `by_alias=True` writes it: under its alias or serialization alias, else under its own
name. Schemas name it so, and so named it may come in, whatever other names pydantic reads it by.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias, cast

from pydantic import TypeAdapter

from headrace.values.parts import (
    ANYTHING,
    HOLDERS,
    Node,
    Part,
    has_other_names,
    nodes_in,
    parts_of,
)

Move: TypeAlias = Callable[[Part, Collection[str], dict[str, Any]], None]

LISTS = ("list", "tuple", "set", "frozenset", "generator")
WRAPPED = ("schema", "lax_schema", "json_schema")
"""Where defaults, validators and the like hold the node that they are around."""


def coming_in(adapter: TypeAdapter[Any], value: object) -> Any:
    """The value with parts that came under their outside names where pydantic looks for them."""
    return _renamed(adapter, value, Part.move_in)


def going_out(adapter: TypeAdapter[Any], value: object) -> Any:
    """The value with the parts of plain dicts under their outside names. Objects know their own."""
    return _renamed(adapter, value, Part.move_out)


def _renamed(adapter: TypeAdapter[Any], value: object, move: Move) -> Any:
    walk = _walk(adapter)

    return value if walk is None else walk.renamed(walk.root, value, move)


@functools.lru_cache(maxsize=1024)
def _walk(adapter: TypeAdapter[Any]) -> _Walk | None:
    """The walk through values of a type; None where every part has its own name only."""
    root: Node = adapter.core_schema

    return _Walk(root) if any(has_other_names(node) for node in nodes_in(root)) else None


class _Walk:
    """Goes through values of one type beside its core schema."""

    def __init__(self, root: Node) -> None:
        self.root = root
        self._shared = {
            one["ref"]: one for one in nodes_in(root) if isinstance(one.get("ref"), str)
        }

    def renamed(self, node: Node, value: Any, move: Move) -> Any:
        """The value with all its parts moved, in new dicts and lists."""
        node, config = self._unwrapped(node)

        if choices := _choices(node):
            node = next((one for one in choices if self._may_be(one, value)), ANYTHING)

            return self.renamed(node, value, move)

        if node["type"] in LISTS and type(value) in (list, tuple):
            items = _items(node, value)

            return type(value)(self.renamed(inside, one, move) for inside, one in items)

        if node["type"] in (*HOLDERS, "dict") and isinstance(value, dict):
            members = cast("Mapping[Any, Any]", value)

            return self._object(node, parts_of(node, config), members, move)

        return value

    def _object(
        self, node: Node, parts: Sequence[Part], value: Mapping[Any, Any], move: Move
    ) -> dict[Any, Any]:
        inside = {name: part.inside for part in parts for name in part.names}
        other = node.get("values_schema", ANYTHING)
        given = {
            key: self.renamed(inside.get(key) or other, one, move) for key, one in value.items()
        }

        for part in parts:
            move(part, value.keys(), given)

        return given

    def _may_be(self, node: Node, value: Any) -> bool:
        """Whether a value has the names, and the literals, that a type asks for."""
        node, config = self._unwrapped(node)
        kind = node["type"]

        if choices := _choices(node):
            return any(self._may_be(one, value) for one in choices)

        if kind == "literal":
            return any(value in (one, getattr(one, "value", one)) for one in node["expected"])

        if isinstance(value, dict):
            members = cast("Mapping[Any, Any]", value)

            return kind in ("any", "dict") or self._fits(parts_of(node, config), config, members)

        if isinstance(value, list | tuple):
            items = cast("Sequence[Any]", value)

            return kind in LISTS and all(self._may_be(*pair) for pair in _items(node, items))

        return kind not in (*HOLDERS, *LISTS, "dict")

    def _fits(self, parts: Sequence[Part], config: Node, value: Mapping[Any, Any]) -> bool:
        inside = {name: part.inside for part in parts for name in part.names}
        is_open = config.get("extra_fields_behavior") == "allow"

        return (
            bool(parts)
            and (is_open or value.keys() <= inside.keys())
            and all(value.keys() & part.names for part in parts if part.required)
            and all(self._may_be(inside.get(key, ANYTHING), one) for key, one in value.items())
        )

    def _unwrapped(self, node: Node) -> tuple[Node, Node]:
        """The node inside defaults, validators and references, and the config of the class around it."""
        config: Node = {}

        while True:
            node = self._shared.get(node.get("schema_ref", ""), node)
            config = node.get("config") or config
            inner = next((node[name] for name in WRAPPED if isinstance(node.get(name), dict)), None)

            if inner is None:
                return node, config

            node = inner


def _choices(node: Node) -> Sequence[Node]:
    match node["type"]:
        case "union":  # a choice may have a label beside it
            several: Sequence[Any] = node["choices"]

            return [cast("Node", one[0]) if isinstance(one, tuple) else one for one in several]
        case "tagged-union":
            return list(node["choices"].values())
        case _:
            return ()


def _items(node: Node, values: Sequence[Any]) -> Sequence[tuple[Node, Any]]:
    """The values in a list or tuple, each with what it is; the last kind of a tuple may repeat."""
    found: Node | Sequence[Node] = node.get("items_schema") or ANYTHING
    kinds = [found] if isinstance(found, Mapping) else found

    return [(kinds[min(at, len(kinds) - 1)], one) for at, one in enumerate(values)]
