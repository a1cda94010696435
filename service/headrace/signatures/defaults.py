"""Types of fields and parameters that state none: their default says what they are.

Such a type describes, and makes JSON into values of kinds that JSON lacks. It holds nobody to kinds
that JSON has: `k=3` may be given 2.5, as it may be where the function is called without us.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ValidationError, WrapValidator

from headrace.signatures.schemas import adapter_for, validated
from headrace.values import to_jsonable

PLAIN = (bool, int, float, str, list, dict)
"""The kinds that JSON has."""

EXACT = 2**53
"""Up to here a whole number is the same as an int and as a float."""


def type_of_default(default: object) -> Any:
    """The type of a default; Any for None, and where JSON cannot give such values."""
    kind: Any = type(default)

    return kind if kind in PLAIN or _reads_back(kind, default) else Any


def open_type(default: object) -> Any:
    """The same, but a kind that JSON has only describes, and any value passes as it is."""
    kind = type_of_default(default)

    if kind not in PLAIN:
        return kind

    return Annotated[kind, WrapValidator(_as_float if kind is float else _as_it_is)]


def taking_default(annotation: Any, default: object) -> Any:
    """The annotation with the default among its values, as those expect who read `k: int = None`."""
    try:
        validated(adapter_for(annotation), default)
    except ValidationError:
        if default is None:
            return annotation | None

        if isinstance(default, str | int):
            return annotation | Literal[default]

    return annotation


def _as_it_is(value: Any, check: Any) -> Any:
    return value


def _as_float(value: Any, check: Any) -> Any:
    """JSON may write 3.0 as 3."""
    return float(value) if type(value) is int and abs(value) <= EXACT else value


def _reads_back(kind: Any, default: object) -> bool:
    """True if JSON can give such a value."""
    if default is None:
        return False

    try:
        return bool(validated(adapter_for(kind), to_jsonable(default)) == default)
    except Exception:  # noqa: BLE001 - whatever a type raises that pydantic does not know
        return False
