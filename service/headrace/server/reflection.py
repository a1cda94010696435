"""What reflection tells of our contract: the generated stubs' descriptors lack its comments and JSON names.

Both are in the descriptor set that is generated beside the stubs. With it `grpcurl describe` shows the
manual, and JSON has `runId` where it would have `run_id`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, cast

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import Default
from headrace_proto.v1 import headrace_pb2 as pb


class File:
    """A file of the contract, as far as reflection asks about it."""

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
        self._ours = File(pb.DESCRIPTOR, manual)

    def FindFileByName(self, name: str) -> File | FileDescriptor:
        """The file of that name. Raises KeyError."""
        return self._full(self._pool.FindFileByName(name))

    def FindFileContainingSymbol(self, symbol: str) -> File | FileDescriptor:
        """The file that defines a service, message or enum. Raises KeyError."""
        return self._full(self._pool.FindFileContainingSymbol(symbol))

    def __getattr__(self, name: str) -> Any:
        """What else reflection asks, about extensions, is the default pool's to answer."""
        return getattr(self._pool, name)

    def _full(self, found: FileDescriptor) -> File | FileDescriptor:
        return self._ours if found.name == self._ours.name else found
