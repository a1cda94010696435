"""A program's inputs as typed on a command line.

`key=value` for one input, `key=@file` for a file's text, `key=-` for standard input. The value of an
input that is text stays as it is; any other is read as JSON where it is JSON. All of it is UTF-8.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import click

from headrace_client import Program

TEXT_TYPES = {"str", "str | None", "Optional[str]", "None | str"}


def check_standard_input(sources: Iterable[str | None]) -> None:
    """Refuses to read it twice: the second input would be empty."""
    if list(sources).count("-") > 1:
        raise click.UsageError("standard input can be given to one input only")


def texts_of(pairs: Sequence[str]) -> dict[str, str]:
    """The texts that `key=value` pairs give."""
    texts: dict[str, str] = {}

    for pair in pairs:
        name, separator, value = pair.partition("=")

        if not separator or not name:
            raise click.UsageError(f"{pair!r} is no input: write key=value, key=@file or key=-")

        if name in texts:
            raise click.UsageError(f"input {name!r} is given twice")

        texts[name] = text_of(value, name)

    return texts


def typed(texts: Mapping[str, str], program: Program) -> dict[str, Any]:
    """The inputs that texts stand for, read as the program's fields want them."""
    types = {field.name: field.type for field in program.inputs}

    return {name: _value(text, types.get(name, "str")) for name, text in texts.items()}


def from_json(source: str) -> dict[str, Any]:
    """The inputs of a JSON object: the text itself, `@file`, or `-` for standard input."""
    try:
        inputs = json.loads(text_of(source, "--inputs-json"))
    except json.JSONDecodeError as error:
        raise click.UsageError(f"--inputs-json: no JSON: {error}") from error

    if not isinstance(inputs, dict):
        raise click.UsageError("--inputs-json: a JSON object is wanted, with a member per input")

    return cast("dict[str, Any]", inputs)


def labels_of(pairs: Iterable[str]) -> dict[str, str]:
    """The labels that `key=value` pairs give."""
    labels: dict[str, str] = {}

    for pair in pairs:
        name, separator, value = pair.partition("=")

        if not separator:
            raise click.UsageError(f"{pair!r} is no label: write key=value")

        labels[name] = value

    return labels


def text_of(value: str, name: str) -> str:
    """The text meant: of a file after `@`, of standard input for `-`, less one final line end."""
    try:
        if value == "-":
            return _standard_input(name).removesuffix("\n")

        if value.startswith("@"):
            return Path(value[1:]).read_text(encoding="utf-8-sig").removesuffix("\n")

        return _argument(value)
    except UnicodeError as error:
        source = value if value == "-" or value.startswith("@") else name
        raise click.UsageError(f"{source}: is not UTF-8 text") from error
    except OSError as error:
        raise click.UsageError(f"{value}: {error.strerror}") from error


def _standard_input(name: str) -> str:
    if sys.stdin is None:
        raise click.UsageError(f"{name}: standard input is closed")

    return sys.stdin.read()


def _argument(value: str) -> str:
    """An argument as it was typed: what the locale cannot read comes as lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return os.fsencode(value).decode()

    return value


def _value(text: str, type_text: str) -> Any:
    if type_text in TEXT_TYPES:
        return text

    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text  # a name among several, perhaps; else the server says what it wants instead
