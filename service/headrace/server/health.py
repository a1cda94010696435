"""The standard service of health beside ours. Its package ships no types; this room gives it some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

HEALTH: str = health.SERVICE_NAME

_SERVING: int = health_pb2.HealthCheckResponse.SERVING


class Health:
    """grpc.health.v1 for the server as a whole and for its services."""

    def __init__(self, server: grpc.aio.Server, services: Sequence[str]) -> None:
        self._services = ("", *services)
        self._servicer = cast("Any", health).aio.HealthServicer()
        cast("Any", health_pb2_grpc).add_HealthServicer_to_server(self._servicer, server)

    async def serve(self) -> None:
        """SERVING, from now on."""
        for service in self._services:
            await self._servicer.set(service, _SERVING)

    async def leave(self) -> None:
        """NOT_SERVING, for good."""
        await self._servicer.enter_graceful_shutdown()
