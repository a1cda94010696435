"""`headrace serve` on either event loop."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from headrace.hosting import Program
from headrace.module import Module
from headrace_proto.v1 import headrace_pb2 as pb
from server.process import serving
from server.scripted import soon
from server.serving import heard, stub_of


class Where(Module):
    """Says whose event loop it runs on."""

    async def aforward(self, question: str) -> str:
        return type(asyncio.get_running_loop()).__module__.partition(".")[0]


where = Program(Where(), name="where")


@pytest.mark.parametrize(
    ("asked", "found"), [("asyncio", "asyncio"), ("uvloop", "uvloop"), ("auto", "uvloop")]
)
async def test_it_runs_on_the_loop_that_is_asked_for(asked: str, found: str) -> None:
    pytest.importorskip("uvloop")

    serve = serving("server.test_event_loop:where", "--set", f"event_loop={asked}")

    async with (
        serve as process,
        grpc.aio.insecure_channel(await soon(process.address())) as channel,
    ):
        request = pb.RunRequest(program="where", inputs_json='{"question": "which?"}')
        events = (await soon(heard(stub_of(channel).Run(request)))).events

    assert events[-1].prediction.outputs["result"].startswith(found)  # type: ignore[union-attr]  # a string
