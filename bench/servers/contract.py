"""A hand-written grpc.aio servicer of headrace's contract: the frame of all peers over gRPC."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from headrace_proto.v1 import headrace_pb2 as pb

from bench.serving import announce, loop_factory

Stream = Callable[[pb.RunRequest, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[None]]


async def serve(stream: Stream, *, raw: bool = False) -> None:
    """Serves `Run` with a coroutine function. raw: what it writes is serialised already."""
    server = grpc.aio.server()
    serialize = None if raw else pb.StreamEvent.SerializeToString
    method = grpc.unary_stream_rpc_method_handler(stream, pb.RunRequest.FromString, serialize)
    handlers = grpc.method_handlers_generic_handler("headrace.v1.HeadraceService", {"Run": method})
    server.add_generic_rpc_handlers((handlers,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    announce(f"127.0.0.1:{port}")
    await server.wait_for_termination()


def main(stream: Stream, *, raw: bool = False) -> None:
    """Serves on the loop that the first argument names."""
    with asyncio.Runner(loop_factory=loop_factory(sys.argv[1])) as runner:
        runner.run(serve(stream, raw=raw))
