"""Sources of configuration: a TOML file, the environment, flags, each stronger than the last.

Every value keeps its origin, so that `headrace config` can say it. Errors name keys and never values:
a value may be a secret in the wrong place.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from headrace.errors import UsageError
from headrace.server.config.model import DEV, Config

PREFIX = "HEADRACE_"
NESTED = "__"


class _Environment(BaseSettings, Config):  # pyright: ignore[reportIncompatibleVariableOverride]  # both configure the class
    """Config as pydantic-settings wants to see it, to find its fields in the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=NESTED)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, and where each value came from."""

    config: Config
    origins: Mapping[str, str]
    """By dotted key: the file, the variable, the flag or dev. Keys that are absent have their default."""


def load_config(file: Path | None = None, flags: Mapping[str, object] | None = None) -> Loaded:
    """The configuration from all sources; `flags` by dotted key. Raises UsageError in one line."""
    written = {} if file is None else dict(_leaves(_read(file)))
    variables = dict(_leaves(_environment()))
    values = {**written, **variables, **(flags or {})}
    origins = {
        **dict.fromkeys(written, str(file)),
        **{key: _variable(key) for key in variables},
        **dict.fromkeys(flags or {}, "flags"),
    }

    try:
        config = Config.model_validate(_nested(values))
        opened = dict.fromkeys((key for key, _ in _leaves(DEV)), "dev") if config.dev else {}

        return Loaded(config, {**opened, **origins})
    except ValidationError as error:
        raise UsageError(_explained(error, origins)) from None


def _read(file: Path) -> Mapping[str, object]:
    try:
        return tomllib.loads(file.read_text())
    except OSError as error:
        raise UsageError(f"config file {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"config file {file}: {error}") from None


def _environment() -> Mapping[str, object]:
    try:
        found = cast("Mapping[str, object]", cast("Any", EnvSettingsSource(_Environment))())
    except SettingsError as error:
        raise UsageError(f"environment: {error}") from None

    return {name: value for name, value in found.items() if value is not None}


def _leaves(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(cast("Mapping[str, object]", value), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _nested(values: Mapping[str, object]) -> dict[str, Any]:
    root: dict[str, Any] = {}

    for key, value in values.items():
        *path, name = key.split(".")
        table = root

        for step in path:
            table = table.setdefault(step, {})

        table[name] = value

    return root


def _variable(key: str) -> str:
    return PREFIX + key.replace(".", NESTED).upper()


def _explained(error: ValidationError, origins: Mapping[str, str]) -> str:
    one = error.errors(include_url=False, include_context=False, include_input=False)[0]
    key = ".".join(str(step) for step in one["loc"])
    text = one["msg"].removeprefix("Value error, ")

    if one["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        near = difflib.get_close_matches(key, _known_keys(), n=1)
        text = f"unknown key{f'; did you mean {near[0]}?' if near else ''}"

    origin = origins.get(key)
    place = f" (from {origin})" if origin else ""

    return f"{key}{place}: {text}" if key else text


def _known_keys() -> list[str]:
    keys = [key for key, _ in _leaves(Config().model_dump())]

    return sorted({*keys, *(key.partition(".")[0] for key in keys)})
