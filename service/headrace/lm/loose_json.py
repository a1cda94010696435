"""JSON from outside, taken for what it should be: anything else counts as empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NOTHING: Mapping[str, Any] = {}


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if type(value) is dict else NOTHING  # pyright: ignore[reportUnknownVariableType] - JSON


def sequence(value: Any) -> Sequence[Any]:
    """The value if it is a JSON array, else an empty one."""
    return value if type(value) is list else ()  # pyright: ignore[reportUnknownVariableType] - JSON
