"""`headrace mock-lm`: the mock provider as a command."""

from __future__ import annotations

import asyncio

import click
from headrace_client.cli.signals import ending, listening

from headrace.mock_lm.faults import described
from headrace.mock_lm.prose import cut
from headrace.mock_lm.server import MockLM, Model


def _address(context: click.Context, option: click.Parameter, value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")

    if not host or not port.isdecimal():
        raise click.BadParameter(f"{value!r} is no HOST:PORT, such as 127.0.0.1:0")

    return host, int(port)


def _scripts(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[str, Model]:
    scripts: dict[str, Model] = {}

    for value in values:
        name, separator, path = value.partition("=")

        if not separator:
            raise click.BadParameter(f"{value!r} is no NAME=FILE")

        try:
            with open(path, encoding="utf-8") as file:
                scripts[name] = cut(file.read())
        except OSError as error:
            raise click.BadParameter(f"{path}: {error.strerror}") from error

    return scripts


@click.command("mock-lm")
@click.option("--listen", default="127.0.0.1:0", show_default=True, callback=_address, help="HOST:PORT; port 0 takes a free one.")  # fmt: skip
@click.option("--pace", default=0.02, show_default=True, help="Seconds before each chunk.")
@click.option("--script", "scripts", multiple=True, metavar="NAME=FILE", callback=_scripts, help="A model that answers with the file's text. Repeatable.")  # fmt: skip
@click.option("--list", "listing", is_flag=True, help="List the faults, by model name, and exit.")
def mock_lm(listen: tuple[str, int], pace: float, scripts: dict[str, Model], listing: bool) -> None:
    """Run a language model provider on loopback that answers with canned prose.

    Prints its base URL on the first line. Any model name answers; `fault-…` names fail in the way
    --list tells. Nothing is asked of any real model.
    """
    if listing:
        for name, description in described():
            click.echo(f"{name}\n    {description}")
    else:
        asyncio.run(_serve(listen, pace, scripts))


async def _serve(listen: tuple[str, int], pace: float, scripts: dict[str, Model]) -> None:
    host, port = listen
    told = asyncio.Event()

    try:
        with listening(ending(told.set)):
            async with MockLM(scripts, pace=pace, host=host, port=port) as mock:
                click.echo(mock.base_url)
                click.echo(
                    "Canned prose only. Try: export OPENAI_API_BASE=<the line above>", err=True
                )
                await told.wait()
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from error
