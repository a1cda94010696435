"""Texts that fit what a JSON schema says of a string: its pattern, its format, its length."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from headrace_mock.formats import formatted
from headrace_mock.patterns import matching


def text(schema: Mapping[str, Any], prose: str, at: int = 0) -> str:
    """The text at a place among those that fit: prose, where the schema asks for nothing else.

    A pattern of which no text is built, and a format not known here, get prose too.
    """
    least: int = schema.get("minLength", 0)
    most: float = schema.get("maxLength", math.inf)

    if "pattern" in schema:
        found = matching(schema["pattern"], least, most, at)
    else:
        found = formatted(schema, at)

    return _fitted(f"{at + 1}. {prose}" if at else prose, least, most) if found is None else found


def _fitted(prose: str, least: int, most: float) -> str:
    """Prose said until it is long enough, or cut: between words, where that leaves enough of it."""
    while prose and len(prose) < least:
        prose = f"{prose} {prose}"

    if len(prose) <= most:
        return prose

    cut = prose[: int(most)]
    words = cut.rpartition(" ")[0]

    if len(words) >= max(least, 1):
        return words

    return f"{cut[:-1]}." if cut.endswith(" ") else cut  # a blank at its end would not be read
