"""Constraints on a field, in the words a prompt uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pydantic
from annotated_types import GroupedMetadata
from pydantic.fields import FieldInfo

from headrace.signatures.annotations import metadata

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
