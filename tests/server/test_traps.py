"""What grpc.aio does to the unwary, each trap met: the client always gets its status, and nothing is
left behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode
from headrace.errors import AdapterParseError, LMRateLimitError, ToolError
from headrace_proto.v1 import headrace_pb2 as pb
from server.scripted import BOUND, Gate, soon, write, write_token
from server.serving import Stub, asking, first, heard, program, served, stub_of

pytestmark = pytest.mark.usefixtures("each_store")

NARROW = [("grpc.http2.bdp_probe", 0), ("grpc.use_local_subchannel_pool", 1)]


async def floods(question: str) -> object:
    """More than any window takes."""
    for _ in range(100):
        write("answer", "x" * 10_000)
        await asyncio.sleep(0)

    return question


@pytest.mark.parametrize("way", ["cancel", "deadline", "close"])
async def test_a_reader_that_leaves_while_a_write_is_blocked_is_gone(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()

    async def floods_and_waits(question: str) -> object:
        await floods(question)

        return await gate.play(question)

    async with served(program(floods_and_waits)) as service:
        channel = grpc.aio.insecure_channel(service.address, options=NARROW)
        call = stub_of(channel).Run(asking(), timeout=3.0 if way == "deadline" else None)
        await first(call, 1)
        await soon(gate.entered.wait())

        if way == "cancel":
            call.cancel()
        elif way == "close":
            await channel.close()

        await soon(gate.stopped.wait())
        await channel.close()
        await soon(service.stub.GetServerInfo(pb.GetServerInfoRequest()))

    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


async def test_a_reader_that_stalls_and_reads_on_gets_everything_and_its_status() -> None:
    """While a write is blocked heartbeats fall due, tokens merge and the run ends: one writer."""
    options = pb.StreamOptions(heartbeat_interval=Duration(nanos=50_000_000))

    waits = program(Gate().play, name="waits")

    async with (
        served(program(floods), waits) as service,
        grpc.aio.insecure_channel(service.address, options=NARROW) as channel,
    ):
        call = stub_of(channel).Run(asking(run_id="r1", options=options))
        await soon(call.initial_metadata())
        await soon(service.stub.Predict(_prediction_of("r1")))
        await _heartbeats(service.stub, options)
        run = await soon(heard(call))

    assert run.code is StatusCode.OK
    assert run.outline[-1] == "prediction"
    assert sum(len(event.token.chunk) for event in run.events) == 1_000_000


async def _heartbeats(stub: Stub, options: pb.StreamOptions) -> None:
    """Waits until another reader with these options has had three: so many fell due for all."""
    request = pb.RunRequest(program="waits", inputs_json='{"question": "why?"}', options=options)
    count = 0

    async for event in stub.Run(request, timeout=BOUND):
        count += event.HasField("heartbeat")

        if count == 3:
            return


def _prediction_of(run_id: str) -> pb.PredictRequest:
    return pb.PredictRequest(program="scripted", run_id=run_id, inputs_json='{"question": "why?"}')


async def raises(error: Exception) -> Any:
    """How a run ends whose program raises."""

    async def play(question: str) -> object:
        raise error

    async with served(program(play)) as service:
        return await soon(heard(service.stub.Run(asking())))


async def test_half_a_surrogate_pair_in_an_error_does_not_hang_the_client() -> None:
    failed = await raises(ToolError("found \ud800 nothing\n\x1b[31m"))

    assert failed.code is StatusCode.INTERNAL
    assert failed.details == "found \ufffd nothing [31m"


async def test_half_a_surrogate_pair_in_a_text_is_replaced() -> None:
    async def play(question: str) -> object:
        write("answer", "a\ud83d", "b")

        return {"answer": "a\ud83d"}

    async with served(program(play)) as service:
        run = await soon(heard(service.stub.Run(asking())))

    assert run.text == "a\ufffdb"
    assert run.events[-1].prediction.outputs["answer"] == "a\ufffd"


async def test_an_error_of_any_size_arrives_cut_to_what_trailers_can_hold() -> None:
    metadata = {f"key{number}": "v" * 10_000 for number in range(50)}
    failed = await raises(ToolError("no " * 100_000, metadata=metadata))
    trailers = failed.trailers

    assert failed.code is StatusCode.INTERNAL
    assert failed.details == "no " * 166 + "n…"
    assert trailers["headrace-error-reason"] == "TOOL_ERROR"
    assert len(trailers["grpc-status-details-bin"]) <= 3_800


async def test_the_first_real_error_of_a_group_is_the_one_told() -> None:
    limit = LMRateLimitError("too many requests", retry_after=3, model="openai/x")
    failed = await raises(ExceptionGroup("unhandled", [ExceptionGroup("inner", [limit])]))

    assert failed.code is StatusCode.RESOURCE_EXHAUSTED
    assert failed.trailers["headrace-retry-delay-ms"] == "3000"


async def test_what_a_model_said_stays_inside() -> None:
    failed = await raises(AdapterParseError("ChatAdapter", "no answer", lm_response="sk-secret"))

    assert failed.details == "no answer"
    assert "secret" not in str(failed)


async def test_a_program_that_swallows_its_cancellation_ends_cancelled() -> None:
    entered = asyncio.Event()

    async def stubborn(question: str) -> object:
        entered.set()

        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

        return "never mind"

    async with served(program(stubborn)) as service:
        reading = asyncio.ensure_future(heard(service.stub.Run(asking(run_id="r1"))))
        await soon(entered.wait())
        await soon(service.stub.CancelRun(pb.CancelRunRequest(run_id="r1")))
        ended = await soon(reading)

    assert ended.code is StatusCode.CANCELLED
    assert "prediction" not in ended.outline


async def test_a_long_run_does_not_gather_a_task_or_a_timer_per_token() -> None:
    gate = Gate()
    counts: list[int] = []

    async def counts_tasks(question: str) -> object:
        for place in range(500):
            write_token("x", place)
            await asyncio.sleep(0)
            counts.append(len(asyncio.all_tasks()))

        return await gate.play(question)

    async with served(program(counts_tasks)) as service:
        reading = asyncio.ensure_future(heard(service.stub.Run(asking())))
        await soon(gate.entered.wait())
        gate.opened.set()
        await soon(reading)

    assert max(counts) - min(counts) <= 2


async def test_a_failure_told_to_many_readers_gathers_no_frames() -> None:
    async def fails(question: str) -> object:
        raise ToolError("nothing found")

    async with served(program(fails)) as service:
        for _ in range(20):
            await soon(heard(service.stub.Run(asking(run_id="r1"))))

        failure = (await service.server.registry.find("", "r1")).failure

    assert failure is not None
    assert failure.__traceback__ is None


async def test_calls_that_come_all_at_once_are_each_answered() -> None:
    async with served() as service:
        calls = [service.stub.GetServerInfo(pb.GetServerInfoRequest()) for _ in range(4000)]
        codes = [await soon(call.code()) for call in calls]

    assert set(codes) == {StatusCode.OK}
