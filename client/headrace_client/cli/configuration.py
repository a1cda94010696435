"""Configuration of a command that serves: a TOML file, the environment and flags, each stronger than the last.

Every value keeps its origin, so that the command can say it. Errors name keys and never values: a value
may be a secret in the wrong place.
"""

from __future__ import annotations

import difflib
import functools
import json
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar, cast

import click
from click.core import ParameterSource

C = TypeVar("C")

Tree: TypeAlias = Mapping[str, object]
"""Values by name, tables in tables."""
Flat: TypeAlias = Mapping[str, object]
"""Values by dotted key: `limits.retention`."""

MASK = "********"


class Misconfigured(Exception):
    """A configuration that cannot be used. `key` is empty where values do not fit together."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(f"{key}: {text}" if key else text)
        self.key = key
        self.text = text


class UnknownKey(Misconfigured):
    """A key that nothing reads."""

    def __init__(self, key: str) -> None:
        super().__init__(key, "unknown key")


@dataclass(frozen=True, slots=True)
class Loaded(Generic[C]):
    """A configuration, and where each value came from."""

    config: C
    origins: Mapping[str, str]
    """By dotted key: the file, the variable, the flags. Keys that are absent have their default."""
    shown: Tree
    """The whole configuration as JSON values, secrets masked."""

    def lines(self) -> Iterator[str]:
        """The configuration in TOML: `key = value  # origin`. Values that are not set are comments."""
        values = dict(leaves(self.shown))
        written = {key: _line(key, value) for key, value in values.items()}
        width = max(map(len, written.values()))

        for key, line in written.items():
            yield f"{line:<{width}}  # {self.origins.get(key, 'default')}"


@dataclass(frozen=True, slots=True)
class Settings(Generic[C]):
    """The settings of a command: their keys, their names in the environment, and what they make."""

    make: Callable[[Tree], C]
    """The configuration of these values; all others have their defaults. Raises Misconfigured."""
    dump: Callable[[C], Tree]
    """All values of a configuration, as JSON has them."""
    prefix: str
    """Of variables: with HEADRACE_ the key limits.retention is HEADRACE_LIMITS__RETENTION."""
    variables: Sequence[tuple[str, str]] = ()
    """Further variables, each with its key, weaker than those with the prefix."""
    secrets: frozenset[str] = frozenset()
    """Names of values that are masked wherever they stand."""
    implied: Callable[[C], Mapping[str, str]] = lambda config: {}
    """Origins of values that other values of a configuration bring along."""

    def load(self, file: Path | None = None, flags: Flat | None = None) -> Loaded[C]:
        """The configuration from all sources. Raises Misconfigured, in one line."""
        flags = flags or {}
        written = {} if file is None else dict(leaves(_read(file)))
        found = dict(self._environment(os.environ))
        origins = {
            **dict.fromkeys(written, str(file)),
            **{key: variable for key, (variable, _) in found.items()},
            **dict.fromkeys(flags, "flags"),
        }
        values = {**written, **{key: value for key, (_, value) in found.items()}, **flags}

        try:
            config = self.make(_tree(values))
        except Misconfigured as error:
            raise self._explained(error, origins) from None

        shown = cast("Tree", _masked(self.dump(config), self.secrets))

        return Loaded(config, {**self.implied(config), **origins}, shown)

    def keys(self) -> Mapping[str, object]:
        """All keys there are, with their defaults: those of tables, and of what is in them."""
        tree = self.dump(self.make({}))

        return {**tree, **dict(leaves(tree))}

    def _environment(
        self, environment: Mapping[str, str]
    ) -> Iterator[tuple[str, tuple[str, object]]]:
        """Each key that a variable sets, with the variable and the value; the strongest come last."""
        for variable, key in self.variables:
            if variable in environment:
                yield key, (variable, environment[variable])

        keys = self.keys()

        for variable in sorted(environment):  # a table before what is in it
            name = variable.upper()
            key = name.removeprefix(self.prefix).lower().replace("__", ".")
            table, _, inner = key.partition(".")

            if not name.startswith(self.prefix) or table not in keys:
                continue

            if inner and not isinstance(keys[table], Mapping):
                continue

            value = _variable_value(environment[variable], keys.get(key))

            if isinstance(value, Mapping):
                inner_values = leaves(cast("Tree", value), f"{key}.")
                yield from ((one, (name, inside)) for one, inside in inner_values)
            else:
                yield key, (name, value)

    def _explained(self, error: Misconfigured, origins: Mapping[str, str]) -> Misconfigured:
        text = error.text

        if isinstance(error, UnknownKey) and (
            near := difflib.get_close_matches(error.key, sorted(self.keys()), n=1)
        ):
            text = f"{text}; did you mean {near[0]}?"

        origin = origins.get(error.key)

        return Misconfigured(f"{error.key} (from {origin})" if origin else error.key, text)


def configured(
    settings: Settings[C], *options: Callable[[Any], Any]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a click command these options, --config and --set, and calls it with what they lead to.

    An option that is given sets the key of its name, `__` standing for a dot. Options whose names are no
    keys are handed on to the command.
    """
    strength = f"TOML file; flags and {settings.prefix}* are stronger."
    path = click.Path(path_type=Path, dir_okay=False)
    all_options = (
        click.option("--config", "file", type=path, help=strength),
        *options,
        click.option(
            "--set", "sets", metavar="KEY=VALUE", multiple=True, help="Any key of the file."
        ),
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        keys = settings.keys()

        @functools.wraps(command)
        def load(file: Path | None, sets: tuple[str, ...], **values: Any) -> Any:
            by_key = {name.replace("__", "."): name for name in values}
            given = {
                key: values[by_key[key]] for key in by_key.keys() & keys if _is_given(by_key[key])
            }
            others = {key: values[key] for key in by_key.keys() - keys}

            try:
                loaded = settings.load(file, {**given, **dict(map(_setting, sets))})
            except Misconfigured as error:
                raise click.UsageError(str(error)) from error

            return command(loaded, **others)

        return functools.reduce(lambda wrapped, add: add(wrapped), reversed(all_options), load)

    return decorate


def _is_given(option: str) -> bool:
    return click.get_current_context().get_parameter_source(option) is ParameterSource.COMMANDLINE


def _setting(text: str) -> tuple[str, object]:
    """A key and its value, read as TOML would; plain text is itself."""
    key, equals, value = text.partition("=")

    if not equals:
        raise Misconfigured("", f"--set {text}: expected KEY=VALUE")

    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value


def _read(file: Path) -> Tree:
    try:
        return tomllib.loads(file.read_text())
    except OSError as error:
        raise Misconfigured("", f"config file {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured("", f"config file {file}: {error}") from None


def _variable_value(text: str, default: object) -> object:
    """A table or a list is JSON; anything else is the text itself."""
    if isinstance(default, Mapping | list):
        try:
            return json.loads(text)
        except ValueError:
            pass

    return text


def leaves(values: Tree, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Each value with its dotted key."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from leaves(cast("Tree", value), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _tree(values: Flat) -> dict[str, object]:
    root: dict[str, object] = {}

    for key, value in values.items():
        *path, name = key.split(".")
        table = root

        for step in path:
            inner = table.setdefault(step, {})

            if not isinstance(inner, dict):
                raise Misconfigured(key, f"{step} is set as a whole, and not a table")

            table = cast("dict[str, object]", inner)

        table[name] = value

    return root


def _masked(value: object, secrets: frozenset[str]) -> object:
    match value:
        case dict():
            members = cast("dict[str, object]", value).items()
            return {
                name: MASK if name in secrets and one else _masked(one, secrets)
                for name, one in members
            }
        case list():
            return [_masked(one, secrets) for one in cast("list[object]", value)]
        case _:
            return value


def _line(key: str, value: object) -> str:
    return f"# {key} =" if value is None else f"{key} = {_toml(value)}"


def _toml(value: object) -> str:
    """TOML writes strings, numbers, booleans and lists as JSON does; tables inline with `=`."""
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in members) + "}"

    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_toml, cast("Sequence[object]", value))) + "]"

    return json.dumps(value)
