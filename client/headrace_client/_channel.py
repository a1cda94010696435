"""How a channel is opened: gRPC's options and why they are set, and TLS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from weakref import WeakKeyDictionary

import grpc
from grpc import aio

from headrace_client._probe import Tls

REPEATABLE = (
    "ListPrograms",
    "GetProgram",
    "ListRuns",
    "GetRun",
    "CancelRun",
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
"""What credentials were made of; gRPC's own object does not tell."""


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
    """What is known of credentials; None without any."""
    return None if credentials is None else _made_of.get(credentials, Tls(is_known=False))


def _pem(name: str, file: str | Path | None) -> bytes | None:
    if file is None:
        return None

    pem = Path(file).read_bytes()

    if b"-----BEGIN " not in pem:
        raise ValueError(f"{name}: there is no PEM in {file}")

    return pem
