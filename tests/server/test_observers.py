"""An observer that is given to a server hears of every call, and of what the caller sent along."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from headrace.calls import Call, CallEnd
from headrace.errors import HeadraceError
from headrace.events import Kind
from headrace.server.app import Server
from headrace.server.config import Config
from headrace.server.wire.requests import caller_context
from headrace_proto.v1 import headrace_pb2 as pb
from server.serving import asking, heard, program, stub_of

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Origins:
    """Notes what came with each run, at the end of every call of it."""

    def __init__(self) -> None:
        self.seen: list[tuple[Kind, dict[str, str]]] = []

    def begin(self, call: Call) -> None:
        """Nothing is noted yet."""

    def update(self, call: Call, failure: HeadraceError | None) -> None:
        """Nothing is noted yet."""

    def end(self, call: Call, end: CallEnd) -> None:
        self.seen.append((call.kind, dict(call.root.caller_context)))


@pytest.mark.parametrize("method", ["Run", "Predict"])
async def test_trace_context_of_a_caller_reaches_the_calls_of_its_run(method: str) -> None:
    origins = Origins()
    server = Server([program()], Config(listen="127.0.0.1:0"), observers=[origins])
    address = server.bind()
    await server.start()
    metadata = (("traceparent", TRACEPARENT), ("baggage", "a=1"), ("cookie", "c"))

    try:
        async with grpc.aio.insecure_channel(address) as channel:
            stub: Any = stub_of(channel)

            if method == "Run":
                await heard(stub.Run(asking(), metadata=metadata))
            else:
                request = pb.PredictRequest(program="scripted", inputs_json='{"question": "why?"}')
                await stub.Predict(request, metadata=metadata)
    finally:
        await server.stop()

    sent = {"traceparent": TRACEPARENT, "baggage": "a=1"}
    assert origins.seen == [(Kind.MODULE, sent), (Kind.MODULE, sent), (Kind.RUN, sent)]


def test_of_the_metadata_only_trace_context_of_a_fair_size_is_taken() -> None:
    assert caller_context(
        [
            ("traceparent", TRACEPARENT),
            ("tracestate", "a=1"),
            ("tracestate", "b=2"),
            ("baggage", "x" * 8193),
            ("authorization", "Bearer secret"),
            ("traceparent-bin", b"\x00"),
        ]
    ) == {"traceparent": TRACEPARENT, "tracestate": "a=1,b=2"}
