"""The server's settings: how values become a Config, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from headrace_client.cli.configuration import Loaded as AnyLoaded
from headrace_client.cli.configuration import Misconfigured, Settings, Tree, UnknownKey, leaves
from pydantic import ValidationError

from headrace.errors import UsageError
from headrace.server.config.model import DEV, Config

Loaded: TypeAlias = AnyLoaded[Config]

UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")


def load_config(file: Path | None = None, flags: Mapping[str, object] | None = None) -> Loaded:
    """The configuration from all sources; `flags` by dotted key. Raises UsageError in one line."""
    try:
        return SETTINGS.load(file, flags)
    except Misconfigured as error:
        raise UsageError(str(error)) from None


def _config(values: Tree) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        one = error.errors(include_url=False, include_context=False, include_input=False)[0]
        key = ".".join(str(step) for step in one["loc"])

        if one["type"] in UNKNOWN:
            raise UnknownKey(key) from None

        raise Misconfigured(key, one["msg"].removeprefix("Value error, ")) from None


def _implied(config: Config) -> Mapping[str, str]:
    return dict.fromkeys((key for key, _ in leaves(DEV)), "dev") if config.dev else {}


SETTINGS = Settings(
    make=_config,
    dump=lambda config: config.model_dump(mode="json"),
    prefix="HEADRACE_",
    secrets=frozenset({"tokens"}),
    implied=_implied,
)
