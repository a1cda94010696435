"""Options of a field besides its name and type, and constraints in the words a prompt uses."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypedDict

import pydantic
from annotated_types import (
    GroupedMetadata,
    SupportsGe,
    SupportsGt,
    SupportsLe,
    SupportsLt,
    SupportsMod,
)
from pydantic.fields import FieldInfo

from headrace.errors import SignatureError
from headrace.signatures.annotations import metadata


class FieldOptions(TypedDict, total=False):
    """Keyword arguments of InputField and OutputField; most mean what they mean to pydantic."""

    desc: str
    """A description of the field, for the prompt."""
    description: str
    """Another name for `desc`."""
    prefix: str
    default_factory: Callable[[], Any] | None
    title: str
    examples: list[Any]
    json_schema_extra: dict[str, Any]
    gt: SupportsGt
    ge: SupportsGe
    lt: SupportsLt
    le: SupportsLe
    multiple_of: SupportsMod
    min_length: int
    max_length: int
    pattern: str | re.Pattern[str]
    allow_inf_nan: bool
    max_digits: int
    decimal_places: int
    strict: bool
    coerce_numbers_to_str: bool
    discriminator: str
    union_mode: Literal["smart", "left_to_right"]
    fail_fast: bool


class FieldChanges(FieldOptions, total=False):
    """The same for `with_updated_fields`, which takes the default by name."""

    default: Any


SCHEMA_TEXTS = ("title", "examples", "json_schema_extra")
"""Options that only a JSON Schema shows; the others are constraints."""

PHRASES: Mapping[str, str] = {
    "gt": "greater than {}",
    "ge": "at least {}",
    "lt": "less than {}",
    "le": "at most {}",
    "multiple_of": "a multiple of {}",
    "min_length": "length at least {}",
    "max_length": "length at most {}",
    "pattern": "matching the pattern {}",
    "max_digits": "at most {} digits",
    "decimal_places": "at most {} decimal places",
}


def check_options(given: Mapping[str, Any]) -> None:
    """Raises SignatureError for names a field knows nothing of, and for two defaults."""
    known = sorted(FieldChanges.__annotations__)

    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise SignatureError(f"a field has no option {name!r}; {hint}")

    if "default" in given and "default_factory" in given:
        raise SignatureError("a field has a default or a default_factory, not both")


def constraint_text(annotation: Any, constraints: Mapping[str, Any]) -> str:
    """All constraints of a field as one line, those in its annotation first; empty for none."""
    said = [*metadata(annotation), *pydantic.Field(**constraints).metadata]
    phrases = [phrase for constraint in _flat(said) for phrase in _phrases(constraint)]

    return ", ".join(dict.fromkeys(phrases))


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for one in metadata:
        if isinstance(one, FieldInfo):
            yield from _flat(one.metadata)
        elif isinstance(one, GroupedMetadata):
            yield from _flat(one)
        else:
            yield one


def _phrases(constraint: Any) -> Iterator[str]:
    for name, phrase in PHRASES.items():
        value = getattr(constraint, name, None)

        if value is not None:
            yield phrase.format(getattr(value, "pattern", value))

    if getattr(constraint, "allow_inf_nan", None) is False:
        yield "finite"
