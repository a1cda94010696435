"""Address and credentials: the options of every command that speaks to a server."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import grpc

from headrace_client import Client, SyncClient, tls_credentials
from headrace_client._channel import ClearTextToken

ADDRESS = "HEADRACE_ADDRESS"
TOKEN = "HEADRACE_TOKEN"
DEFAULT_ADDRESS = "127.0.0.1:50051"


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and credentials for it."""

    address: str
    token: str | None = None
    credentials: grpc.ChannelCredentials | None = None
    """None = in clear text."""
    token_file: Path | None = None
    """Where the token comes from; None = the environment. The other files are those of TLS."""
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def client(self) -> Client:
        """A client of it."""
        return Client(self.address, token=self.token, credentials=self.credentials)

    def sync_client(self) -> SyncClient:
        """A client of it, for commands that ask one thing."""
        return SyncClient(self.address, token=self.token, credentials=self.credentials)


FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

OPTIONS = (
    click.option(
        "--address",
        envvar=ADDRESS,
        show_envvar=True,
        default=DEFAULT_ADDRESS,
        show_default=True,
        help="The server, as host:port.",
    ),
    click.option("--token-file", type=FILE, help=f"A file with a bearer token; else {TOKEN}."),
    click.option("--tls", is_flag=True, help="Speak TLS, checked against the public roots."),
    click.option("--ca", type=FILE, help="Speak TLS, checked against this authority (PEM)."),
    click.option("--cert", type=FILE, help="Own certificate, for mutual TLS (PEM)."),
    click.option("--key", type=FILE, help="Its key (PEM)."),
)


def with_target(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options, and gives the command a `Target` first."""

    @functools.wraps(command)
    def aimed(
        *,
        address: str,
        token_file: Path | None,
        tls: bool,
        ca: Path | None,
        cert: Path | None,
        key: Path | None,
        **arguments: Any,
    ) -> Any:
        if (cert is None) != (key is None):
            raise click.UsageError("--cert and --key go together")

        secure = tls or ca or cert

        try:
            made = tls_credentials(ca, certificate_file=cert, key_file=key) if secure else None
            target = Target(address, _token(token_file), made, token_file, ca, cert, key)
            target.client()
        except ClearTextToken as error:
            raise click.UsageError(f"{error} (--tls or --ca)") from error
        except ValueError as error:
            raise click.UsageError(str(error)) from error

        return command(target, **arguments)

    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(OPTIONS), aimed)


def _token(file: Path | None) -> str | None:
    if file is not None:
        return file.read_bytes().decode("utf-8", "replace").strip()

    return os.environ.get(TOKEN) or None
