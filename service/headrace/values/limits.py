"""Limits of JSON values, checked before a run takes them in or gives them out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from headrace.errors import OutputUnserialisable, RunTooLarge
from headrace.values.text import json_text, utf8_size
from headrace.values.walk import Step, Walk


class UnfitValue(ValueError):
    """The value at `path` cannot go further; the text says why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


def count_elements(value: object, max_depth: int) -> int:
    """The number of values in a value, itself included.

    Raises UnfitValue where it nests deeper than `max_depth`, or holds a number that JSON has not, text
    that UTF-8 has not, or anything else that JSON has not.
    """
    return _Count(max_depth).visit(value)


def check_outputs(outputs: Mapping[str, object], *, max_depth: int, max_bytes: int) -> int:
    """The size of outputs in bytes of JSON, as they are sent.

    Raises OutputUnserialisable or RunTooLarge for outputs that readers could not be sent.
    """
    try:
        count_elements(outputs, max_depth)
    except UnfitValue as error:
        raise OutputUnserialisable(f"output {error}") from error

    size = utf8_size(json_text(outputs))

    if size > max_bytes:
        raise RunTooLarge(f"the outputs are {size} bytes of JSON; at most {max_bytes} are sent")

    return size


class _Count(Walk[int]):
    """Counts values, and refuses those that cannot be sent."""

    def __init__(self, max_depth: int) -> None:
        super().__init__()
        self.max_depth = max_depth

    def constant(self, value: bool | None) -> int:
        return 1

    def integer(self, value: int) -> int:
        return 1

    def number(self, value: float) -> int:
        if not math.isfinite(value):
            self._refuse(f"{value} is not a number in JSON")

        return 1

    def text(self, value: str) -> int:
        if not value.isascii():
            self._check_encodable(value)

        return 1

    def members(self, value: Mapping[Any, Any]) -> int:
        for name in value:
            if not isinstance(name, str):
                self._refuse("has a name that is no text")

            self.text(name)

        return 1 + sum(self.at(name, member) for name, member in value.items())

    def items(self, value: Sequence[Any]) -> int:
        return 1 + sum(self.at(index, item) for index, item in enumerate(value))

    def other(self, value: object) -> NoReturn:
        self._refuse(f"{type(value).__name__} is not a type of JSON")

    def too_deep(self) -> NoReturn:
        raise UnfitValue(_path(self.steps)[:100], "nests too deep")

    def _check_encodable(self, text: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            self._refuse("holds half of a surrogate pair")

    def _refuse(self, reason: str) -> NoReturn:
        raise UnfitValue(_path(self.steps), reason)


def _path(steps: Sequence[Step]) -> str:
    """The steps as callers write them: `items[2].name`."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)

    return path.removeprefix(".")
