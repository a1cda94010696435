"""`headrace mock-lm`: the mock provider as a command."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
from headrace.errors import UsageError
from headrace_client.cli.signals import ending, listening

from headrace_mock.faults import described
from headrace_mock.script import Script, read_script
from headrace_mock.server import MockLM


def _address(context: click.Context, option: click.Parameter, value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")

    if not host or not port.isdecimal():
        raise click.BadParameter(f"{value!r} is no HOST:PORT, such as 127.0.0.1:0")

    return host, int(port)


@click.command("mock-lm")
@click.option("--listen", default="127.0.0.1:0", show_default=True, callback=_address, help="HOST:PORT; port 0 takes a free one.")  # fmt: skip
@click.option("--pace", default=0.02, show_default=True, help="Seconds before each chunk.")
@click.option("--answer", "answers", multiple=True, metavar="TEXT", help="What models answer, in order; the last again and again. Repeatable.")  # fmt: skip
@click.option("--script", "scripts", multiple=True, metavar="[NAME=]FILE", help="Answers in order, for all models or for one. Repeatable.")  # fmt: skip
@click.option("--list", "listing", is_flag=True, help="List the faults, by model name, and exit.")
def mock_lm(
    listen: tuple[str, int],
    pace: float,
    answers: tuple[str, ...],
    scripts: tuple[str, ...],
    listing: bool,
) -> None:
    """Run a language model provider on loopback that answers with canned prose, or as scripted.

    Prints its base URL on the first line. Any model name answers; `fault-…` names fail in the way
    --list tells. Nothing is asked of any real model.
    """
    if listing:
        for name, description in described():
            click.echo(f"{name}\n    {description}")
    else:
        named = _named(scripts, answers)
        asyncio.run(_serve(listen, pace, named.pop("", None), named))


def _named(files: Iterable[str], answers: Iterable[str]) -> dict[str, Script]:
    """The scripts by their model's name; that of all other models has none."""
    scripts = {"": Script(answers)} if answers else {}

    for value in files:
        name, path = _split(value)

        if name in scripts:
            other = f"models named {name}" if name else "all models"
            raise click.UsageError(
                f"--script {value}: there is a script for {other} already; keep one"
            )

        try:
            scripts[name] = read_script(Path(path))
        except UsageError as error:
            raise click.UsageError(f"--script {error.message}") from error

    return scripts


def _split(value: str) -> tuple[str, str]:
    """The model's name, empty for all models, and the file."""
    name, separator, path = value.rpartition("=")

    if not separator or Path(value).is_file():
        return "", value

    if not name:
        raise click.UsageError(f"--script {value}: expected FILE or NAME=FILE")

    return name, path


async def _serve(
    listen: tuple[str, int], pace: float, script: Script | None, models: Mapping[str, Script]
) -> None:
    host, port = listen
    told = asyncio.Event()

    try:
        with listening(ending(told.set)):
            async with MockLM(models, script=script, pace=pace, host=host, port=port) as mock:
                click.echo(mock.base_url)
                click.echo(
                    "No model is asked. Try: export OPENAI_API_BASE=<the line above>", err=True
                )
                await told.wait()
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from error
