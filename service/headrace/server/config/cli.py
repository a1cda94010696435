"""The flags that `serve` and `config` share, and `headrace config`, which shows what they lead to.

The usual keys have flags of their names, all others --set.
"""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import click

from headrace.errors import UsageError
from headrace.server.config.sources import Loaded, load_config

MASK = "********"
SECRET_KEYS = frozenset({"tokens"})

PATH = click.Path(path_type=Path, dir_okay=False)

OPTIONS = (
    click.argument("programs", metavar="[PROGRAM]...", nargs=-1),
    click.option(
        "--config", "file", type=PATH, help="TOML file; flags and HEADRACE_* are stronger."
    ),
    click.option(
        "--dev",
        is_flag=True,
        default=None,
        help="On loopback: shows prompts, completions and exceptions to callers and in the log.",
    ),
    click.option("--listen", help="host:port; port 0 takes a free one. Default 127.0.0.1:50051."),
    click.option(
        "--lm", metavar="MODEL", help="For predictors that name none: openai/gpt-4o-mini."
    ),
    click.option("--drain-timeout", type=float, help="Seconds for runs to end after SIGTERM."),
    click.option(
        "--tls-certificate", "tls__certificate", type=PATH, help="Certificate chain, PEM."
    ),
    click.option("--tls-key", "tls__key", type=PATH, help="Private key, PEM."),
    click.option(
        "--tls-client-ca", "tls__client_ca", type=PATH, help="Demands client certificates."
    ),
    click.option("--principals-file", type=PATH, help="TOML with [[principals]]: who may call."),
    click.option("--insecure", is_flag=True, default=None, help="Listen anywhere without TLS."),
    click.option("--reflection", type=click.Choice(["auto", "on", "off"]), help="Default auto."),
    click.option("--log-format", "logs__format", type=click.Choice(["auto", "console", "json"])),
    click.option(
        "--log-level", "logs__level", type=click.Choice(["debug", "info", "warning", "error"])
    ),
    click.option(
        "--set",
        "settings",
        metavar="KEY=VALUE",
        multiple=True,
        help="Any key: limits.retention=60.",
    ),
)


def config_options(command: Callable[[Loaded], Any]) -> Callable[..., Any]:
    """Gives a click command the flags, and calls it with the configuration they lead to."""

    @functools.wraps(command)
    def load(
        file: Path | None, programs: tuple[str, ...], settings: tuple[str, ...], **flags: object
    ) -> Any:
        given = {k.replace("__", "."): v for k, v in flags.items() if v is not None}

        if programs:
            given["programs"] = programs

        try:
            return command(load_config(file, given | dict(map(_setting, settings))))
        except UsageError as error:
            raise click.UsageError(error.message) from error

    for option in reversed(OPTIONS):
        load = option(load)

    return load


def _setting(text: str) -> tuple[str, object]:
    """A key and its value, read as TOML would; plain text is itself."""
    key, equals, value = text.partition("=")

    if not equals:
        raise UsageError(f"--set {text}: expected KEY=VALUE")

    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value


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
