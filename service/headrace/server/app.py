"""Server: the gRPC server around a registry, from the port it binds to the last stream it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

import grpc

from headrace.errors import UsageError
from headrace.program import Program
from headrace.runs.limits import Limits
from headrace.runs.registry import Registry
from headrace.server.listen import (
    Connections,
    channel_options,
    is_loopback,
    join_address,
    split_address,
)
from headrace.server.rpc import Context, Gate
from headrace.server.servicer import SERVICE, Servicer
from headrace.server.standard import Health, enable_reflection

logger = logging.getLogger("headrace.server")

UNWIND = 0.3
"""Seconds that programs stopped by a drain get to end, and then readers to be told."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How to serve."""

    listen: str = "127.0.0.1:50051"
    """Port 0 = any free one."""
    limits: Limits = field(default_factory=Limits)
    connections: Connections = field(default_factory=Connections)
    reflection: bool | None = None
    """None = on loopback only."""


def anyone(context: Context) -> str:
    """The principal where nobody has to say who they are."""
    return ""


class Server:
    """Serves programs. `start` it, then `drain` or `stop` it, on one event loop."""

    def __init__(self, programs: Iterable[Program], setup: Setup | None = None) -> None:
        self.setup = setup or Setup()
        self.registry = Registry(self.setup.limits)
        self._gate = Gate(anyone)
        self._host, self._port = split_address(self.setup.listen)
        options = channel_options(self.setup.limits, self.setup.connections)
        self._server = grpc.aio.server(options=options)
        servicer = Servicer(programs, self.registry, max_stream_age=self.setup.connections.max_age)
        self._server.add_generic_rpc_handlers((servicer.handlers(self._gate),))
        self._health = Health(self._server, [SERVICE])

        if self._reflects():
            enable_reflection(self._server, [SERVICE])

    @property
    def address(self) -> str:
        """Where it listens; the real port once it has been started."""
        return join_address(self._host, self._port)

    async def start(self) -> str:
        """Binds the port and serves; gives the address. Raises UsageError where it cannot bind."""
        try:
            self._port = self._server.add_insecure_port(self.address)
        except RuntimeError:
            raise UsageError(f"cannot listen on {self.address}: is the port in use?") from None

        await self._server.start()

        await self._health.serve()

        return self.address

    async def drain(self, timeout: float) -> None:
        """Takes no new runs, lets those there are end within `timeout` seconds, then stops all."""
        await self._health.leave()
        stopped = await self.registry.drain(timeout, unwind=UNWIND)

        if stopped:
            logger.warning("%d runs were stopped after the drain timeout of %g s", stopped, timeout)

        await self.stop()

    async def stop(self) -> None:
        """Stops all runs and ends all streams."""
        await self.registry.drain(0.0, unwind=UNWIND)

        try:
            async with asyncio.timeout(UNWIND):
                await self._gate.emptied()
        except TimeoutError:
            logger.warning("some readers did not take the end of their streams")

        await self._server.stop(grace=None)
        await self.registry.close()

    def _reflects(self) -> bool:
        wanted = self.setup.reflection

        return is_loopback(self._host) if wanted is None else wanted
