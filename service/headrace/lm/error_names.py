"""Names in a provider's error: its type and its code, as the provider's manual lists them.

A name is a word of at most 64 characters, which anyone may see. Whatever has blanks in it may quote a
prompt, and counts as none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

from headrace.lm.loose_json import mapping, sequence

TYPES = ("type", "error_type", "__type", "status")
CODES = ("code", "error_code")
HOLDERS = ("error", "errors", "detail")
"""Keys under which the error itself may lie in what a provider sends."""

LOOKED_AT = 16_384
"""Characters of a text in which names are looked for."""

_NAME = re.compile(r"[A-Za-z0-9_.:/#-]{1,64}")


class Names(TypedDict):
    """Arguments of an LMError; empty where the provider gives no name."""

    provider_type: str
    provider_code: str


def error_names(said: object) -> Names:
    """The names in an error of a provider's: JSON, or a text with JSON in it, perhaps cut off."""
    if isinstance(said, str):
        return _names_in_text(said[:LOOKED_AT])

    errors = list(_errors(said))

    return Names(provider_type=_first(errors, TYPES), provider_code=_first(errors, CODES))


def _names_in_text(text: str) -> Names:
    start = text.find("{")

    try:
        value, _ = json.JSONDecoder().raw_decode(text, max(start, 0))
    except (ValueError, RecursionError):
        return Names(provider_type=_written(text, TYPES), provider_code=_written(text, CODES))

    return error_names(mapping(value))


def _errors(said: object) -> Iterator[Mapping[str, Any]]:
    """The objects that may hold names, innermost first."""
    outer = mapping(said)

    for holder in HOLDERS:
        inner = outer.get(holder)
        yield from map(mapping, sequence(inner) or (inner,))

    yield outer


def _first(errors: list[Mapping[str, Any]], keys: tuple[str, ...]) -> str:
    names = (_name(error.get(key)) for error in errors for key in keys)

    return next((name for name in names if name), "")


def _name(value: object) -> str:
    text = str(value) if type(value) in (str, int) else ""

    return text if _NAME.fullmatch(text) else ""


def _written(text: str, keys: tuple[str, ...]) -> str:
    """A name as it stands in JSON that breaks off."""
    found = (re.search(rf'"{key}"\s*:\s*"?({_NAME.pattern})["\s,}}]', text) for key in keys)

    return next((match[1] for match in found if match and match[1] != "null"), "")
