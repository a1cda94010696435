"""`headrace config`: the effective configuration, as a TOML file that says where each value is from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import click

from headrace.server.config.flags import config_options
from headrace.server.config.sources import Loaded

MASK = "********"
SECRET_KEYS = frozenset({"tokens"})


@click.command()
@config_options
def config(loaded: Loaded) -> None:
    """Prints the configuration that `serve` would have, secrets masked, with origins."""
    for line in described(loaded):
        click.echo(line)


def described(loaded: Loaded) -> Iterator[str]:
    """The lines of it: `key = value  # origin`. Values that are not set are comments."""
    lines = list(_lines("", loaded.config.model_dump(mode="json")))
    width = max(len(text) for _, text in lines)

    for key, text in lines:
        yield f"{text:<{width}}  # {loaded.origins.get(key, 'default')}"


def _lines(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        key = f"{prefix}{name}"

        if isinstance(value, dict):
            yield from _lines(f"{key}.", cast("dict[str, Any]", value))
        elif value is None:
            yield key, f"# {key} ="
        else:
            yield key, f"{key} = {_toml(name, value)}"


def _toml(name: str, value: Any) -> str:
    """TOML writes strings, numbers, booleans and lists as JSON does; tables inline with `=`."""
    if name in SECRET_KEYS and value:
        return json.dumps(MASK)

    if isinstance(value, dict):
        members = cast("dict[str, Any]", value).items()
        return "{" + ", ".join(f"{key} = {_toml(key, one)}" for key, one in members) + "}"

    if isinstance(value, list):
        return "[" + ", ".join(_toml("", one) for one in cast("Sequence[Any]", value)) + "]"

    return json.dumps(value)
