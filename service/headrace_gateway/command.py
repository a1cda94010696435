"""`headrace gateway`: the gateway as a command. What is unsafe is refused before anything listens."""

from __future__ import annotations

import asyncio
import os
import socket
from functools import partial
from pathlib import Path
from typing import get_args

import click
import grpc
from headrace_client import tls_credentials
from headrace_client.cli.logs import Form, Level, start_logging

from headrace_gateway.access import Upstream
from headrace_gateway.config import Setup, is_loopback, split_address
from headrace_gateway.serving import listen, serve

SERVER_TOKEN = "HEADRACE_TOKEN"
TOKEN = "HEADRACE_GATEWAY_TOKEN"
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--listen", "where", default="127.0.0.1:8080", show_default=True, help="host:port; port 0: a free one.")  # fmt: skip
@click.option("--server", envvar="HEADRACE_ADDRESS", show_envvar=True, default=Setup.server, show_default=True, help="The headrace server, as host:port.")  # fmt: skip
@click.option("--server-tls", is_flag=True, help="Reach it over TLS, checked against the public roots.")  # fmt: skip
@click.option("--server-ca", type=FILE, help="Reach it over TLS, checked against this authority (PEM).")  # fmt: skip
@click.option("--server-cert", type=FILE, help="Own certificate for it, for mutual TLS (PEM).")
@click.option("--server-key", type=FILE, help="Its key (PEM).")
@click.option("--server-token-file", type=FILE, help="A file with a bearer token for it; else HEADRACE_TOKEN.")  # fmt: skip
@click.option("--token-file", type=FILE, help="A file with the bearer token that callers must send; else HEADRACE_GATEWAY_TOKEN.")  # fmt: skip
@click.option("--allow-origin", "origins", multiple=True, metavar="ORIGIN", help="Whose pages may call: https://app.example, or * for any. Repeatable.")  # fmt: skip
@click.option("--tls-cert", type=FILE, help="Serve HTTPS with this certificate (PEM).")
@click.option("--tls-key", type=FILE, help="Its key (PEM).")
@click.option("--log-format", type=click.Choice(get_args(Form)), envvar="HEADRACE_GATEWAY_LOG_FORMAT", show_envvar=True, default="auto", show_default=True, help="auto: console on a terminal, else json.")  # fmt: skip
@click.option("--log-level", type=click.Choice(get_args(Level)), envvar="HEADRACE_GATEWAY_LOG_LEVEL", show_envvar=True, default="info", show_default=True)  # fmt: skip
@click.option("--insecure", is_flag=True, help="Let other machines in, whoever they are.")
def gateway(
    where: str,
    server: str,
    server_tls: bool,
    server_ca: Path | None,
    server_cert: Path | None,
    server_key: Path | None,
    server_token_file: Path | None,
    token_file: Path | None,
    origins: tuple[str, ...],
    tls_cert: Path | None,
    tls_key: Path | None,
    log_format: Form,
    log_level: Level,
    insecure: bool,
) -> None:
    """Serve programs over HTTP: JSON, Server-Sent Events, and a page to run them.

    Callers' own bearer tokens go on to the server, unless one of the two tokens here is given.
    """
    host, port = _address(where, "--listen")
    _address(server, "--server")
    _together(tls_cert=tls_cert, tls_key=tls_key)
    _together(server_cert=server_cert, server_key=server_key)
    secure = server_tls or server_ca or server_cert
    setup = Setup(
        server=server,
        server_credentials=_credentials(server_ca, server_cert, server_key) if secure else None,
        server_token=_token(server_token_file, SERVER_TOKEN),
        token=_token(token_file, TOKEN),
        origins=origins,
        local=is_loopback(host),
        has_tls=tls_cert is not None,
    )

    if setup.is_open and not (setup.local or insecure):
        raise click.UsageError(
            f"{where} can be reached from other machines, by anyone: "
            "give --token-file, or --tls-cert and --tls-key, or --insecure"
        )

    try:
        Upstream(setup)
    except ValueError as error:
        raise click.UsageError(f"{error} (--server-tls or --server-ca)") from None

    listening = _listening(host, port)
    stop_logging = start_logging(log_format, log_level)

    try:
        _run(setup, listening, tls_cert, tls_key)
    finally:
        stop_logging()


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


def _address(text: str, option: str) -> tuple[str, int]:
    try:
        return split_address(text)
    except ValueError as error:
        raise click.UsageError(f"{option} {error}") from None


def _together(**files: Path | None) -> None:
    if len({file is None for file in files.values()}) > 1:
        names = " and ".join(f"--{name.replace('_', '-')}" for name in files)
        raise click.UsageError(f"{names} go together")


def _credentials(ca: Path | None, cert: Path | None, key: Path | None) -> grpc.ChannelCredentials:
    return tls_credentials(ca, certificate_file=cert, key_file=key)


def _token(file: Path | None, variable: str) -> str | None:
    if file is not None:
        return file.read_text(encoding="utf-8").strip()

    return os.environ.get(variable) or None
