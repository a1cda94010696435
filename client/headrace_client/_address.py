"""Addresses as gRPC takes them: `host:port`, or with a resolver's name in front, as in `dns:///host:port`."""

from __future__ import annotations

import ipaddress

DEFAULT_PORT = 443
"""gRPC's own, for an address without a port."""

LOCAL = ("unix:", "unix-abstract:")
NAMED = ("dns:///", "dns:", "ipv4:", "ipv6:")


def check(address: str) -> None:
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
    """Where an address leads; None where no host and port are in it."""
    if address.startswith(LOCAL):
        return None

    target = next((address[len(n) :] for n in NAMED if address.startswith(n)), address)

    if target.count(":") != 1 and "]:" not in target:
        return target.strip("[]"), DEFAULT_PORT

    host, _, port = target.rpartition(":")

    return (host.strip("[]"), int(port)) if port.isdecimal() else None


def is_loopback(address: str) -> bool:
    """Cannot leave this machine."""
    if address.startswith(LOCAL):
        return True

    place = host_and_port(address)
    host = address if place is None else place[0]

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
