"""Config, all that can be set about a gateway; and Setup, what it makes of that."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click
import grpc
from headrace_client.cli.configuration import Misconfigured, Settings, Tree, UnknownKey
from headrace_client.cli.logs import Form, Level

MIB = 1024 * 1024
ANYWHERE = "*"


@dataclass(frozen=True)
class Setup:
    """Settings of a gateway. Times in seconds, sizes in bytes."""

    server: str = "127.0.0.1:50051"
    """The headrace server, as host:port."""
    server_credentials: grpc.ChannelCredentials | None = None
    """For TLS to the server; None = in clear text."""
    server_token: str | None = None
    """Presented to the server in every call. None = callers' own bearer tokens go on to it, unless
    they are meant for the gateway."""
    token: str | None = None
    """Callers must present it to the gateway. None = nothing."""
    origins: tuple[str, ...] = ()
    """Origins of other pages that may call, such as "https://app.example"; "*" = any."""
    local: bool = True
    """It listens to this machine only."""
    has_tls: bool = False
    """It serves HTTPS."""
    heartbeat_interval: float = 15.0
    max_body_bytes: int = 1 * MIB
    body_timeout: float = 30.0
    """For a request's body to arrive."""

    @property
    def passes_tokens(self) -> bool:
        """Callers' bearer tokens are meant for the server."""
        return self.token is None and self.server_token is None

    @property
    def is_open(self) -> bool:
        """Anyone who reaches the gateway may use it: nobody has to say who they are, in secret."""
        return self.token is None and not (self.has_tls and self.passes_tokens)


@dataclass(frozen=True)
class Config:
    """All that can be set. Certificates and keys are PEM files."""

    listen: str = "127.0.0.1:8080"
    server: str = Setup.server
    server_tls: bool = False
    server_ca: Path | None = None
    server_cert: Path | None = None
    server_key: Path | None = None
    server_token: str = ""
    server_token_file: Path | None = None
    token: str = ""
    token_file: Path | None = None
    origins: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    heartbeat_interval: float = Setup.heartbeat_interval
    max_body_bytes: int = Setup.max_body_bytes
    body_timeout: float = Setup.body_timeout
    log_format: Form = "auto"
    log_level: Level = "info"
    insecure: bool = False


FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(click.STRING, value.split() if isinstance(value, str) else value))


Parse = Callable[[Any], object]

KINDS: Mapping[object, tuple[Parse, str]] = {
    bool: (click.BOOL, "true or false"),
    float: (click.FloatRange(0, min_open=True), "a number above 0"),
    int: (click.IntRange(1), "a whole number above 0"),
    str: (click.STRING, "a text"),
    Path | None: (FILE, "a file that is there"),
    tuple[str, ...]: (_texts, "a list of texts"),
    **{
        names: (click.Choice(get_args(names)), f"one of {', '.join(get_args(names))}")
        for names in (Form, Level)
    },
}
HINTS = get_type_hints(Config)


def _config(values: Tree) -> Config:
    return Config(**{key: _parsed(key, value) for key, value in values.items()})


def _parsed(key: str, value: object) -> Any:
    if key not in HINTS:
        raise UnknownKey(key)

    parse, wanted = KINDS[HINTS[key]]

    try:
        return parse(value)
    except (click.BadParameter, TypeError):
        raise Misconfigured(key, f"must be {wanted}") from None


def _dump(config: Config) -> Tree:
    return {
        name: str(value) if isinstance(value, Path) else value
        for name, value in dataclasses.asdict(config).items()
    }


SETTINGS = Settings(
    make=_config,
    dump=_dump,
    prefix="HEADRACE_GATEWAY_",
    variables=(("HEADRACE_ADDRESS", "server"), ("HEADRACE_TOKEN", "server_token")),
    secrets=frozenset({"server_token", "token"}),
)


def split_address(listen: str) -> tuple[str, int]:
    """Host and port of "host:port", "[v6]:port" or ":port". Raises ValueError."""
    host, colon, port = listen.rpartition(":")

    if not colon or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f"{listen!r} is no host:port, such as 127.0.0.1:8080")

    return host.strip("[]") or "0.0.0.0", int(port)


def is_loopback(host: str) -> bool:
    """Only this machine can reach it."""
    if host == "localhost":
        return True

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
