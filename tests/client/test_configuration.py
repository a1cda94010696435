"""Configuration of commands: three sources, each value with its origin, and what a command is called with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias, cast

import click
import pytest
from click.testing import CliRunner
from headrace_client.cli.configuration import (
    Loaded,
    Misconfigured,
    Settings,
    Tree,
    UnknownKey,
    configured,
)

DEFAULTS: Tree = {
    "name": "",
    "token": "",
    "files": [],
    "who": [],
    "mill": {"wheels": 1, "race": None},
}

Values: TypeAlias = dict[str, Any]


def with_defaults(values: Tree) -> Values:
    """The defaults with these values in their places."""
    mill: Values = cast("Values", values.get("mill", {}))

    if not hasattr(mill, "keys"):
        raise Misconfigured("mill", "must be a table")

    for key in [*values, *(f"mill.{name}" for name in mill)]:
        if key not in {*DEFAULTS, "mill.wheels", "mill.race"}:
            raise UnknownKey(key)

    return {**DEFAULTS, **values, "mill": {"wheels": 1, "race": None, **mill}}


SETTINGS: Settings[Values] = Settings(
    make=with_defaults,
    dump=lambda values: values,
    prefix="MILL_",
    variables=(("WHO_GRINDS", "name"),),
    secrets=frozenset({"token", "key"}),
)


def refused(file: Path | None = None, **flags: object) -> str:
    with pytest.raises(Misconfigured) as error:
        SETTINGS.load(file, flags)

    return str(error.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mill.toml"


def test_each_source_is_stronger_than_the_last_and_every_value_says_its_origin(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('name = "file"\ntoken = "file"\nfiles = ["file"]\n[mill]\nwheels = 2\n')
    monkeypatch.setenv("MILL_TOKEN", "variable")
    monkeypatch.setenv("MILL_MILL__WHEELS", "3")
    loaded = SETTINGS.load(file, {"mill.wheels": 4})

    assert loaded.config == {
        "name": "file",
        "token": "variable",
        "files": ["file"],
        "who": [],
        "mill": {"wheels": 4, "race": None},
    }
    assert loaded.origins == {
        "name": str(file),
        "files": str(file),
        "token": "MILL_TOKEN",
        "mill.wheels": "flags",
    }


def test_a_variable_of_another_name_is_weaker_than_that_of_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WHO_GRINDS", "ann")
    first = SETTINGS.load()
    monkeypatch.setenv("MILL_NAME", "bob")
    second = SETTINGS.load()

    assert (first.config["name"], first.origins) == ("ann", {"name": "WHO_GRINDS"})
    assert (second.config["name"], second.origins) == ("bob", {"name": "MILL_NAME"})


def test_lists_and_tables_of_the_environment_are_json_where_they_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MILL_FILES", '["a", "b"]')
    monkeypatch.setenv("MILL_WHO", "ann bob")
    monkeypatch.setenv("MILL_NAME", '["a"]')
    monkeypatch.setenv("MILL_MILL", '{"wheels": 5, "race": "x"}')
    monkeypatch.setenv("MILL_MILL__RACE", "y")
    loaded = SETTINGS.load()

    assert loaded.config == {
        "name": '["a"]',
        "token": "",
        "files": ["a", "b"],
        "who": "ann bob",
        "mill": {"wheels": 5, "race": "y"},
    }
    assert (loaded.origins["mill.wheels"], loaded.origins["mill.race"]) == (
        "MILL_MILL",
        "MILL_MILL__RACE",
    )


def test_variables_of_others_that_begin_alike_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("MILL_PORT", "MILL_SERVICE_HOST", "MILL_NAME__OF", "MILLER"):
        monkeypatch.setenv(name, "tcp://10.0.0.1:80")

    assert SETTINGS.load().origins == {}


def test_a_wrong_key_is_named_with_its_origin_and_what_it_may_have_been_meant_for(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("nam = 1\n")
    told = refused(file)
    monkeypatch.setenv("MILL_MILL__WEELS", "3")

    assert told == f"nam (from {file}): unknown key; did you mean name?"
    assert refused() == "mill.weels (from MILL_MILL__WEELS): unknown key; did you mean mill.wheels?"


@pytest.mark.parametrize(
    ("text", "flags", "told"),
    [
        ("mill = 1", {}, "mill (from {file}): must be a table"),
        ("mill = 1", {"mill.wheels": 2}, "mill.wheels (from flags): mill is set as a whole, and not a table"),
        ("name = ", {}, "config file {file}: Invalid value (at end of document)"),
    ],
)  # fmt: skip
def test_what_is_no_configuration_is_said_in_one_line(
    file: Path, text: str, flags: dict[str, object], told: str
) -> None:
    file.write_text(text)

    assert refused(file, **flags) == told.format(file=file)


def test_lines_are_toml_with_origins_and_without_secrets(file: Path) -> None:
    file.write_text('token = "sesame"\nfiles = [{key = "sesame", name = "a"}]\n')
    lines = [" ".join(line.split()) for line in SETTINGS.load(file).lines()]

    assert lines == [
        'name = "" # default',
        f'token = "********" # {file}',
        f'files = [{{key = "********", name = "a"}}] # {file}',
        "who = [] # default",
        "mill.wheels = 1 # default",
        "# mill.race = # default",
    ]


def test_a_command_gets_what_its_options_lead_to_and_its_other_options_as_they_are() -> None:
    @click.command()
    @configured(
        SETTINGS,
        click.option("--name", default="shown only"),
        click.option("--wheels", "mill__wheels", type=int),
        click.option("--times", type=int, default=1),
    )
    def grind(loaded: Loaded[Values], times: int) -> None:
        click.echo(f"{loaded.config['mill']} {loaded.origins} {times}")

    def said(*arguments: str) -> str:
        return CliRunner().invoke(grind, arguments).output.strip().splitlines()[-1]

    assert said() == "{'wheels': 1, 'race': None} {} 1"
    assert said("--wheels", "2", "--times", "3", "--set", "mill.race=deep") == (
        "{'wheels': 2, 'race': 'deep'} {'mill.wheels': 'flags', 'mill.race': 'flags'} 3"
    )
    assert said("--set", "wheels") == "Error: --set wheels: expected KEY=VALUE"
    assert said("--set", "wheels=1") == (
        "Error: wheels (from flags): unknown key; did you mean mill.wheels?"
    )
