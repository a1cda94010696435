"""Setup: what a gateway serves, to whom, and how."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import grpc

MIB = 1024 * 1024
ANYWHERE = "*"


@dataclass(frozen=True)
class Setup:
    """What a gateway serves, to whom. Times in seconds, sizes in bytes."""

    server: str = "127.0.0.1:50051"
    """The headrace server, as host:port."""
    server_credentials: grpc.ChannelCredentials | None = None
    """For TLS to the server; None = in clear text."""
    server_token: str | None = None
    """Presented to the server in every call. None = callers' own bearer tokens go on to it, unless
    they are meant for the gateway."""
    token: str | None = None
    """What callers must present to the gateway. None = nothing."""
    origins: tuple[str, ...] = ()
    """Where other pages that may call come from, such as "https://app.example"; "*" = anywhere."""
    local: bool = True
    """Whether it listens to this machine only."""
    has_tls: bool = False
    """Whether it serves HTTPS."""
    heartbeat_interval: float = 15.0
    max_body_bytes: int = 1 * MIB
    body_timeout: float = 30.0
    """For a request's body to arrive."""

    @property
    def passes_tokens(self) -> bool:
        """Whether callers' bearer tokens are meant for the server."""
        return self.token is None and self.server_token is None

    @property
    def is_open(self) -> bool:
        """Whether whoever reaches the gateway may use it: nobody has to say who they are, in secret."""
        return self.token is None and not (self.has_tls and self.passes_tokens)


def split_address(listen: str) -> tuple[str, int]:
    """Host and port of "host:port", "[v6]:port" or ":port". Raises ValueError."""
    host, colon, port = listen.rpartition(":")

    if not colon or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f"{listen!r} is no host:port, such as 127.0.0.1:8080")

    return host.strip("[]") or "0.0.0.0", int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
