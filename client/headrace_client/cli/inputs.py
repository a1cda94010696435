"""A program's inputs as typed on a command line.

`key=value` for one input, `key=@file` for a file's text, `key=-` for standard input. The value of an
input that is text stays as it is; any other is read as JSON where it is JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import click

from headrace_client import Program

TEXT_TYPES = {"str", "str | None", "Optional[str]", "None | str"}


def from_pairs(pairs: Sequence[str], program: Program) -> dict[str, Any]:
    """The inputs that `key=value` pairs give, read as the program's fields want them."""
    types = {field.name: field.type for field in program.inputs}
    inputs: dict[str, Any] = {}

    for pair in pairs:
        name, separator, value = pair.partition("=")

        if not separator or not name:
            raise click.UsageError(f"{pair!r} is no input: write key=value, key=@file or key=-")

        if name in inputs:
            raise click.UsageError(f"input {name!r} is given twice")

        inputs[name] = _value(text_of(value), types.get(name, "str"))

    return inputs


def from_json(source: str) -> dict[str, Any]:
    """The inputs of a JSON object: the text itself, `@file`, or `-` for standard input."""
    try:
        inputs = json.loads(text_of(source))
    except json.JSONDecodeError as error:
        raise click.UsageError(f"--inputs-json: no JSON: {error}") from error

    if not isinstance(inputs, dict):
        raise click.UsageError("--inputs-json: a JSON object is wanted, with a member per input")

    return cast("dict[str, Any]", inputs)


def text_of(value: str) -> str:
    """The text meant: of a file after `@`, of standard input for `-`, less one final line end."""
    if value == "-":
        return sys.stdin.read().removesuffix("\n")

    if not value.startswith("@"):
        return value

    try:
        return Path(value[1:]).read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise click.UsageError(f"{value}: {reason}") from error


def _value(text: str, type_text: str) -> Any:
    if type_text in TEXT_TYPES:
        return text

    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text  # a name among several, perhaps; else the server says what it wants instead
