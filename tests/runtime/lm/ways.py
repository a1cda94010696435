"""The ways from an LM to its provider: both engines, and the direct one through a proxy."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

WAYS = ["direct", "litellm", "proxied"]
"""`proxied` is the direct engine, sent through a proxy by the environment: aiohttp carries its requests."""


ELSEWHERE = "http://provider.example"
"""The address that only the proxy knows."""


def engine_of(way: str) -> str:
    return "direct" if way == "proxied" else way


def way_to(base_url: str, way: str, environment: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments of an LM that goes one way to a provider, which plays the proxy itself where there is one."""
    if way != "proxied":
        return {"engine": way, "api_base": base_url}

    parts = urlsplit(base_url)
    environment.setenv("http_proxy", f"http://{parts.netloc}")

    for name in ("no_proxy", "NO_PROXY"):
        environment.delenv(name, raising=False)

    return {"engine": "direct", "api_base": ELSEWHERE + parts.path}
