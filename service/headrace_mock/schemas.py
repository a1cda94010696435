"""Values that fit a JSON schema, for canned answers: the same schema gets the same value."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias

from headrace_mock.numbers import number
from headrace_mock.schema_parts import (
    Schema,
    array_parts,
    fits,
    kind_of,
    looked_up,
    merged,
    other_properties,
    shown_by,
    without,
)
from headrace_mock.texts import text

Prose: TypeAlias = Callable[[str], str]
"""Writes the text of a property, by its name."""

SAME = 2
"""Times that a definition may stand within itself, where it need not."""
VALUES = 500
"""After so many values only what is required is added; after twenty times as many, nothing."""
TRIES = 100
"""Values beyond those asked for that are tried where all must differ."""


def example(
    schema: Schema, prose: Prose, *, name: str = "", known: Mapping[str, Any] | None = None
) -> Any:
    """A value that fits the schema; None where every such value is endless.

    `name` is what prose calls it. `known` are values of properties of the whole, by name.
    """
    try:
        return _Examples(schema, prose, known or {}).value(schema, _Place(name))
    except _EndlessError:
        return None


class _EndlessError(Exception):
    """A definition stands within itself too often."""


class _Place(NamedTuple):
    """The place of a value in the whole."""

    name: str = ""
    """The nearest property's."""
    at: int = 0
    """Its number among the values that fit: those of one array differ where they can."""
    above: tuple[str, ...] = ()
    """The definitions it stands in."""
    whole: bool = True
    """It is no property of anything."""


class _Examples:
    """The values of one schema, in which references are looked up."""

    def __init__(self, root: Schema, prose: Prose, known: Mapping[str, Any]) -> None:
        self._root = root
        self._prose = prose
        self._known = known
        self._left = VALUES

    def value(self, part: Schema | bool, place: _Place) -> Any:
        """The value for a part of the schema. Raises _EndlessError."""
        schema: Schema = {} if isinstance(part, bool) else part
        self._left -= 1

        if self._left < -20 * VALUES:
            raise _EndlessError

        if "$ref" in schema or "allOf" in schema:
            return self._joined(schema, place)

        if "const" in schema:
            return schema["const"]

        for shown in shown_by(schema)[place.at : place.at + 1]:
            if fits(shown, schema, self._root):
                return shown

        if options := schema.get("enum"):
            return options[place.at % len(options)]

        for union in ("anyOf", "oneOf"):
            if options := schema.get(union):
                return self._one_of(without(schema, union), options, place)

        return self._of_kind(kind_of(schema), schema, place)

    def _of_kind(self, kind: str, schema: Schema, place: _Place) -> Any:
        match kind:
            case "object":
                return self._object(schema, place)
            case "array":
                return self._array(schema, place)
            case "integer" | "number":
                return number({**schema, "type": kind}, place.at)
            case "boolean":
                return place.at % 2 == 0
            case "null":
                return None
            case _ if "contentSchema" in schema:
                return json.dumps(self.value(schema["contentSchema"], place), ensure_ascii=False)
            case _:
                return text(schema, self._prose(place.name), place.at)

    def _joined(self, schema: Schema, place: _Place) -> Any:
        """A value that fits a reference and what stands beside it, or all of several parts."""
        parts = [*schema.get("allOf", ()), without(schema, "allOf")]
        references: list[str] = [one["$ref"] for one in parts if "$ref" in one]

        if any(place.above.count(one) >= SAME for one in references):
            raise _EndlessError

        whole = merged(*(one for part in parts for one in looked_up(part, self._root)))

        return self.value(whole, place._replace(above=(*place.above, *references)))

    def _one_of(self, common: Schema, options: Sequence[Schema], place: _Place) -> Any:
        """A value of the first option that has one; further on in an array, of another option."""
        turn = place.at // 8 % len(options)
        turned = [*options[turn:], *options[:turn]]

        if self._left < 0:
            turned.sort(key=lambda one: "$ref" in one)

        for option in turned:
            with suppress(_EndlessError):
                return self.value(merged(common, option), place)

        raise _EndlessError

    def _object(self, schema: Schema, place: _Place) -> dict[str, Any]:
        required: Sequence[str] = schema.get("required", ())
        properties: Mapping[str, Schema] = schema.get("properties", {})
        most: int = schema.get("maxProperties", len(properties) + len(required))
        made = dict(self._known) if place.whole else {}

        for name in dict.fromkeys([*required, *properties]):
            part = properties.get(name, other_properties(schema))
            inner = place._replace(name=name, whole=False)

            if name in made:
                continue

            if name in required:
                made[name] = self.value(part, inner)
            elif self._left > 0 and len(made) < most:
                with suppress(_EndlessError):
                    made[name] = self.value(part, inner)

        ordered = {name: made[name] for name in [*properties, *made] if name in made}

        return ordered | self._more(schema, place, ordered)

    def _more(self, schema: Schema, place: _Place, made: Mapping[str, Any]) -> dict[str, Any]:
        """Properties beyond those with names of their own: as many as there must be, or one."""
        part = other_properties(schema)
        least: int = schema.get("minProperties", 0) - len(made)
        shown = 1 if part and not schema.get("properties") and self._left > 0 else 0
        wanted = min(max(least, shown), schema.get("maxProperties", VALUES) - len(made))
        more: dict[str, Any] = {}

        try:
            for at in range(wanted + TRIES if wanted > 0 else 0):
                name = self._name(schema, place._replace(name="name", at=at))

                if name not in made and name not in more:
                    more[name] = self.value(part, place._replace(name=name, at=at))

                if len(more) == wanted:
                    break
        except _EndlessError:
            if len(more) < least:
                raise

        return more

    def _name(self, schema: Schema, place: _Place) -> str:
        """A property's name; one that is a number too, as keys may have to be, unless more is said."""
        patterns: Mapping[str, Schema] = schema.get("patternProperties", {})
        described = {"pattern": next(iter(patterns))} if patterns else schema.get("propertyNames")

        if described:
            return str(self.value(described, place))

        return "10"[place.at] if place.at < 2 else str(place.at)

    def _array(self, schema: Schema, place: _Place) -> list[Any]:
        first, rest = array_parts(schema)
        least = max(schema.get("minItems", 0), len(first))
        size = min(max(least, 1 if self._left > 0 else 0), schema.get("maxItems", VALUES))
        unique = bool(schema.get("uniqueItems"))
        made: list[Any] = []

        try:
            for at in range(size + TRIES * unique):
                part = first[at] if at < len(first) else rest
                one = self.value(part, place._replace(at=place.at + at))
                made += [] if unique and one in made else [one]

                if len(made) == size:
                    break
        except _EndlessError:
            if len(made) < least:
                raise

        return made
