"""The options that `serve` and `config` share, and `headrace config`, which shows what they lead to."""

from __future__ import annotations

from pathlib import Path

import click
from headrace_client.cli.configuration import configured

from headrace.server.config.sources import SETTINGS, Loaded

PATH = click.Path(path_type=Path, dir_okay=False)

config_options = configured(
    SETTINGS,
    click.argument("programs", metavar="[PROGRAM]...", nargs=-1),
    click.option(
        "--dev",
        is_flag=True,
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
    click.option("--insecure", is_flag=True, help="Listen anywhere without TLS."),
    click.option("--reflection", type=click.Choice(["auto", "on", "off"]), help="Default auto."),
    click.option("--log-format", "logs__format", type=click.Choice(["auto", "console", "json"])),
    click.option(
        "--log-level", "logs__level", type=click.Choice(["debug", "info", "warning", "error"])
    ),
)


@click.command()
@config_options
def config(loaded: Loaded) -> None:
    """Prints the configuration that `serve` would have, secrets masked, with origins."""
    for line in loaded.lines():
        click.echo(line)
