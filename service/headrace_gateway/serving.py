"""The gateway as a process: the socket it listens on, and how it ends.

When told to end, streams are cut at once: browsers connect anew, and runs linger for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Generator
from pathlib import Path

import uvicorn

from headrace_gateway.app import create_app
from headrace_gateway.presence import OpenRequests
from headrace_gateway.setup import Setup

STALL_SECONDS = 120
"""A peer that takes nothing for this long is given up, by the kernel."""
MOST_UNSENT = 16 * 1024
"""Bytes that the kernel takes ahead of a slow peer: what waits in the server's log instead can merge."""
FAREWELL_SECONDS = 5


class Serving(uvicorn.Server):
    """uvicorn's server, with an end of our own: 0 after the first signal, at once after the second."""

    def __init__(self, config: uvicorn.Config, waiting: OpenRequests) -> None:
        super().__init__(config)
        self._waiting = waiting

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Listens to signals while it serves."""
        loop = asyncio.get_running_loop()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._hear, number)

        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _hear(self, number: signal.Signals) -> None:
        if self.should_exit:
            os._exit(128 + number)  # nothing may hold us up: no cleanup

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
    setup: Setup, listening: socket.socket, *, certificate: Path | None, key: Path | None
) -> None:
    """Serves until told to end."""
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
    await Serving(config, waiting).serve(sockets=[listening])
