"""Content of calls, for readers who may see it: any Python value as a JSON value of bounded size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

MAX_DEPTH = 12
MAX_TEXT = 16_384
MAX_ITEMS = 200


def shown(value: object, depth: int = MAX_DEPTH) -> object:
    """A JSON value that shows `value`: long text is cut, deep and long values end in "…", and what
    has no JSON form stands as the name of its type."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…"
        case Mapping() | list() | tuple() if depth == 0:
            return "…"
        case Mapping():
            items = list(cast("Mapping[object, object]", value).items())[:MAX_ITEMS]
            return {str(name): shown(item, depth - 1) for name, item in items}
        case list() | tuple():
            return _shown_items(cast("Sequence[object]", value), depth)
        case _:
            return _shown_object(value, depth)


def _shown_items(items: Sequence[object], depth: int) -> list[object]:
    cut: list[object] = ["…"] if len(items) > MAX_ITEMS else []

    return [shown(item, depth - 1) for item in items[:MAX_ITEMS]] + cut


def _shown_object(value: object, depth: int) -> object:
    """Models and predictions show their fields."""
    for method in ("model_dump", "toDict"):
        dump = getattr(value, method, None)

        if callable(dump):
            return shown(dump(), depth)

    return f"<{type(value).__name__}>"
