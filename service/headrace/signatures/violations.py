"""Violations: the places inside a value that break its type, and the rules. Safe to show to anyone.

No word of it is the value's: keys that the type does not declare are left out of paths, and what may
quote the value is left out of rules. So are the words of a validator that the program brings, unless they
go to whoever gave the value. The ValidationError has them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from headrace.signatures.schemas import JsonSchema, value_schema
from headrace.values.parts import HOLDERS, nodes_in, parts_of

MOST = 3
"""Violations that are told of one value, and rules that are told of one place: a union has many."""
LONGEST = 200
"""Characters of a rule."""
OWN_RULE = "a validator of its type refuses it"

_KNOWN: frozenset[str] = frozenset(get_args(ErrorType)) - {"value_error", "assertion_error"}
"""pydantic's own rules; the words of all others are the program's."""


class Violation(NamedTuple):
    """One thing that is wrong with a value."""

    path: str
    """Place inside the value, such as `[2].stars`; empty for the value itself."""
    rule: str


def violations(
    error: ValidationError, adapter: TypeAdapter[Any], *, own_words: bool = False
) -> list[Violation]:
    """The violations in an error of this validator: the first MOST places, and how many more there are.

    own_words: validators that the program brings are quoted.
    """
    names = _names_of(adapter)
    rules: dict[str, list[str]] = {}

    for one in error.errors(include_url=False, include_input=False):
        said = rules.setdefault(path_of(one["loc"], names), [])
        rule = _rule(one, own_words=own_words)
        said += [rule] if rule not in said else []

    return few([Violation(path, _either(said)) for path, said in rules.items()])


def few(found: Sequence[Violation]) -> list[Violation]:
    """The first MOST, and how many more there are."""
    more = len(found) - MOST

    return [*found[:MOST], *([Violation("", f"and {more} more")] if more > 0 else [])]


def path_of(steps: Iterable[int | str], names: Mapping[str, str]) -> str:
    """The path of some steps into a value. Those that are no index and no name of the type's are left out."""
    return "".join(
        f"[{step}]" if isinstance(step, int) else f".{names[step]}" if step in names else ""
        for step in steps
    )


def property_names(schema: JsonSchema) -> Mapping[str, str]:
    """The names of all properties in a schema, however deep, as names to show."""
    return {name: name for name in _properties(schema)}


def _names_of(adapter: TypeAdapter[Any]) -> Mapping[str, str]:
    """The names that callers know the parts of a type by, for each that pydantic may use for one."""
    holders = (node for node in nodes_in(adapter.core_schema) if node.get("type") in HOLDERS)
    parts = (part for node in holders for part in parts_of(node, {}))

    return {
        **{name: part.outside for part in parts for name in part.names},
        **property_names(value_schema(adapter)),
    }


def clipped(rule: str) -> str:
    """A rule of at most LONGEST characters."""
    return rule if len(rule) <= LONGEST else f"{rule[: LONGEST - 1]}…"


def _properties(schema: object) -> Iterator[str]:
    if isinstance(schema, Mapping):
        known = cast("Mapping[str, object]", schema)
        properties = known.get("properties")

        if isinstance(properties, Mapping):
            yield from cast("Mapping[str, object]", properties)

        for one in known.values():
            yield from _properties(one)

    elif isinstance(schema, list):
        for one in cast("list[object]", schema):
            yield from _properties(one)


def _rule(error: ErrorDetails, *, own_words: bool) -> str:
    kind, said, context = error["type"], error["msg"], error.get("ctx", {})

    if kind not in _KNOWN:
        return clipped(str(context.get("error", said))) if own_words else OWN_RULE

    if kind == "union_tag_invalid":
        said = f"{context['discriminator']} should be one of {context['expected_tags']}"
    elif kind == "uuid_parsing" or not kind.endswith("_parsing"):  # the others quote nothing
        for quoting in ("error", "encoding_error", "attribute", "tz_actual"):
            said = said.removesuffix(str(context.get(quoting, ""))).rstrip(" ,:")

    return clipped(said)


def _either(rules: Sequence[str]) -> str:
    more = " …" if len(rules) > MOST else ""

    return " or: ".join(rules[:MOST]) + more
