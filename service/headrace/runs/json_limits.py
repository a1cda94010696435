"""What a JSON value must keep to before a run takes it in or gives it out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import cast

from headrace.errors import OutputUnserialisable, RunTooLarge
from headrace.runs.limits import Limits


class UnfitValue(ValueError):
    """The value at `path` cannot go further; the text says why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


def count_elements(value: object, depth: int, path: str = "") -> int:
    """How many values there are in a value, itself included.

    Raises UnfitValue where it nests deeper than `depth`, holds a number that JSON has not, or text
    that UTF-8 has not.
    """
    match value:
        case str():
            _check_text(value, path)
        case float() if not math.isfinite(value):
            raise UnfitValue(path, f"{value} is not a number in JSON")
        case Mapping():
            _check_depth(depth, path)
            members = cast("Mapping[str, object]", value).items()

            for name, _ in members:
                _check_text(name, path)

            return 1 + sum(
                count_elements(item, depth - 1, f"{path}.{name}" if path else name)
                for name, item in members
            )
        case list():
            _check_depth(depth, path)
            items = cast("list[object]", value)

            return 1 + sum(
                count_elements(item, depth - 1, f"{path}[{place}]")
                for place, item in enumerate(items)
            )
        case _:
            pass

    return 1


def check_outputs(outputs: Mapping[str, object], limits: Limits) -> int:
    """The size of outputs in bytes of JSON.

    Raises OutputUnserialisable or RunTooLarge for outputs that readers could not be sent.
    """
    try:
        count_elements(outputs, limits.max_output_depth)
    except UnfitValue as error:
        raise OutputUnserialisable(f"output {error}") from error

    size = len(json.dumps(outputs, ensure_ascii=False).encode("utf-8", "replace"))

    if size > limits.max_prediction_bytes:
        raise RunTooLarge(
            f"the outputs are {size} bytes of JSON; at most {limits.max_prediction_bytes} are sent"
        )

    return size


def _check_depth(depth: int, path: str) -> None:
    if depth <= 0:
        raise UnfitValue(path[:100], "nests too deep")


def _check_text(text: str, path: str) -> None:
    if text.isascii():
        return

    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnfitValue(path, "holds half of a surrogate pair") from None
