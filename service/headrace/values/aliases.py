"""One name on both sides: what the parts of models, dataclasses and typed dicts are called outside.

A part goes out as `by_alias=True` writes it: under its alias or serialization alias, else under its own
name. Schemas name it so, and so named it may come in, whatever other names pydantic reads it by.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
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
from headrace.values.walk import MAX_DEPTH

Move: TypeAlias = Callable[[Part, Collection[str], dict[str, Any]], None]

LISTS = ("list", "tuple", "set", "frozenset", "generator")
WRAPPED = ("schema", "lax_schema", "json_schema")
"""Keys under which defaults, validators and the like hold the node that they are around."""


def coming_in(adapter: TypeAdapter[Any], value: object) -> Any:
    """The value with parts that came under their outside names where pydantic looks for them."""
    return _renamed(adapter, value, Part.move_in)


def going_out(adapter: TypeAdapter[Any], value: object) -> Any:
    """The value with the parts of plain dicts under their outside names. Objects know their own."""
    return _renamed(adapter, value, Part.move_out)


def _renamed(adapter: TypeAdapter[Any], value: object, move: Move) -> Any:
    kind = _kind(adapter)

    return value if kind is None else _Renaming(kind, move).renamed(kind.root, value)


@functools.lru_cache(maxsize=1024)
def _kind(adapter: TypeAdapter[Any]) -> _Kind | None:
    """The type of an adapter; None where every part has its own name only."""
    root: Node = adapter.core_schema
    nodes = list(nodes_in(root))

    return _Kind(root, nodes) if any(has_other_names(node) for node in nodes) else None


class _Alternative:
    """One node that a value may fit, without unions, defaults, validators and references around it."""

    def __init__(self, node: Node, config: Node) -> None:
        self.type: str = node["type"]
        self.literals: Sequence[Any] = node.get("expected", ())
        self.parts = parts_of(node, config)
        self._node = node
        self._is_open = config.get("extra_fields_behavior") == "allow"
        self._by_name = {name: part.inside for part in self.parts for name in part.names}
        self._required = [part.names for part in self.parts if part.required]

    def has_names_of(self, members: Mapping[Any, Any]) -> bool:
        """True where a mapping has all names that are required, and none that is unknown."""
        return (
            bool(self.parts)
            and (self._is_open or members.keys() <= self._by_name.keys())
            and all(members.keys() & names for names in self._required)
        )

    def member(self, name: Any) -> Node:
        """The node of a part, by any of its names, or of a mapping's values."""
        node: Node = self._by_name.get(name) or self._node.get("values_schema", ANYTHING)

        return node

    def items(self, values: Sequence[Any]) -> Iterator[tuple[Node, Any]]:
        """The values of a list or tuple, each with its node; the last node of a tuple may repeat."""
        found: Node | Sequence[Node] = self._node.get("items_schema") or ANYTHING
        nodes = [found] if isinstance(found, Mapping) else found

        return zip(itertools.chain(nodes, itertools.repeat(nodes[-1])), values, strict=False)


class _Kind:
    """A type, as its core schema has it."""

    def __init__(self, root: Node, nodes: Iterable[Node]) -> None:
        self.root = root
        self._shared = {node["ref"]: node for node in nodes if isinstance(node.get("ref"), str)}
        self._known: dict[int, Sequence[_Alternative]] = {}

    def alternatives(self, node: Node) -> Sequence[_Alternative]:
        """The nodes that a value of a node may fit: the choices of a union, else one."""
        known = self._known.get(id(node))

        if known is None:
            known = self._known[id(node)] = self._alternatives(node)

        return known

    def _alternatives(self, node: Node) -> Sequence[_Alternative]:
        node, config = self._unwrapped(node)
        choices = _choices(node)

        if not choices:
            return [_Alternative(node, config)]

        return [one for choice in choices for one in self.alternatives(choice)]

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


NOTHING_KNOWN = _Alternative(ANYTHING, {})


class _Renaming:
    """Goes through one value beside its type.

    What lies deeper than MAX_DEPTH stays as it is: whoever reads the value next refuses it.
    """

    def __init__(self, kind: _Kind, move: Move) -> None:
        self._kind = kind
        self._move = move
        self._depth = 0
        self._known: dict[tuple[int, int], bool] = {}
        """Answers of `_may_be` by node and value: unions inside each other ask the same again and again."""

    def renamed(self, node: Node, value: Any) -> Any:
        """The value with all its parts moved, in new dicts and lists."""
        if self._depth == MAX_DEPTH or not isinstance(value, dict | list | tuple):
            return value

        self._depth += 1
        renamed = self._container(self._chosen(node, value), value)
        self._depth -= 1

        return renamed

    def _container(self, kind: _Alternative, value: Any) -> Any:
        if kind.type in LISTS and type(value) in (list, tuple):
            return type(value)(itertools.starmap(self.renamed, kind.items(value)))

        if kind.type in (*HOLDERS, "dict") and isinstance(value, dict):
            members = cast("Mapping[Any, Any]", value)
            given = {name: self.renamed(kind.member(name), one) for name, one in members.items()}

            for part in kind.parts:
                self._move(part, members.keys(), given)

            return given

        return value

    def _chosen(self, node: Node, value: Any) -> _Alternative:
        """The first alternative that the value may be."""
        alternatives = self._kind.alternatives(node)

        if len(alternatives) == 1:
            return alternatives[0]

        return next((one for one in alternatives if self._is_like(one, value)), NOTHING_KNOWN)

    def _may_be(self, node: Node, value: Any) -> bool:
        """True for a value that has the names, and the literals, that a node asks for."""
        place = id(node), id(value)

        if place not in self._known:
            self._known[place] = True  # where it stands inside itself
            is_like = functools.partial(self._is_like, value=value)
            self._known[place] = any(map(is_like, self._kind.alternatives(node)))

        return self._known[place]

    def _is_like(self, kind: _Alternative, value: Any) -> bool:
        if kind.type == "literal":
            return any(value in (one, getattr(one, "value", one)) for one in kind.literals)

        if not isinstance(value, dict | list | tuple):
            return kind.type not in (*HOLDERS, *LISTS, "dict")

        inside = _inside(kind, value)

        if inside is None or self._depth == MAX_DEPTH:
            return inside is not None

        self._depth += 1
        is_like = all(itertools.starmap(self._may_be, inside))
        self._depth -= 1

        return is_like


def _inside(kind: _Alternative, value: Any) -> Iterable[tuple[Node, Any]] | None:
    """The values inside one, each with its node; None where the type has no such values."""
    if not isinstance(value, dict):
        return kind.items(value) if kind.type in LISTS else None

    members = cast("Mapping[Any, Any]", value)

    if kind.type in ("any", "dict"):
        return ()

    if not kind.has_names_of(members):
        return None

    return [(kind.member(name), one) for name, one in members.items()]
