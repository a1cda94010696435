"""Scored: arithmetic and comparison of predictions by their field `score`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.errors import UsageError


class Scored(Mapping[str, Any]):
    """A mapping that counts as the number under `score`. All raise UsageError where there is none."""

    def __float__(self) -> float:
        if "score" not in self:
            raise UsageError(f"{type(self).__name__} has no field 'score' to count with")

        return float(self["score"])

    def __add__(self, other: float | Scored) -> float:
        return float(self) + float(other)

    def __radd__(self, other: float) -> float:
        return other + float(self)

    def __sub__(self, other: float | Scored) -> float:
        return float(self) - float(other)

    def __rsub__(self, other: float) -> float:
        return other - float(self)

    def __mul__(self, other: float | Scored) -> float:
        return float(self) * float(other)

    def __rmul__(self, other: float) -> float:
        return other * float(self)

    def __truediv__(self, other: float | Scored) -> float:
        return float(self) / float(other)

    def __rtruediv__(self, other: float) -> float:
        return other / float(self)

    def __lt__(self, other: float | Scored) -> bool:
        return float(self) < float(other)

    def __le__(self, other: float | Scored) -> bool:
        return float(self) <= float(other)

    def __gt__(self, other: float | Scored) -> bool:
        return float(self) > float(other)

    def __ge__(self, other: float | Scored) -> bool:
        return float(self) >= float(other)
