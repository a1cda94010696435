"""Opening of a channel: addresses, gRPC's options and why they are set, TLS.

Addresses are those of gRPC: `host:port`, or with a resolver's name in front, as in `dns:///host:port`.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from weakref import WeakKeyDictionary

import grpc
from grpc import aio

from headrace_client._diagnosis import Tls

REPEATABLE = (
    "ListPrograms",
    "GetProgram",
    "ListRuns",
    "GetRun",
    "CancelRun",
    "DeleteRun",
    "SendInput",
    "GetServerInfo",
)
"""Repeated by the channel itself. Run, Attach and Predict are repeated by the client loop."""

SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": "headrace.v1.HeadraceService", "method": m} for m in REPEATABLE],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}

CHANNEL_OPTIONS: dict[str, int | str] = {
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 5_000,
    "grpc.http2.ping_timeout_ms": 5_000,  # the option above does not bound a frozen peer
    "grpc.http2.max_pings_without_data": 0,  # a reader sends no data, and would soon ping no more
    "grpc.http2.bdp_probe": 0,  # a small window lets the server merge for a slow reader
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 2_000,  # else a restarted server is found minutes later
    "grpc.max_receive_message_length": 16 * 1024 * 1024,  # a prediction comes as Struct and JSON
    "grpc.service_config": json.dumps(SERVICE_CONFIG),
    "grpc.primary_user_agent": f"headrace-python/{version('headrace')}",
}

DEFAULT_PORT = 443
"""gRPC's own, for an address without a port."""

LOCAL = ("unix:", "unix-abstract:")
NAMED = ("dns:///", "dns:", "ipv4:", "ipv6:")


def check_address(address: str) -> None:
    """Raises ValueError for what is no address, such as a URL."""
    scheme, separator, rest = address.partition("://")

    if separator and scheme.lower() in ("http", "https", "grpc", "grpcs"):
        secure = " and TLS credentials" if scheme.lower().endswith("s") else ""
        host = rest.partition("/")[0]

        raise ValueError(f"address: {address} is a URL; give {host}{secure} instead")

    if not address.strip():
        raise ValueError("address: it is empty; give host:port")

    place = host_and_port(address)

    if place is not None and not 0 < place[1] < 65536:
        raise ValueError(f"address: {address} has no port that can be")


def host_and_port(address: str) -> tuple[str, int] | None:
    """Host and port of an address; None where it has none, as of a socket file."""
    if address.startswith(LOCAL):
        return None

    target = next((address[len(n) :] for n in NAMED if address.startswith(n)), address)

    if target.count(":") != 1 and "]:" not in target:
        return target.strip("[]"), DEFAULT_PORT

    host, _, port = target.rpartition(":")

    return (host.strip("[]"), int(port)) if port.isdecimal() else None


def is_loopback(address: str) -> bool:
    """True for an address that cannot leave this machine."""
    if address.startswith(LOCAL):
        return True

    place = host_and_port(address)
    host = address if place is None else place[0]

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def open_channel(
    address: str, credentials: grpc.ChannelCredentials | None, options: Mapping[str, int | str]
) -> aio.Channel:
    """A channel on the running event loop; `options` win over those here."""
    all_options = tuple({**CHANNEL_OPTIONS, **options}.items())

    if credentials is None:
        return aio.insecure_channel(address, all_options)

    return aio.secure_channel(address, credentials, all_options)


class ClearTextToken(ValueError):
    """A token would cross the network without TLS."""


_made_of: WeakKeyDictionary[grpc.ChannelCredentials, Tls] = WeakKeyDictionary()
"""The parts of credentials; gRPC's own object does not tell them."""


def tls_credentials(
    ca_file: str | Path | None = None,
    *,
    certificate_file: str | Path | None = None,
    key_file: str | Path | None = None,
) -> grpc.ChannelCredentials:
    """Credentials for TLS, or for mutual TLS with a certificate and its key (PEM files).

    Without `ca_file` the server's certificate is checked against the usual public roots. Raises
    ValueError for a file that holds no PEM.
    """
    if (certificate_file is None) != (key_file is None):
        raise ValueError("mutual TLS needs both certificate_file and key_file")

    roots = _pem("ca_file", ca_file)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=roots,
        private_key=_pem("key_file", key_file),
        certificate_chain=_pem("certificate_file", certificate_file),
    )
    _made_of[credentials] = Tls(roots, has_certificate=certificate_file is not None)

    return credentials


def tls_of(credentials: grpc.ChannelCredentials | None) -> Tls | None:
    """The known parts of credentials; None without any."""
    return None if credentials is None else _made_of.get(credentials, Tls(is_known=False))


def _pem(name: str, file: str | Path | None) -> bytes | None:
    if file is None:
        return None

    pem = Path(file).read_bytes()

    if b"-----BEGIN " not in pem:
        raise ValueError(f"{name}: there is no PEM in {file}")

    return pem
