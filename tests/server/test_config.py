"""Configuration: three sources, each value with its origin, and errors that show no secret."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from headrace.errors import UsageError
from headrace.server.config import Config, Logs, load_config
from headrace.server.config.cli import config

HASH = "sha256:" + "a" * 64


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEADRACE_LM", "HEADRACE_LISTEN", "HEADRACE_TOKENS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "headrace.toml"


def refused(file: Path, text: str, flags: Mapping[str, object] | None = None) -> str:
    file.write_text(text)

    with pytest.raises(UsageError) as error:
        load_config(file, flags)

    return error.value.message


def test_flags_are_stronger_than_the_environment_and_that_than_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('lm = "a"\ndrain_timeout = 1\n[limits]\nretention = 1\nmax_labels = 1\n')
    monkeypatch.setenv("HEADRACE_DRAIN_TIMEOUT", "2")
    monkeypatch.setenv("HEADRACE_LIMITS__RETENTION", "2")
    loaded = load_config(file, {"limits.retention": 3})

    assert (loaded.config.lm, loaded.config.drain_timeout) == ("a", 2.0)
    assert (loaded.config.limits.retention, loaded.config.limits.max_labels) == (3.0, 1)
    assert loaded.origins == {
        "lm": str(file),
        "drain_timeout": "HEADRACE_DRAIN_TIMEOUT",
        "limits.retention": "flags",
        "limits.max_labels": str(file),
    }


def test_programs_in_the_environment_are_parted_by_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_PROGRAMS", "app:one two=app:two")

    assert load_config().config.programs == ("app:one", "two=app:two")


def test_principals_are_tables_of_the_file(file: Path) -> None:
    file.write_text(f'[[principals]]\nname = "ann"\ntokens = ["{HASH}"]\nprograms = ["qa"]\n')
    [ann] = load_config(file).config.principals

    assert (ann.name, ann.tokens, ann.may_run("qa"), ann.may_run("other")) == (
        "ann",
        (HASH,),
        True,
        False,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("limts.retention = 1", "limts: unknown key; did you mean limits?"),
        ("limits.retenton = 1", "did you mean limits.retention?"),
        ('limits.retention = "sk-secret"', "limits.retention (from "),
        ("limits.max_input_depth = 31", "less than or equal to 30"),
        ('listen = "nowhere"', "expected host:port"),
        ('listen = "0.0.0.0:1"', "tls.certificate"),
        ('tls.key = "key.pem"', "certificate and key belong together"),
        ('[[principals]]\nname = "ann"\ntokens = ["sk-secret"]', 'must be "sha256:"'),
        ("lm = ", "Invalid value"),
    ],
)
def test_errors_name_the_key_and_not_the_value(file: Path, text: str, words: str) -> None:
    message = refused(file, text)

    assert words in message
    assert "sk-secret" not in message
    assert "\n" not in message


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.toml: No such file"):
        load_config(tmp_path / "absent.toml")


def test_reflection_is_on_where_only_this_machine_can_ask() -> None:
    assert Config().reflects
    assert not Config(listen="0.0.0.0:1", insecure=True).reflects
    assert Config(listen="0.0.0.0:1", insecure=True, reflection="on").reflects
    assert not Config(reflection="off").reflects


def test_the_command_prints_what_serve_would_have(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(f'[[principals]]\nname = "ann"\ntokens = ["{HASH}"]\n')
    monkeypatch.setenv("HEADRACE_TOKENS", "bob=sk-secret")
    flags = ["--config", str(file), "--log-level", "debug", "--set", "limits.retention=60"]
    printed = CliRunner().invoke(config, flags)
    lines = [" ".join(line.split()) for line in printed.output.splitlines()]

    assert printed.exit_code == 0
    assert "limits.retention = 60.0 # flags" in lines
    assert 'logs.level = "debug" # flags' in lines
    assert 'tokens = "********" # HEADRACE_TOKENS' in lines
    assert "# tls.certificate = # default" in lines
    assert "sk-secret" not in printed.output
    assert HASH not in printed.output


def test_what_is_printed_can_be_read_back(file: Path) -> None:
    file.write_text("\n".join(load_config(flags={"limits.retention": 60}).lines()))

    assert load_config(file).config.limits.retention == 60.0


@pytest.mark.parametrize("flags", [["--set", "retention"], ["--set", "nothing=1"]])
def test_flags_that_make_no_sense_end_with_usage(flags: list[str]) -> None:
    printed = CliRunner().invoke(config, flags)

    assert printed.exit_code == 2
    assert "Error: " in printed.output


# For developers


def test_dev_opens_what_nobody_has_set(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('[logs]\nformat = "json"\n')
    monkeypatch.setenv("HEADRACE_DEV", "true")
    loaded = load_config(file)
    logs = loaded.config.logs

    assert (loaded.config.include_data, logs.content, logs.format) == (True, True, "json")
    assert loaded.origins == {
        "logs.format": str(file),
        "dev": "HEADRACE_DEV",
        "include_data": "dev",
        "logs.content": "dev",
    }
    assert Config(dev=True, logs=Logs(level="debug")).logs == Logs(
        format="console", level="debug", content=True
    )


def test_dev_says_where_it_is_from(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = CliRunner().invoke(config, ["--dev"])
    lines = [" ".join(line.split()) for line in printed.output.splitlines()]

    assert {"dev = true # flags", "include_data = true # dev", "logs.content = true # dev"} <= {
        *lines
    }


@pytest.mark.parametrize("value", ["false", "0", "off"])
def test_dev_that_is_off_opens_nothing(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_DEV", value)

    assert load_config().config == Config()


@pytest.mark.parametrize("listen", ["0.0.0.0:1", ":1", "[::]:1", "192.0.2.1:1"])
def test_dev_is_refused_beyond_loopback_whatever_else_is_set(file: Path, listen: str) -> None:
    told = refused(file, f'dev = true\ninsecure = true\nlisten = "{listen}"\n')

    assert told == (
        f"dev: {listen} can be reached from elsewhere, and dev shows prompts and exceptions to "
        "whoever calls: listen on 127.0.0.1, or leave dev out"
    )


def test_dev_wants_yes_or_no(file: Path) -> None:
    assert refused(file, 'dev = "maybe"\n').startswith(f"dev (from {file}): ")
