"""The client loop of the contract over a bare stub: reads a run to its end and prints what it was sent.

Run with the stub of the cut copy in front of the whole one, as `client.py ADDRESS PROGRAM RUN_ID`.
"""

from __future__ import annotations

import json
import sys
import time
from typing import cast

import grpc
from google.protobuf.duration_pb2 import Duration
from headrace_proto.v1 import headrace_pb2 as pb
from headrace_proto.v1.headrace_pb2_grpc import HeadraceServiceStub

ROAD = {"UNAVAILABLE", "UNKNOWN", "INTERNAL", "CANCELLED"}


def read(stub: HeadraceServiceStub, request: pb.RunRequest) -> None:
    failures = 0

    while True:
        try:
            say(stream_after=request.after_sequence)

            for event in stub.Run(request):
                say(event.WhichOneof("event"), event.sequence, event.event_count, event.token.chunk)
                request.after_sequence, failures = event.sequence or request.after_sequence, 0

            return say("OK")
        except grpc.RpcError as error:
            status = cast("grpc.Call", error)
            over = "headrace-run-state" in dict(status.trailing_metadata() or ())

            if over or status.code().name not in ROAD or failures == 5:
                return say(status.code().name)

            failures += 1
            time.sleep(0.05)


def say(*told: object, **more: object) -> None:
    print(json.dumps(more or told), flush=True)  # noqa: T201 - it is what this is for


address, program, run_id = sys.argv[1:]
say(arms=[field.name for field in pb.StreamEvent.DESCRIPTOR.oneofs_by_name["event"].fields])

with grpc.insecure_channel(address) as channel:
    asked = pb.RunRequest(program=program, run_id=run_id, linger=Duration(seconds=30))
    read(HeadraceServiceStub(channel), asked)
