"""A request as bytes, and where it goes."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

PORTS = {"http": 80, "https": 443}
UNSAFE = re.compile(r"[\r\n\0]")
IN_PATHS = "/%:@!$&'()*+,;=~?"
"""What a path and a query keep as they are; an address may be quoted already."""


class InvalidRequest(ValueError):
    """An address or a header that HTTP cannot carry. Its text says which, and never the value."""


class Place(NamedTuple):
    """What a connection leads to."""

    tls: bool
    host: str
    port: int
    proxy: str | None = None

    @property
    def authority(self) -> str:
        """Host and port, as a Host header has them: without the port that goes without saying."""
        usual = PORTS["https" if self.tls else "http"]

        return self.address.removesuffix(f":{usual}") if self.port == usual else self.address

    @property
    def address(self) -> str:
        """Host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Target(NamedTuple):
    """A URL in the parts a request needs."""

    place: Place
    path: str
    authorization: str
    """For the name and password in the URL; empty where it has none."""


@lru_cache(maxsize=256)
def target_of(url: str, proxy: str | None = None) -> Target:
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

    return Target(Place(parts.scheme == "https", host, port, proxy), path, _basic(parts))


def request_bytes(target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    """A POST request. Raises InvalidRequest."""
    place = target.place
    path, fields = target.path, {"host": place.authority, "user-agent": "headrace"}

    if target.authorization:
        fields["authorization"] = target.authorization

    if place.proxy is not None and not place.tls:  # the proxy itself reads the request
        path = f"http://{place.authority}{path}"
        fields |= proxy_authorization(place.proxy)

    fields |= {name.lower(): value for name, value in headers.items()}
    fields |= {"accept-encoding": "identity", "content-length": str(len(body))}
    fields.pop("transfer-encoding", None)

    return _head("POST", path, fields) + body


def connect_bytes(place: Place) -> bytes:
    """A request to a proxy for a tunnel."""
    assert place.proxy is not None
    fields = {"host": place.address, **proxy_authorization(place.proxy)}

    return _head("CONNECT", place.address, fields)


def proxy_authorization(proxy: str) -> dict[str, str]:
    """The header for the name and password in a proxy's URL, if it has them."""
    basic = target_of(proxy).authorization

    return {"proxy-authorization": basic} if basic else {}


def _head(method: str, path: str, fields: Mapping[str, str]) -> bytes:
    lines = [f"{name}: {value}" for name, value in fields.items()]

    if UNSAFE.search("".join(lines)):
        name = next(name for name, value in fields.items() if UNSAFE.search(f"{name}{value}"))
        raise InvalidRequest(f"header {name[:40]!r} has a line break in it")

    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()


def _basic(parts: SplitResult) -> str:
    if parts.username is None:
        return ""

    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"

    return f"Basic {base64.b64encode(pair.encode()).decode()}"
