"""Content of calls, for readers who may see it: any Python value as a JSON value of bounded size.

It is taken when the call happens, because programs go on changing what they have passed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import BaseModel

MAX_SIZE = 32_768
"""Characters that the content of one status may hold, about; what is beyond shows as "…"."""

MAX_DEPTH = 12
MAX_BITS = 1024
"""Of an integer: longer ones may be more than Python writes."""
CUT = "…"


def shown(content: Mapping[str, object]) -> Mapping[str, object]:
    """The content of one status as JSON values, as it is now."""
    room = _Room(MAX_SIZE)

    return {name: room.show(value) for name, value in content.items()}


class _Room:
    """Shows values until there is no room left."""

    def __init__(self, size: int) -> None:
        self._left = size

    def show(self, value: object, depth: int = MAX_DEPTH) -> object:
        """A JSON value that shows `value`; what has no JSON form stands as the name of its type."""
        self._left -= 1

        if self._left <= 0:
            return CUT

        try:
            return self._form(value, depth)
        except Exception:  # noqa: BLE001 - whatever an object of the program's raises when it is looked at
            return f"<{type(value).__name__}>"

    def _form(self, value: object, depth: int) -> object:
        match value:
            case None | bool():
                return value
            case int():
                return value if value.bit_length() <= MAX_BITS else CUT
            case float():
                return value if math.isfinite(value) else str(value)
            case str():
                return self._text(value)
            case Mapping() | list() | tuple() if depth == 0:
                return CUT
            case Mapping():
                return self._members(cast("Mapping[object, object]", value), depth)
            case list() | tuple():
                return self._items(cast("Sequence[object]", value), depth)
            case _:
                return self._object(value, depth)

    def _text(self, text: str) -> str:
        shown = text if len(text) <= self._left else text[: self._left] + CUT
        self._left -= len(shown)

        return shown

    def _members(self, members: Mapping[object, object], depth: int) -> dict[str, object]:
        shown: dict[str, object] = {}

        for name, value in members.items():
            if self._left <= 0:
                break

            shown[self._text(str(name))] = self.show(value, depth - 1)

        return shown

    def _items(self, items: Sequence[object], depth: int) -> list[object]:
        shown: list[object] = []

        for item in items:
            shown.append(self.show(item, depth - 1))

            if self._left <= 0:
                break

        return shown

    def _object(self, value: object, depth: int) -> object:
        """Models and predictions show their fields."""
        if isinstance(value, BaseModel):
            return self.show(value.model_dump(by_alias=True), depth)

        dump = getattr(value, "toDict", None)

        return self.show(dump(), depth) if callable(dump) else f"<{type(value).__name__}>"
