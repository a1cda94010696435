"""Conversion: from the text of a field to its value.

Text fields are their text. All else is read as the model may have meant it: as one of the options
of an Enum or a Literal, as JSON, as nearly JSON, as a Python literal, as plain text, whichever
pydantic first accepts for the field's type and constraints.
"""

from __future__ import annotations

import ast
import enum
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args, get_origin

import json_repair
from pydantic import ValidationError

from headrace.signatures import Field
from headrace.signatures.annotations import alternatives
from headrace.signatures.violations import violations

REPAIR_LIMIT = 65_536
"""Characters of a text that is repaired. The library's time grows faster than a badly broken text, and it
runs on the event loop, where every other run waits."""

_UNREADABLE = (ValueError, SyntaxError, TypeError, RecursionError, MemoryError)
_WRAPPED = re.compile(r"Literal\[(.*)\]", re.DOTALL)


class Converted(NamedTuple):
    """The values of fields, and in words what is wrong with the others."""

    values: dict[str, Any]
    faults: list[str]
    """They name places and rules, and hold no text of the model."""
    cause: ValidationError | None
    """The first of them, which does: internal."""


def convert(fields: Iterable[Field], texts: Mapping[str, str]) -> Converted:
    """The value of each field by name; one without text has its default, or None if it may."""
    values: dict[str, Any] = {}
    missing: list[str] = []
    faults: list[str] = []
    cause: ValidationError | None = None

    for field in fields:
        if field.name in texts:
            try:
                values[field.name] = value_of(field, texts[field.name])
            except ValidationError as error:
                cause = cause or error
                found = violations(error, field.adapter)
                faults += (f"{field.name}{one.path}: {one.rule}" for one in found)
        elif field.required:
            missing.append(f"`{field.name}`")
        else:
            values[field.name] = field.default_value()

    if missing:
        faults.insert(0, f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")

    return Converted(values, faults, cause)


def value_of(field: Field, text: str) -> Any:
    """The value a text stands for. Raises the likeliest reading's ValidationError if none fits."""
    if field.streams_text:
        return text

    likeliest: ValidationError | None = None

    for reading in _readings(alternatives(field.annotation), text.strip()):
        try:
            return field.validate(reading)
        except ValidationError as error:
            likeliest = likeliest or error

    assert likeliest is not None  # the text itself is a reading
    raise likeliest


def repair_json(text: str) -> object:
    """The value of near-JSON, as models write it, mended by a library that is made for it.

    Raises ValueError or RecursionError for a hopeless text, and for one beyond REPAIR_LIMIT.
    """
    if len(text) > REPAIR_LIMIT:
        raise ValueError(f"a text of more than {REPAIR_LIMIT} characters is not mended")

    found: object = json_repair.loads(text)

    return found


def _readings(members: tuple[Any, ...], text: str) -> Iterator[Any]:
    """The meanings a text may have, likeliest first."""
    if NoneType in members and _unquoted(text) in ("", "null", "None"):
        yield None

    for member in members:
        yield from _options(member, text)

    for read in (_json, _nearly_json, ast.literal_eval):
        with suppress(*_UNREADABLE):
            yield read(text)

    yield text


def _json(text: str) -> Any:
    return json.loads(text, strict=False)


def _nearly_json(text: str) -> Any:
    if "{" in text or "[" in text:
        return repair_json(text)

    raise ValueError("neither an object nor an array")  # which the library would read as nothing


def _options(member: Any, text: str) -> Iterator[Any]:
    """The options of an Enum (by value, then by name) or a Literal that the text spells."""
    if isinstance(member, type) and issubclass(member, enum.Enum):
        word = _unquoted(text)
        yield from (one for one in member if str(one.value) == word)
        yield from (one for name, one in member.__members__.items() if name == word)
        yield from (one for one in member if str(one) == word)

    if get_origin(member) is Literal:
        wrapped = _WRAPPED.fullmatch(_unquoted(text))
        word = _unquoted(wrapped[1]) if wrapped else _unquoted(text)
        yield from (one for one in get_args(member) if str(_plain(one)) in (word, text))
        yield from (one for one in get_args(member) if str(one) in (word, text))


def _plain(option: object) -> object:
    return option.value if isinstance(option, enum.Enum) else option


def _unquoted(text: str) -> str:
    text = text.strip()

    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`":
        return text[1:-1].strip()

    return text
