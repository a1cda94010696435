"""The address the server listens at, and the options of its connections.

gRPC ignores options it does not know without a word, so each of these is proven by a test of what it
does. The names look alike and are not: `grpc.keepalive_timeout_ms` is not the time a ping may take.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from headrace.errors import UsageError
from headrace.runs.limits import Limits

MAX_PENDING = 10_000
"""Calls that may wait to be looked at. From 1,000 on gRPC would drop some without a word, as CANCELLED;
admission refuses in words."""

Seconds = Annotated[float, Field(ge=0.05, lt=1e6)]


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Connections:
    """Life of connections, and of dead ones until they are noticed. Times in seconds."""

    ping_interval: Seconds = 20.0
    """Silence after which a peer is pinged."""
    ping_timeout: Seconds = 4.0
    """Time a peer has to answer, or to take data that was sent. With ping_interval it makes the 25 s
    within which a dead peer is noticed."""
    min_ping_interval: Seconds = 5.0
    """Peers that ping more often are refused."""
    handshake_timeout: Seconds = 10.0
    max_age: Seconds = 1800.0
    """Connections are closed at this age, so that load spreads again."""
    max_age_grace: Seconds = 3600.0
    """Time for their streams to end; the only end of a stream whose reader has stalled."""


def channel_options(limits: Limits, connections: Connections) -> Sequence[tuple[str, int]]:
    """The options of the gRPC server."""
    return [
        ("grpc.max_receive_message_length", limits.max_message_bytes),
        ("grpc.keepalive_time_ms", _ms(connections.ping_interval)),
        ("grpc.keepalive_timeout_ms", _ms(connections.ping_timeout)),
        ("grpc.http2.ping_timeout_ms", _ms(connections.ping_timeout)),
        ("grpc.http2.min_ping_interval_without_data_ms", _ms(connections.min_ping_interval)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.server_handshake_timeout_ms", _ms(connections.handshake_timeout)),
        ("grpc.max_connection_age_ms", _ms(connections.max_age)),
        ("grpc.max_connection_age_grace_ms", _ms(connections.max_age_grace)),
        ("grpc.server.max_pending_requests", MAX_PENDING),
        ("grpc.server.max_pending_requests_hard_limit", MAX_PENDING),
        ("grpc.so_reuseport", 0),  # else a second server on the port takes half of the connections
    ]


def split_address(listen: str) -> tuple[str, int]:
    """Host and port of "host:port", "[v6]:port" or ":port". Raises UsageError."""
    host, colon, port = listen.rpartition(":")

    if not colon or not port.isdecimal() or int(port) > 65_535:
        raise UsageError(f"--listen {listen!r}: expected host:port, such as 127.0.0.1:50051")

    return host.strip("[]") or "0.0.0.0", int(port)


def is_loopback(host: str) -> bool:
    """True for a host that only this machine can reach."""
    if host == "localhost":
        return True

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def join_address(host: str, port: int) -> str:
    """The address as clients write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
