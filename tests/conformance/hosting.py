"""The kit's program on a server of this process, and requests for it."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from google.protobuf.duration_pb2 import Duration
from headrace.server.app import Server
from headrace.server.config import Config
from headrace_proto.v1 import headrace_pb2 as pb
from server.stores import new_store

from conformance.programs import script

LINGER = Duration(seconds=30)


@asynccontextmanager
async def hosted(**config: Any) -> AsyncGenerator[Server, None]:
    """Serves the kit's program inside an `async with` block."""
    configured = Config(listen="127.0.0.1:0", **config)
    server = Server([script], configured, store=new_store(configured.limits))
    server.bind()
    await server.start()

    try:
        yield server
    finally:
        await server.stop()


ACCEPTED: tuple[Sequence[pb.EventKind.ValueType], ...] = (
    (pb.EVENT_KIND_CUSTOM, pb.EVENT_KIND_INPUT, pb.EVENT_KIND_BATCH),
    (),
    (pb.EVENT_KIND_INPUT, pb.EVENT_KIND_BATCH),
    (pb.EVENT_KIND_CUSTOM,),
)
"""What readers accept, in turn. The first answers what the run asks."""


def asking(run_id: str = "", *, turn: int = 1, **inputs: Any) -> pb.RunRequest:
    """A request for a run of the kit's program that survives its readers.

    turn: of a reader among several, each of which wants something else.
    """
    whole = turn % len(ACCEPTED) == 2
    detail = pb.TOKEN_DETAIL_WHOLE if whole else pb.TOKEN_DETAIL_ALL

    return pb.RunRequest(
        program="script",
        run_id=run_id or uuid.uuid4().hex,
        inputs_json=json.dumps(inputs),
        linger=LINGER,
        options=pb.StreamOptions(
            fields=["*"],
            token_detail=detail,
            output_form=pb.OUTPUT_FORM_JSON,
            accept=ACCEPTED[turn % len(ACCEPTED)],
        ),
    )
