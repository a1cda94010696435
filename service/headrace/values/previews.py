"""Previews: content of calls, for readers who may see it, as JSON values of bounded size.

They are taken when the call happens, because programs go on changing what they have passed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from headrace.values.walk import Step, Walk

MAX_SIZE = 32_768
"""Characters that the content of one status may hold, about; what is beyond shows as "…"."""

SHOWN_DEPTH = 13
"""The content itself included."""

MAX_BITS = 1024
"""Of an integer: longer ones may be more than Python writes."""
CUT = "…"


def shown(content: Mapping[str, object]) -> Mapping[str, object]:
    """The content of one status as JSON values, as it is now."""
    preview = _Preview(MAX_SIZE)

    return {name: preview.at(name, value) for name, value in content.items()}


def shown_json(value: object) -> str:
    """One value of a call's content as JSON text, as it is now: integers exact, members in their order."""
    preview = _Preview(MAX_SIZE).at("", value)

    return json.dumps(preview, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class _Preview(Walk[object]):
    """Shows values until there is no room left. What has no JSON form stands as the name of its type."""

    max_depth = SHOWN_DEPTH

    def __init__(self, size: int) -> None:
        super().__init__()
        self._left = size

    def at(self, step: Step, value: object) -> object:
        self._left -= 1

        if self._left <= 0:
            return CUT

        try:
            return super().at(step, value)
        except Exception:  # noqa: BLE001 - whatever an object of the program's raises when it is looked at
            self.steps.pop()

            return f"<{type(value).__name__}>"

    def constant(self, value: bool | None) -> object:
        return value

    def integer(self, value: int) -> object:
        return value if value.bit_length() <= MAX_BITS else CUT

    def number(self, value: float) -> object:
        return value if math.isfinite(value) else str(value)

    def text(self, value: str) -> str:
        shown = value if len(value) <= self._left else value[: self._left] + CUT
        self._left -= len(shown)

        return shown

    def members(self, value: Mapping[Any, Any]) -> dict[str, object]:
        shown: dict[str, object] = {}

        for key, member in value.items():
            if self._left <= 0:
                break

            name = self.text(str(key))
            shown[name] = self.at(name, member)

        return shown

    def items(self, value: Sequence[Any]) -> list[object]:
        shown: list[object] = []

        for index, item in enumerate(value):
            shown.append(self.at(index, item))

            if self._left <= 0:
                break

        return shown

    def other(self, value: object) -> object:
        """Models show their fields, and so does what has a `toDict`."""
        if isinstance(value, BaseModel):
            return self.visit(value.model_dump(by_alias=True))

        dump = getattr(value, "toDict", None)

        return self.visit(dump()) if callable(dump) else f"<{type(value).__name__}>"

    def too_deep(self) -> str:
        return CUT
