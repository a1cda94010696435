"""A server whose runs are suspended: it says of each that it is not over, and that resuming would not help."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import grpc
from headrace_proto.v1 import headrace_pb2 as pb
from headrace_proto.v1.headrace_pb2_grpc import (
    HeadraceServiceServicer,
    add_HeadraceServiceServicer_to_server,
)


class Suspending(HeadraceServiceServicer):
    """Sends the start of a run, and then that it is suspended."""

    def __init__(self) -> None:
        self.asked = 0
        """How often a run was asked for."""

    async def Run(
        self,
        request: pb.RunRequest,
        context: grpc.aio.ServicerContext[pb.RunRequest, pb.StreamEvent],
    ) -> AsyncGenerator[pb.StreamEvent, None]:
        self.asked += 1
        status = pb.StatusUpdate(
            kind=pb.StatusUpdate.KIND_RUN, phase=pb.StatusUpdate.PHASE_START, call_id=1
        )
        yield pb.StreamEvent(run_id=request.run_id, sequence=1, event_count=1, status=status)

        context.set_trailing_metadata((("headrace-run-state", "PARKED"),))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the run is parked")


@asynccontextmanager
async def suspending() -> AsyncGenerator[tuple[str, Suspending], None]:
    """The address of such a server, and the server."""
    servicer = Suspending()
    server = grpc.aio.server()
    add_HeadraceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()

    try:
        yield f"127.0.0.1:{port}", servicer
    finally:
        await server.stop(None)
