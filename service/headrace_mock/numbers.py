"""Numbers within the bounds of a JSON schema: of those that fit, ones with few digits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

FAVOURITE = 7
"""The number where the schema leaves it open."""
PLACES = 30
"""Decimal places that are tried between two close bounds."""


def number(schema: Mapping[str, Any], at: int = 0) -> float:
    """The number at a place among those that fit, from the beginning again after the last.

    Where none fits it is the favourite.
    """
    for again in (False, True):
        for step in _steps(schema):
            first, last = _first(schema, step), _last(schema, step)
            found = _nth(math.ceil(FAVOURITE / step), first, last, at, again=again)

            if found is not None:
                return _plain(found * step)

    return FAVOURITE


def _nth(begin: int, first: int | None, last: int | None, at: int, *, again: bool) -> int | None:
    """The number `at` places after `begin`, where nearest to it numbers may stand; None if too few do."""
    begin = begin if first is None else max(begin, first)
    begin = begin if last is None else min(begin, last)

    if first is None or last is None:
        return begin + at if last is None else begin - at

    size = last - first + 1
    has_it = size > 0 if again else size > at

    return first + (begin - first + at) % size if has_it else None


def _first(schema: Mapping[str, Any], step: Fraction) -> int | None:
    """The lowest multiple of a step within the bounds, as a count of steps."""
    bounds = [
        *(math.ceil(bound / step) for bound in _stated(schema, "minimum")),
        *(math.floor(bound / step) + 1 for bound in _stated(schema, "exclusiveMinimum")),
    ]

    return max(bounds, default=None)


def _last(schema: Mapping[str, Any], step: Fraction) -> int | None:
    bounds = [
        *(math.floor(bound / step) for bound in _stated(schema, "maximum")),
        *(math.ceil(bound / step) - 1 for bound in _stated(schema, "exclusiveMaximum")),
    ]

    return min(bounds, default=None)


def _steps(schema: Mapping[str, Any]) -> Iterator[Fraction]:
    """Steps of which the number may be a multiple, the largest first."""
    whole = schema.get("type") == "integer"
    factors = [one for one in _stated(schema, "multipleOf") if one > 0]

    if factors:
        yield factors[0] * (factors[0].denominator if whole else 1)
    elif whole:
        yield Fraction(1)
    else:
        yield from (Fraction(1, 10**places) for places in range(PLACES))


def _stated(schema: Mapping[str, Any], name: str) -> list[Fraction]:
    """A bound as it is written: 0.1, not what is nearest to it in binary. Empty if there is none."""
    value = schema.get(name)
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)

    return [Fraction(str(value))] if known else []


def _plain(value: Fraction) -> float:
    return value.numerator if value.denominator == 1 else float(value)
