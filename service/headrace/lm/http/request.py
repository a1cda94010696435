"""A request: where it goes, its headers, and its bytes."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

PORTS = {"http": 80, "https": 443}
UNSAFE = re.compile(r"[\r\n\0]")
IN_PATHS = "/%:@!$&'()*+,;=~?"
"""Characters that a path and a query keep as they are; an address may be quoted already."""


class InvalidRequest(ValueError):
    """An address or a header that HTTP cannot carry. Its text says which, and never the value."""


class Origin(NamedTuple):
    """A server, as connections to it are kept apart."""

    tls: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and port, as a Host header has them: without the port that goes without saying."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = PORTS["https" if self.tls else "http"]

        return host if self.port == usual else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL of its root, without the slash."""
        return f"{'https' if self.tls else 'http'}://{self.authority}"


class Address(NamedTuple):
    """A URL in the parts that a request needs."""

    origin: Origin
    path: str
    authorization: str
    """For the name and password in the URL; empty where it has none."""


@lru_cache(maxsize=256)
def parse_url(url: str) -> Address:
    """The parts of a URL. Raises InvalidRequest."""
    parts = urlsplit(url)

    try:
        host = (parts.hostname or "").encode("idna" if not url.isascii() else "ascii").decode()
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):  # UnicodeError is a ValueError
        raise InvalidRequest("no valid URL") from None

    if not host:
        raise InvalidRequest("no valid URL")

    path = quote(parts.path or "/", IN_PATHS) + (
        f"?{quote(parts.query, IN_PATHS)}" if parts.query else ""
    )

    return Address(Origin(parts.scheme == "https", host, port), path, _basic(parts))


def proxy_for(url: str) -> str | None:
    """The proxy that the environment sets for a URL."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)

    return None if proxy is None or proxy_bypass(parts.netloc) else proxy


def fields_of(address: Address, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """The headers of a POST request, with those that HTTP asks for. Raises InvalidRequest.

    An answer is not to be compressed: it comes in small pieces, and is read as they come.
    """
    fields = {"host": address.origin.authority, "user-agent": "headrace"}

    if address.authorization:
        fields["authorization"] = address.authorization

    fields |= {name.lower(): value for name, value in headers.items()}
    fields |= {"accept-encoding": "identity", "content-length": str(len(body))}
    fields.pop("transfer-encoding", None)

    for name, value in fields.items():
        if UNSAFE.search(name) or UNSAFE.search(value):
            raise InvalidRequest(f"header {name[:40]!r} has a line break in it")

    return fields


def request_bytes(address: Address, fields: Mapping[str, str], body: bytes) -> bytes:
    """A POST request."""
    lines = [f"{name}: {value}" for name, value in fields.items()]

    return "\r\n".join([f"POST {address.path} HTTP/1.1", *lines, "", ""]).encode() + body


def _basic(parts: SplitResult) -> str:
    if parts.username is None:
        return ""

    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"

    return f"Basic {base64.b64encode(pair.encode()).decode()}"
