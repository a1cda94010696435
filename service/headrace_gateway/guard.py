"""The guard before every call: under which name it came, from whose page, and with which token.

A browser sends requests to this machine on behalf of any page it shows. So a call must come under a name
of ours, which stops pages that rebind theirs; and one that changes something, from a page of ours.
"""

from __future__ import annotations

import hmac
from urllib.parse import SplitResult, urlsplit

from headrace_client import HeadraceError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from headrace_gateway.config import ANYWHERE, Setup, is_loopback
from headrace_gateway.errors import error_response, refusal
from headrace_gateway.upstream import caller_token

GUARDED = "/v1/"


class Guard:
    """Lets a call through, or answers it with what is wrong."""

    def __init__(self, app: ASGIApp, setup: Setup) -> None:
        self._app = app
        self._setup = setup
        self._hosts = {urlsplit(origin).hostname for origin in setup.origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        try:
            self._check(scope["method"], scope["path"], Headers(scope=scope))
        except HeadraceError as error:
            await error_response(error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _check(self, method: str, path: str, headers: Headers) -> None:
        self._check_host(headers.get("host", ""))

        if method not in ("GET", "HEAD"):
            self._check_origin(headers.get("origin", ""), headers.get("host", ""))

        if path.startswith(GUARDED):
            self._check_token(headers.get("authorization", ""))

    def _check_host(self, host: str) -> None:
        if not self._setup.local or ANYWHERE in self._setup.origins:
            return

        name = _parts(f"//{host}").hostname or ""

        if not is_loopback(name) and name not in self._hosts:
            raise refusal(
                "HOST_REFUSED",
                f"this gateway is not {name[:200]!r}; start it with --allow-origin to serve that name",
            )

    def _check_origin(self, origin: str, host: str) -> None:
        """Only browsers send one, and always where it matters."""
        ours = not origin or _parts(origin).netloc == host

        if not ours and not {origin, ANYWHERE} & {*self._setup.origins}:
            raise refusal(
                "ORIGIN_REFUSED",
                f"pages from {origin[:200]} may not call; start the gateway with --allow-origin",
            )

    def _check_token(self, authorization: str) -> None:
        token = _bearer(authorization)
        own = self._setup.token

        if own is not None and not hmac.compare_digest(own.encode(), token.encode()):
            raise refusal(
                "UNAUTHENTICATED", "send `authorization: Bearer` with the gateway's token"
            )

        if self._setup.passes_tokens:
            caller_token.set(token)


def _parts(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")  # malformed, and so nobody's


def _bearer(authorization: str) -> str:
    """The bearer token; empty where there is none, or none that could travel on."""
    scheme, _, token = authorization.partition(" ")
    token = token.strip()

    return token if scheme.lower() == "bearer" and token.isascii() and token.isprintable() else ""
