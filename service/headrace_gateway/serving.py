"""The gateway as a process: the socket it listens on, and how it ends.

When told to end, streams are cut at once: browsers connect anew, and runs linger for them.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import uvicorn
from headrace_client.cli.signals import ending, listening

from headrace_gateway.app import create_app
from headrace_gateway.config import Setup
from headrace_gateway.disconnect import OpenRequests

STALL_SECONDS = 120
"""A peer that takes nothing for this long is given up, by the kernel."""
MOST_UNSENT = 16 * 1024
"""Bytes that the kernel takes ahead of a slow peer: what waits in the server's log instead can merge."""
FAREWELL_SECONDS = 5


class Serving(uvicorn.Server):
    """uvicorn's server, with an end of our own: 0 after the first signal, at once after the second."""

    def __init__(
        self, config: uvicorn.Config, waiting: OpenRequests, when_serving: Callable[[], object]
    ) -> None:
        super().__init__(config)
        self._waiting = waiting
        self._when_serving = when_serving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says that it serves once it does, and hears signals."""
        await super().startup(sockets)

        if self.started:
            self._when_serving()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Listens to signals while it serves."""
        with listening(ending(self._end)):
            yield

    def _end(self) -> None:
        self.should_exit = True
        self._waiting.end()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=512)
    listening.setblocking(False)

    if sys.platform == "linux":  # connections inherit both
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALL_SECONDS * 1000)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT)

    return listening


async def serve(
    setup: Setup,
    listening: socket.socket,
    *,
    certificate: Path | None,
    key: Path | None,
    when_serving: Callable[[], object],
) -> None:
    """Serves until told to end; `when_serving` is called once it does."""
    waiting = OpenRequests()
    config = uvicorn.Config(
        create_app(setup, waiting),
        log_config=None,  # its lines go where ours go
        log_level="warning",
        access_log=False,
        lifespan="on",
        ws="none",
        ssl_certfile=certificate,
        ssl_keyfile=key,
        timeout_graceful_shutdown=FAREWELL_SECONDS,
        server_header=False,
    )
    await Serving(config, waiting, when_serving).serve(sockets=[listening])
