"""Access: which calls may come in, and under whose name they go on to the server.

A browser sends requests to this machine on behalf of any page it shows. So a call must come under a name
of ours, which stops pages that rebind theirs; and one that changes something, from a page of ours. To the
server either the gateway says who it is, or the caller's bearer token goes on; never both.
"""

from __future__ import annotations

import hmac
from contextvars import ContextVar
from urllib.parse import SplitResult, urlsplit

from headrace_client import Client, HeadraceError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from headrace_gateway.config import ANYWHERE, Setup, is_loopback, split_address
from headrace_gateway.errors import error_response, refusal

GUARDED = "/v1/"

caller_token: ContextVar[str] = ContextVar("caller_token", default="")
"""The bearer token of the request being answered; empty when it goes no further."""


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


class Upstream:
    """The server's clients: one that passes the caller's token on, and one that says who the gateway is."""

    def __init__(self, setup: Setup) -> None:
        credentials = setup.server_credentials
        self._own = Client(setup.server, credentials=credentials, token=setup.server_token)
        self._callers: Client | None = None

        if credentials is not None or is_loopback(split_address(setup.server)[0]):
            self._callers = Client(setup.server, credentials=credentials, token=caller_token.get)

    def client(self) -> Client:
        """The client to answer the current request with."""
        if not caller_token.get():
            return self._own

        if self._callers is None:
            raise refusal(
                "UNAUTHENTICATED",
                "bearer tokens go no further than this gateway: its way to the server is not encrypted",
            )

        return self._callers

    async def close(self) -> None:
        """Ends every call to the server."""
        await self._own.close()

        if self._callers is not None:
            await self._callers.close()


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
