"""Answers on the wire: fields that a token limit cut, and answers that were asked for again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from grpc import StatusCode
from headrace import ChainOfThought, Module, Prediction, Program
from headrace.lm.base import Completion, Receive, Request
from headrace_proto.v1 import headrace_pb2 as pb
from runtime.test_answers import Answer, Limited, cut
from server.scripted import soon
from server.serving import Served, asking, heard, served

HALF = '{"reasoning": "It is.", "answer": "Par'


class Thinker(Module):
    def __init__(self) -> None:
        super().__init__()
        self.think = ChainOfThought("question -> answer")

    async def aforward(self, question: str) -> Prediction:
        return await self.think.acall(question=question)


@asynccontextmanager
async def answering(*answers: Answer) -> AsyncGenerator[Served, None]:
    async with served(Program(Thinker(), name="scripted", lm=Limited(*answers))) as service:
        yield service


async def record_of(service: Served) -> pb.Run:
    return (await service.stub.GetRun(pb.GetRunRequest(run_id="r1"))).run


async def test_a_prediction_tells_of_its_answers_in_the_names_that_clients_know() -> None:
    async with answering("No idea.", cut(HALF)) as service:
        run = await soon(heard(service.stub.Run(asking(run_id="r1"))))
        record = await record_of(service)
        (listed,) = (await service.stub.ListRuns(pb.ListRunsRequest())).runs

    for prediction in (run.events[-1].prediction, record.prediction):
        assert list(prediction.cut_fields) == ["think.answer"]
        assert prediction.reask_count == 1

    assert (record.reask_count, listed.reask_count) == (1, 1)


async def test_a_run_that_failed_tells_how_often_it_asked_again() -> None:
    async with answering("No idea.", "None at all.") as service:
        run = await soon(heard(service.stub.Run(asking(run_id="r1"))))
        record = await record_of(service)

    assert run.code is StatusCode.INTERNAL
    assert record.reask_count == 1


class Hesitating(Limited):
    """Waits before its second answer."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__(*answers)
        self.asked_again = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def generate(self, request: Request, receive: Receive) -> Completion:
        if len(self.answers) == 1:
            self.asked_again.set()
            await self.may_answer.wait()

        return await super().generate(request, receive)


async def test_a_run_that_goes_on_tells_how_often_it_asked_again() -> None:
    lm = Hesitating("No idea.", '{"reasoning": "It is.", "answer": "Paris"}')

    async with served(Program(Thinker(), name="scripted", lm=lm)) as service:
        reading = asyncio.create_task(heard(service.stub.Run(asking(run_id="r1"))))
        await soon(lm.asked_again.wait())
        live = await record_of(service)
        lm.may_answer.set()
        run = await soon(reading)

    assert (live.state, live.reask_count) == (pb.Run.STATE_RUNNING, 1)
    assert run.events[-1].prediction.reask_count == 1
