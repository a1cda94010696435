"""Server: the gRPC server around a registry, from the port it binds to the last stream it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

import grpc

from headrace.calls import Observer
from headrace.errors import UsageError
from headrace.hosting import HostedProgram
from headrace.runs.causes import told
from headrace.runs.registry import Registry
from headrace.runs.stores.base import RunStore
from headrace.server.auth import AuthInterceptor, Principals
from headrace.server.config import Config
from headrace.server.core import Core
from headrace.server.health import HEALTH, Health
from headrace.server.listen import channel_options, join_address, split_address
from headrace.server.logs import own_redactor
from headrace.server.reflection import enable_reflection
from headrace.server.tls import server_credentials
from headrace.server.v1.rpc import RpcBoundary
from headrace.server.v1.servicer import SERVICE, Servicer

logger = logging.getLogger("headrace.server")

UNWIND = 0.3
"""Seconds that programs stopped by a drain get to end, and then readers to be told."""


class Server:
    """Serves programs. `bind` and `start` it, then `drain` or `stop` it, on one event loop."""

    def __init__(
        self,
        programs: Iterable[HostedProgram],
        config: Config | None = None,
        *,
        store: RunStore | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.config = config or Config()
        self.directory = Principals(self.config)
        redact = own_redactor(self.config.tokens.get_secret_value())
        self.registry = Registry(
            self.config.limits,
            store,
            keeps_content=self.directory.anyone_sees_content,
            tell_cause=lambda failure: redact(told(failure)) if self.config.dev else "",
            observers=observers,
        )
        auth = AuthInterceptor(self.directory, open_services=[HEALTH])
        self._boundary = RpcBoundary(auth.identify)
        self._host, self._port = split_address(self.config.listen)
        self._server = grpc.aio.server(
            options=channel_options(self.config.limits, self.config.connections),
            interceptors=[auth],
        )
        core = Core(programs, self.registry, max_stream_age=self.config.connections.max_age)
        self._server.add_generic_rpc_handlers((Servicer(core).methods(self._boundary),))
        self._health = Health(self._server, [SERVICE])

        if self.config.reflects:
            enable_reflection(self._server, [SERVICE, HEALTH])

    @property
    def address(self) -> str:
        """The address it listens at; with the real port once it is bound."""
        return join_address(self._host, self._port)

    def bind(self) -> str:
        """Takes the port, before anything slow is done; gives the address.

        Raises UsageError where that is not possible.
        """
        tls = self.config.tls

        try:
            if tls.certificate is None:
                self._port = self._server.add_insecure_port(self.address)
            else:
                credentials = server_credentials(tls)
                self._port = self._server.add_secure_port(self.address, credentials)
        except RuntimeError:
            raise UsageError(f"cannot listen on {self.address}: is the port in use?") from None

        return self.address

    async def start(self) -> None:
        """Serves."""
        self.registry.open()
        await self._server.start()
        await self._health.serve()

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
                await self._boundary.emptied()
        except TimeoutError:
            logger.warning("some readers did not take the end of their streams")

        await self._server.stop(grace=None)
        await self.registry.close()
