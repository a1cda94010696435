"""Revisions on the wire: told of programs, runs and predictions; and those that callers pin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from grpc import StatusCode
from headrace.errors import RevisionMismatch, RunIdReused
from headrace.hosting.port import Revised, StartRequest, check_revision
from headrace.runs.registry import Registry
from headrace_proto.v1 import headrace_pb2 as pb
from server.scripted import Gate, Scripted, echo, soon, started
from server.serving import Served, asking, heard, program, refusal, served


@pytest.fixture
async def service() -> AsyncGenerator[Served, None]:
    async with served(program()) as service:
        yield service


def revisions(message: pb.Program | pb.Run | pb.Prediction) -> tuple[str, str]:
    return message.revision, message.interface_revision


async def test_programs_runs_and_predictions_carry_both(service: Served) -> None:
    hosted = program()
    run = await soon(heard(service.stub.Run(asking(run_id="r1"))))
    described = (await service.stub.GetProgram(pb.GetProgramRequest(name="scripted"))).program
    record = (await service.stub.GetRun(pb.GetRunRequest(run_id="r1"))).run
    predicted = await service.stub.Predict(predicting())
    listed = (await service.stub.ListRuns(pb.ListRunsRequest())).runs

    predictions: list[pb.Prediction] = [
        record.prediction,
        run.events[-1].prediction,
        predicted.prediction,
    ]
    told: list[pb.Program | pb.Run | pb.Prediction] = [described, record, *predictions, *listed]
    assert {revisions(one) for one in told} == {(hosted.revision, hosted.interface_revision)}


def predicting(**asked: Any) -> pb.PredictRequest:
    return pb.PredictRequest(program="scripted", inputs_json='{"question": "why?"}', **asked)


async def test_a_caller_who_pins_what_is_there_is_served(service: Served) -> None:
    hosted = program()
    pins = {"revision": hosted.revision, "interface_revision": hosted.interface_revision}
    ran = await soon(heard(service.stub.Run(asking(**pins))))
    predicted = await service.stub.Predict(predicting(interface_revision=hosted.interface_revision))

    assert ran.code is StatusCode.OK
    assert predicted.prediction.outputs["result"] == "why?"


@pytest.mark.parametrize("kind", ["revision", "interface_revision"])
async def test_a_caller_who_pins_another_one_is_told_which(service: Served, kind: str) -> None:
    there = getattr(program(), kind)
    ran = await soon(heard(service.stub.Run(asking(**{kind: "0123456789ab"}))))
    predicted = await soon(refusal(service.stub.Predict(predicting(**{kind: "0123456789ab"}))))

    for refused in (ran, predicted):
        assert refused.code is StatusCode.FAILED_PRECONDITION
        assert refused.trailers["headrace-error-reason"] == "REVISION_MISMATCH"
        assert f"is at {kind} {there}, not 0123456789ab" in refused.details

    assert service.server.registry.live_count == 0


def start(revision: str = "", interface: str = "", at: str = "1") -> StartRequest:
    return StartRequest(
        Scripted(echo, revision=at),
        {"question": "why?"},
        run_id="r1",
        revision=revision,
        interface_revision=interface,
    )


@pytest.mark.parametrize(
    ("wanted", "metadata"),
    [
        (start("2"), {"revision": "1"}),
        (start("1", "i2"), {"interface_revision": "i1"}),
        (start("2", "i2"), {"revision": "1"}),
    ],
)
def test_a_mismatch_names_the_revision_that_is_there(
    wanted: Revised, metadata: dict[str, str]
) -> None:
    with pytest.raises(RevisionMismatch) as mismatch:
        check_revision(Scripted(echo), wanted)

    assert mismatch.value.metadata == metadata


async def test_who_joins_a_run_holds_the_run_to_what_it_pins_and_not_the_program() -> None:
    gate = Gate()

    async with Registry() as registry:
        own = Scripted(gate.play)
        run = await started(registry, StartRequest(own, {"question": "why?"}, run_id="r1"))

        assert await registry.start(start("1", "i1", at="2")) is run

        with pytest.raises(RunIdReused, match="'r1' has interface_revision i1 of the program"):
            await registry.start(start(interface="i2", at="2"))

        gate.opened.set()
        await asyncio.wait_for(run.ended(), 20)
