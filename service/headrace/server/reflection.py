"""Reflection, so that tools need no files of ours: v1, which they ask for first, and v1alpha beside it.

Both say the same in the same messages, which only the names of their packages tell apart. The package
of grpc ships v1alpha alone and no types; this room gives it some, and v1 its name.

The contract is told from the descriptor set that is generated beside the stubs, because the stubs' own
descriptors lack comments and JSON names: with it `grpcurl describe` shows the manual, and JSON has
`runId` where it would have `run_id`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, cast

import grpc
from google.protobuf import text_format
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import Default
from grpc_reflection.v1alpha import reflection, reflection_pb2  # type: ignore[import-untyped]
from headrace_proto.v1 import headrace_pb2 as pb

V1ALPHA, V1 = "grpc.reflection.v1alpha.", "grpc.reflection.v1."
SERVICE = "ServerReflection"
V1_FILE = "grpc/reflection/v1/reflection.proto"


def enable_reflection(server: grpc.aio.Server, services: Sequence[str]) -> None:
    """Lets clients ask what the services look like, those of reflection included."""
    own = (V1 + SERVICE, V1ALPHA + SERVICE)
    messages = cast("Any", reflection_pb2)
    servicer = cast("Any", reflection).aio.ReflectionServicer((*services, *own), pool=ServedPool())
    handler: Any = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        messages.ServerReflectionRequest.FromString,
        messages.ServerReflectionResponse.SerializeToString,
    )
    methods = {"ServerReflectionInfo": handler}
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(name, methods) for name in own]
    )


class ServedFile:
    """A file that is told otherwise than the pool of this process has it, as far as reflection asks."""

    def __init__(
        self, proto: FileDescriptorProto, dependencies: Sequence[FileDescriptor] = ()
    ) -> None:
        self.name = proto.name
        self.dependencies = dependencies
        self._proto = proto

    def CopyToProto(self, proto: FileDescriptorProto) -> None:
        """Fills in the whole file, comments included."""
        proto.CopyFrom(self._proto)


class ServedPool:
    """The default descriptor pool, with our own file in full, and with reflection v1."""

    def __init__(self) -> None:
        self._pool = cast("Any", Default)()
        self._ours = ServedFile(_manual(), pb.DESCRIPTOR.dependencies)
        self._v1 = ServedFile(_reflection_v1())

    def FindFileByName(self, name: str) -> ServedFile | FileDescriptor:
        """The file of that name. Raises KeyError."""
        return self._v1 if name == V1_FILE else self._full(self._pool.FindFileByName(name))

    def FindFileContainingSymbol(self, symbol: str) -> ServedFile | FileDescriptor:
        """The file that defines a service, message or enum. Raises KeyError."""
        if symbol.startswith(V1):
            self._pool.FindFileContainingSymbol(V1ALPHA + symbol.removeprefix(V1))
            return self._v1

        return self._full(self._pool.FindFileContainingSymbol(symbol))

    def __getattr__(self, name: str) -> Any:
        """The default pool answers all else, which is about extensions."""
        return getattr(self._pool, name)

    def _full(self, found: FileDescriptor) -> ServedFile | FileDescriptor:
        return self._ours if found.name == self._ours.name else found


def _manual() -> FileDescriptorProto:
    """The contract's file with its comments."""
    described = files("headrace_proto.v1").joinpath("headrace.binpb").read_bytes()
    every = FileDescriptorSet.FromString(described).file

    return next(one for one in every if one.name == pb.DESCRIPTOR.name)


def _reflection_v1() -> FileDescriptorProto:
    """The file of reflection v1: that of v1alpha under its own names."""
    proto = FileDescriptorProto()
    cast("Any", reflection_pb2).DESCRIPTOR.CopyToProto(proto)
    text = text_format.MessageToString(proto).replace(V1ALPHA, V1)
    renamed = text_format.Parse(text, FileDescriptorProto())
    renamed.name, renamed.package = V1_FILE, V1.removesuffix(".")

    return renamed
