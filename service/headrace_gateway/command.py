"""`headrace gateway`: the gateway as a command. It refuses what is unsafe before anything listens."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from pathlib import Path
from typing import get_args

import click
from headrace_client import tls_credentials
from headrace_client.cli.configuration import Loaded, configured
from headrace_client.cli.logs import Form, Level, start_logging

from headrace_gateway.access import Upstream
from headrace_gateway.config import FILE, SETTINGS, Config, Setup, is_loopback, split_address
from headrace_gateway.serving import listen, serve


@click.command()
@configured(
    SETTINGS,
    click.option("--listen", default=Config.listen, show_default=True, help="host:port; port 0: a free one."),
    click.option("--server", envvar="HEADRACE_ADDRESS", show_envvar=True, default=Config.server, show_default=True, help="The headrace server, as host:port."),
    click.option("--server-tls", is_flag=True, help="Reach it over TLS, checked against the public roots."),
    click.option("--server-ca", type=FILE, help="Reach it over TLS, checked against this authority (PEM)."),
    click.option("--server-cert", type=FILE, help="Own certificate for it, for mutual TLS (PEM)."),
    click.option("--server-key", type=FILE, help="Its key (PEM)."),
    click.option("--server-token-file", type=FILE, help="A file with a bearer token for it; else HEADRACE_TOKEN."),
    click.option("--token-file", type=FILE, help="A file with the bearer token that callers must send; else HEADRACE_GATEWAY_TOKEN."),
    click.option("--allow-origin", "origins", multiple=True, metavar="ORIGIN", help="Whose pages may call: https://app.example, or * for any. Repeatable."),
    click.option("--tls-cert", type=FILE, help="Serve HTTPS with this certificate (PEM)."),
    click.option("--tls-key", type=FILE, help="Its key (PEM)."),
    click.option("--log-format", type=click.Choice(get_args(Form)), envvar="HEADRACE_GATEWAY_LOG_FORMAT", show_envvar=True, default=Config.log_format, show_default=True, help="auto: console on a terminal, else json."),
    click.option("--log-level", type=click.Choice(get_args(Level)), envvar="HEADRACE_GATEWAY_LOG_LEVEL", show_envvar=True, default=Config.log_level, show_default=True),
    click.option("--insecure", is_flag=True, help="Let other machines in, whoever they are."),
    click.option("--show-config", "shows", is_flag=True, help="Print the settings, with where each is from, and exit."),
)  # fmt: skip
def gateway(loaded: Loaded[Config], shows: bool) -> None:
    """Serve programs over HTTP: JSON, Server-Sent Events, and a page to run them.

    Callers' own bearer tokens go on to the server, unless one of the two tokens here is given.
    """
    if shows:
        click.echo("\n".join(loaded.lines()))
        return

    config = loaded.config
    setup = _setup(config)
    listening = _listening(*split_address(config.listen))
    stop_logging = start_logging(config.log_format, config.log_level)

    try:
        _run(setup, listening, config.tls_cert, config.tls_key)
    finally:
        stop_logging()


def _setup(config: Config) -> Setup:
    """The options to serve with. Raises UsageError for what cannot or should not be served."""
    host = _host(config.listen, "--listen")
    _host(config.server, "--server")
    _together(tls_cert=config.tls_cert, tls_key=config.tls_key)
    _together(server_cert=config.server_cert, server_key=config.server_key)
    secure = config.server_tls or config.server_ca or config.server_cert
    credentials = partial(
        tls_credentials,
        config.server_ca,
        certificate_file=config.server_cert,
        key_file=config.server_key,
    )
    setup = Setup(
        server=config.server,
        server_credentials=credentials() if secure else None,
        server_token=_token(config.server_token_file, config.server_token),
        token=_token(config.token_file, config.token),
        origins=config.origins,
        local=is_loopback(host),
        has_tls=config.tls_cert is not None,
        heartbeat_interval=config.heartbeat_interval,
        max_body_bytes=config.max_body_bytes,
        body_timeout=config.body_timeout,
    )

    if setup.is_open and not (setup.local or config.insecure):
        raise click.UsageError(
            f"{config.listen} can be reached from other machines, by anyone: "
            "give --token-file, or --tls-cert and --tls-key, or --insecure"
        )

    try:
        Upstream(setup)
    except ValueError as error:
        raise click.UsageError(f"{error} (--server-tls or --server-ca)") from None

    return setup


def _run(
    setup: Setup, listening: socket.socket, certificate: Path | None, key: Path | None
) -> None:
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if certificate else "http"
    words = f"serving at {scheme}://{shown}:{port} what {setup.server} serves"
    say = partial(click.echo, words, err=True)
    asyncio.run(serve(setup, listening, certificate=certificate, key=key, when_serving=say))


def _listening(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from None


def _host(address: str, option: str) -> str:
    try:
        return split_address(address)[0]
    except ValueError as error:
        raise click.UsageError(f"{option} {error}") from None


def _together(**files: Path | None) -> None:
    if len({file is None for file in files.values()}) > 1:
        names = " and ".join(f"--{name.replace('_', '-')}" for name in files)
        raise click.UsageError(f"{names} go together")


def _token(file: Path | None, given: str) -> str | None:
    if file is not None:
        return file.read_text(encoding="utf-8").strip()

    return given or None
