"""Upstream: the headrace server, on behalf of whoever called.

Either the gateway says who it is, or the caller's bearer token goes on to the server; never both.
"""

from __future__ import annotations

from contextvars import ContextVar

from headrace_client import Client

from headrace_gateway.config import Setup, is_loopback, split_address
from headrace_gateway.errors import refusal

caller_token: ContextVar[str] = ContextVar("caller_token", default="")
"""The bearer token of the request being answered; empty when it goes no further."""


class Upstream:
    """The server's clients: one that passes the caller's token on, and one that does not."""

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
