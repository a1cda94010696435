"""JSON from outside: read for what it should be, and written whatever it holds.

A value of the wrong type counts as empty. Characters that are none do not make a text unreadable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from headrace.lm.surrogates import mend

NOTHING: Mapping[str, Any] = {}


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if type(value) is dict else NOTHING  # pyright: ignore[reportUnknownVariableType] - JSON


def sequence(value: Any) -> Sequence[Any]:
    """The value if it is a JSON array, else an empty one."""
    return value if type(value) is list else ()  # pyright: ignore[reportUnknownVariableType] - JSON


def text_of(value: object) -> str:
    """The value as text without surrogates; empty for what is nothing."""
    return mend(str(value)) if value else ""


def loads(payload: bytes) -> Any:
    """The value of JSON that may have lone surrogates in it, or bytes that are not UTF-8.

    They stand in its texts as surrogates; see `surrogates`. Raises ValueError.
    """
    try:
        return json.loads(payload.decode("utf-8", "surrogateescape")) if payload.strip() else {}
    except RecursionError:
        raise ValueError("nested too deep") from None


def dumps(value: object) -> bytes:
    """The value as JSON, with lone surrogates and integers of any size. Raises TypeError."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()
