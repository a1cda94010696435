"""What a run has spent goes along with the status that it ends with, in whatever way that is read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode
from headrace.errors import FieldViolation, InputInvalid, LMServerError, RunCancelled
from headrace.events import LmCall, Usage
from headrace.hosting import Program
from headrace.lm import BaseLM, Choice, Completion, Receive, Request
from headrace.module import Module
from headrace.predict import Predict
from headrace.runs.limits import Limits
from headrace.server.v1.events import usage_message
from headrace.server.v1.spent import MAX_BINARY, MAX_USAGE, with_usage
from headrace.server.v1.status import RpcStatus, status_of
from headrace_proto.v1 import headrace_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st
from server.scripted import soon
from server.serving import Heard, Served, asking, heard, refusal, served

pytestmark = pytest.mark.usefixtures("each_store")

COSTS = Usage(12, 5, lm_calls=1, cost_usd=0.25)


class Costly(BaseLM):
    """An LM that answers at a price."""

    async def generate(self, request: Request, receive: Receive) -> Completion:
        answer = "[[ ## answer ## ]]\nfine\n\n[[ ## completed ## ]]"

        return Completion([Choice(answer)], COSTS, lm=LmCall("costly"))


class Asks(Module):
    """Asks its LM, and then ends as the question says."""

    def __init__(self) -> None:
        self.ask = Predict("question -> answer")
        self.ask.lm = Costly("costly")
        self.asked = asyncio.Event()

    async def aforward(self, question: str) -> str:
        await self.ask.acall(question=question)
        self.asked.set()

        if question == "fail":
            raise ValueError

        if question == "large":
            return "x" * 900

        if question == "wait":
            await asyncio.Event().wait()

        return "done"


def spent(ended: Heard) -> pb.Usage:
    return pb.Usage.FromString(cast("bytes", ended.trailers["headrace-usage-bin"]))


async def recorded(service: Served) -> pb.Usage:
    return (await soon(service.stub.GetRun(pb.GetRunRequest(run_id="r1")))).run.usage


async def test_a_run_that_failed_tells_its_usage_to_every_reader() -> None:
    async with served(Program(Asks(), name="scripted")) as service:
        run = await soon(heard(service.stub.Run(asking("fail", run_id="r1"))))
        again = await soon(heard(service.stub.Attach(pb.AttachRequest(run_id="r1"))))
        request = pb.PredictRequest(program="scripted", run_id="r1")
        request.inputs.update({"question": "fail"})
        predicted = await soon(refusal(service.stub.Predict(request)))
        usage = await recorded(service)

    assert run.trailers["headrace-run-state"] == "FAILED"
    assert (usage.input_token_count, usage.lm_call_count, usage.cost_usd) == (12, 1, 0.25)
    assert [spent(one) for one in (run, again, predicted)] == [usage] * 3


@pytest.mark.parametrize("way", ["CancelRun", "DeleteRun", "timeout"])
async def test_so_does_one_that_was_stopped(way: str) -> None:
    module = Asks()
    asked: Mapping[str, Any] = {"timeout": Duration(seconds=1)} if way == "timeout" else {}

    async with served(Program(module, name="scripted")) as service:
        reading = asyncio.ensure_future(
            heard(service.stub.Run(asking("wait", run_id="r1", **asked)))
        )
        await soon(module.asked.wait())

        if way == "CancelRun":
            await soon(service.stub.CancelRun(pb.CancelRunRequest(run_id="r1")))
        elif way == "DeleteRun":
            await soon(service.stub.DeleteRun(pb.DeleteRunRequest(run_id="r1")))

        run = await soon(reading)

    assert spent(run).output_token_count == 5


async def test_so_does_one_whose_prediction_is_too_large_in_the_form_asked_for() -> None:
    limits = Limits(max_prediction_bytes=1000)
    both = pb.StreamOptions(output_form=pb.OUTPUT_FORM_BOTH)
    request = pb.GetRunRequest(run_id="r1", output_form=pb.OUTPUT_FORM_BOTH)

    async with served(Program(Asks(), name="scripted"), limits=limits) as service:
        run = await soon(heard(service.stub.Run(asking("large", run_id="r1", options=both))))
        got = await soon(refusal(service.stub.GetRun(request)))

    for one in (run, got):
        assert one.trailers["headrace-error-reason"] == "PREDICTION_TOO_LARGE"
        assert one.trailers["headrace-run-state"] == "SUCCEEDED"
        assert spent(one).input_token_count == 12


async def test_a_refused_run_says_that_nothing_was_spent() -> None:
    async with served(Program(Asks(), name="scripted")) as service:
        await soon(service.stub.CancelRun(pb.CancelRunRequest(run_id="r1")))
        run = await soon(heard(service.stub.Run(asking(run_id="r1"))))

    assert spent(run) == pb.Usage()


async def test_a_run_that_succeeded_and_a_call_that_was_refused_have_no_such_trailer() -> None:
    async with served(Program(Asks(), name="scripted")) as service:
        run = await soon(heard(service.stub.Run(asking(run_id="r1"))))
        other = await soon(heard(service.stub.Run(asking("fail", run_id="r1"))))

    assert (run.code, other.code) == (StatusCode.OK, StatusCode.ALREADY_EXISTS)
    assert "headrace-usage-bin" not in run.trailers
    assert "headrace-usage-bin" not in other.trailers


def told_by(status: RpcStatus) -> pb.Usage:
    return pb.Usage.FromString(cast("bytes", dict(status.trailers)["headrace-usage-bin"]))


def test_usage_that_is_too_large_comes_without_its_models() -> None:
    models = {f"provider/{'m' * 60}-{number}": COSTS for number in range(200)}
    usage = Usage(2400, 1000, lm_calls=200, models=models)
    status = with_usage(status_of(RunCancelled("caller"), {}, {}), usage)

    assert told_by(status) == usage_message(replace(usage, models={}))


counts = st.integers(0, 2**40)
usages = st.builds(Usage, counts, counts, counts, counts, counts, counts, counts, st.floats(0, 1e9))


@given(usages, st.dictionaries(st.text(max_size=300), usages, max_size=30), st.integers(0, 4000))
def test_the_counts_have_room_beside_any_details(
    usage: Usage, models: Mapping[str, Usage], length: int
) -> None:
    violations = [FieldViolation(f"inputs.a{number}", "x" * 290) for number in range(length // 290)]
    whole = replace(usage, models=models)

    for error in (InputInvalid(violations), LMServerError("away")):
        status = with_usage(status_of(error, {}, {}, "c" * length), whole)
        sizes = [len(value) for _, value in status.trailers if isinstance(value, bytes)]

        assert sizes[-1] <= MAX_USAGE
        assert sum(sizes) <= MAX_BINARY
        assert told_by(status) in (usage_message(whole), usage_message(usage))
