"""Parts: the fields of models, dataclasses and typed dicts with all their names, as pydantic sees them.

pydantic sees a type as its core schema: nodes inside each other, one for each part of the type.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

Node: TypeAlias = Mapping[str, Any]
Path: TypeAlias = Sequence[str | int]

ANYTHING: Node = {"type": "any"}
HOLDERS = ("model-fields", "dataclass-args", "typed-dict")
"""Kinds of nodes that have parts with names."""


@dataclass(frozen=True, slots=True)
class Part:
    """One field."""

    name: str
    outside: str
    """Its name where it goes out."""
    read: Sequence[Path]
    """Paths at which pydantic looks for it, best first; none, if it is computed."""
    inside: Node
    required: bool
    stays_plain: bool
    """True where it may go out under its own name: a typed dict is a dict, and its type not always known."""

    @property
    def names(self) -> Sequence[str]:
        """All names it may have."""
        return [self.outside, self.name, *(str(path[0]) for path in self.read)]

    def move_in(self, came: Collection[str], values: dict[str, Any]) -> None:
        """Moves its value to where pydantic looks for it, or out of the way where that is nowhere.

        `came` are the names that came, among them those of parts that were moved before.
        """
        known = (self.outside, self.name) if self.stays_plain else (self.outside,)
        found = next((name for name in known if name in came and name in values), None)

        if found is None or any(path[0] in came for path in self.read):
            return

        value = values.pop(found)

        if self.read:
            _put(values, min(self.read, key=len), value)

    def move_out(self, came: Collection[str], values: dict[str, Any]) -> None:
        """Moves its value to the outside name."""
        known = (self.name, *(str(path[0]) for path in self.read if len(path) == 1))
        found = next((name for name in known if name in came and name in values), None)

        if found is not None and self.outside not in came:
            values[self.outside] = values.pop(found)


def outside_name(name: str, field: Node) -> str:
    """The name of a field by `by_alias=True`."""
    alias: str = field.get("serialization_alias") or name

    return alias


def parts_of(node: Node, config: Node) -> Sequence[Part]:
    """The parts of a node that has any. `config` is that of its class."""
    if node["type"] not in HOLDERS:
        return ()

    fields: Mapping[str, Node] | Sequence[Node] = node["fields"]
    named = fields if isinstance(fields, Mapping) else {one["name"]: one for one in fields}

    return [
        *(_field(name, field, node, config) for name, field in named.items()),
        *(_computed(field) for field in node.get("computed_fields") or ()),
    ]


def nodes_in(value: object) -> Iterator[Node]:
    """Every node of a core schema, and other dicts that stand in it."""
    if isinstance(value, dict):
        yield cast("Node", value)
        value = list(cast("dict[object, object]", value).values())

    if isinstance(value, list | tuple):
        for one in cast("Sequence[object]", value):
            yield from nodes_in(one)


def has_other_names(node: Node) -> bool:
    """True for a field with more than its own name, or one that is computed."""
    aliases = node.get("validation_alias"), node.get("serialization_alias")

    return any(aliases) or node.get("type") == "computed-field"


def _field(name: str, field: Node, holder: Node, config: Node) -> Part:
    plain = holder["type"] == "typed-dict"
    optional = field["schema"]["type"] == "default"

    return Part(
        name,
        outside_name(name, field),
        _read(name, field, config),
        field["schema"],
        field.get("required", holder.get("total", True)) if plain else not optional,
        plain,
    )


def _computed(field: Node) -> Part:
    name = field["property_name"]

    return Part(name, field.get("alias") or name, (), ANYTHING, False, False)


def _read(name: str, field: Node, config: Node) -> Sequence[Path]:
    """An alias is a name, a path, or a list of paths."""
    alias: str | Sequence[Any] | None = field.get("validation_alias")
    by_name = config.get("validate_by_name") or config.get("populate_by_name")

    if alias is None or not config.get("validate_by_alias", True):
        return [[name]]

    first = [alias] if isinstance(alias, str) else alias
    paths: Sequence[Path] = first if isinstance(first[0], list) else [first]

    return [*paths, [name]] if by_name else paths


def _put(given: Any, path: Path, value: object) -> None:
    """Sets a value at a path into dicts and lists, which are made as they are needed."""
    for step, following in zip(path, [*path[1:], None], strict=True):
        inner: Any = value if following is None else [] if isinstance(following, int) else {}

        if isinstance(step, int):
            given.extend([None] * (step + 1 - len(given)))
            given[step] = inner if given[step] is None else given[step]
        else:
            given.setdefault(step, inner)

        given = given[step]
