"""Odd values of one run, from a provider or from an LM of one's own, spoil no answer and no list."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from headrace.events import LmCall, Usage
from headrace.hosting import Program
from headrace.lm import LM, BaseLM, Choice, Completion, Receive, Request
from headrace.predict import Predict
from headrace_mock import MockLM, Reply
from headrace_proto.v1 import headrace_pb2 as pb
from server.scripted import soon
from server.serving import asking, heard, served

ANSWER = "[[ ## answer ## ]]\nfine\n\n[[ ## completed ## ]]"
CHUNKS: list[dict[str, Any]] = [
    {"model": "\ud800" * 300, "choices": [{"index": 0, "delta": {"content": ANSWER}}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": ["\ud800", "\0"] * 1000}]},
]
USAGES: dict[str, Any] = {
    "true": {"prompt_tokens": True, "completion_tokens": True},
    "halves": {"prompt_tokens": 5.5, "completion_tokens": 2.5},
    "beyond int32": {"prompt_tokens": 2**31, "completion_tokens": 10**30},
    "a price that is NaN": {"prompt_tokens": 5, "cost": math.nan},
    "a list": [5, 2],
}


class OddLM(BaseLM):
    """Counts, prices and names as no provider would."""

    async def generate(self, request: Request, receive: Receive) -> Completion:
        usage = Usage(True, -5, 2.5, None, "many", 2**40, 1, math.inf, {"a\0\ud800": Usage(True)})  # type: ignore[arg-type]
        call = LmCall("m\ud800", None, 7, True)  # type: ignore[arg-type]

        return Completion([Choice(ANSWER)], usage, lm=call)


async def check_readable(lm: BaseLM) -> pb.Usage:
    """Runs a program; gives its usage, which every method tells alike."""
    predict = Predict("question -> answer")
    predict.lm = lm

    async with served(Program(predict, name="scripted")) as service:
        stub = service.stub
        run = await soon(heard(stub.Run(asking(run_id="r1", linger={"seconds": 30}))))
        predicted = await soon(stub.Predict(pb.PredictRequest(**_asked("r1"))))
        one = (await soon(stub.GetRun(pb.GetRunRequest(run_id="r1")))).run
        [listed] = (await soon(stub.ListRuns(pb.ListRunsRequest()))).runs

    assert run.events[-1].prediction.outputs["answer"] == "fine"
    assert [predicted.prediction.usage, one.usage, listed.usage] == [
        run.events[-1].prediction.usage
    ] * 3

    return listed.usage


def _asked(run_id: str) -> dict[str, Any]:
    request = asking()

    return {"program": request.program, "inputs": request.inputs, "run_id": run_id}


@pytest.mark.parametrize("odd", USAGES)
async def test_a_providers_odd_usage_leaves_the_run_readable(odd: str) -> None:
    last: dict[str, Any] = {"choices": [], "usage": USAGES[odd]}

    async def play(reply: Reply) -> None:
        await reply.open()

        for event in [*CHUNKS, last]:
            await reply.send(b"data: " + json.dumps(event).encode() + b"\n\n")

        await reply.end()

    async with MockLM({"odd": play}) as mock:
        usage = await check_readable(LM("openai/odd", api_base=mock.base_url, api_key="k"))

    assert (usage.output_token_count, usage.lm_call_count) == (0, 1)
    assert not usage.HasField("cost_usd")


async def test_the_odd_usage_of_an_lm_of_ones_own_leaves_the_run_readable() -> None:
    assert await check_readable(OddLM("odd")) == pb.Usage(
        lm_call_count=2**31 - 1, cache_hit_count=1, models=[pb.ModelUsage(model="a \ufffd")]
    )
