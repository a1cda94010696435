"""The standard services beside ours: health, and reflection, so that tools need no files.

Reflection answers from the descriptor set that is generated beside the stubs, because the stubs' own
descriptors lack comments and JSON names: with it `grpcurl describe` shows the manual, and JSON has
`runId` where it would have `run_id`. The packages of both services ship no types; this room gives
them some.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, cast

import grpc
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import Default
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped]
from headrace_proto.v1 import headrace_pb2 as pb

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


def enable_reflection(server: grpc.aio.Server, services: Sequence[str]) -> None:
    """Lets clients ask what the services look like."""
    names = (*services, HEALTH, str(reflection.SERVICE_NAME))
    cast("Any", reflection).enable_server_reflection(names, server, ContractPool())


class ContractFile:
    """The contract's file, as far as reflection asks about it."""

    def __init__(self, descriptor: FileDescriptor, manual: FileDescriptorProto) -> None:
        self.name = descriptor.name
        self.dependencies: Sequence[FileDescriptor] = descriptor.dependencies
        self._manual = manual

    def CopyToProto(self, proto: FileDescriptorProto) -> None:
        """Fills in the whole file, comments included."""
        proto.CopyFrom(self._manual)


class ContractPool:
    """The default descriptor pool, with our own file in full."""

    def __init__(self) -> None:
        described = files("headrace_proto.v1").joinpath("headrace.binpb").read_bytes()
        self._pool = cast("Any", Default)()
        ours = pb.DESCRIPTOR.name
        manual = next(
            one for one in FileDescriptorSet.FromString(described).file if one.name == ours
        )
        self._ours = ContractFile(pb.DESCRIPTOR, manual)

    def FindFileByName(self, name: str) -> ContractFile | FileDescriptor:
        """The file of that name. Raises KeyError."""
        return self._full(self._pool.FindFileByName(name))

    def FindFileContainingSymbol(self, symbol: str) -> ContractFile | FileDescriptor:
        """The file that defines a service, message or enum. Raises KeyError."""
        return self._full(self._pool.FindFileContainingSymbol(symbol))

    def __getattr__(self, name: str) -> Any:
        """The default pool answers all else, which is about extensions."""
        return getattr(self._pool, name)

    def _full(self, found: FileDescriptor) -> ContractFile | FileDescriptor:
        return self._ours if found.name == self._ours.name else found
