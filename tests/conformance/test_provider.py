"""The provider is asked as often as the statuses tell, and its connection ends with the run."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from headrace.chain_of_thought import ChainOfThought
from headrace.hosting import Program
from headrace.lm import LM
from headrace.module import Module
from headrace.server.app import Server
from headrace.server.config import Config
from headrace.values import Prediction
from headrace_mock import MockLM
from headrace_proto.v1 import headrace_pb2 as pb
from server.scripted import soon
from server.stores import new_store

from conformance.hosting import LINGER
from conformance.invariants import validate
from conformance.journal import Journal
from conformance.reader import connected, read
from conformance.scenarios import cut_after

pytestmark = pytest.mark.usefixtures("each_store")


class Pair(Module):
    """Two branches side by side. Both end before it fails: else one would cut the other's attempt off,
    told of but not yet sent."""

    def __init__(self) -> None:
        self.ideas = ChainOfThought("question -> brainstorm")
        self.evidence = ChainOfThought("question -> evidence")

    async def aforward(self, question: str) -> Prediction:
        branches = [
            asyncio.ensure_future(branch.acall(question=question))
            for branch in (self.ideas, self.evidence)
        ]
        await asyncio.gather(*branches, return_exceptions=True)
        ideas, evidence = (branch.result() for branch in branches)

        return Prediction(brainstorm=ideas.brainstorm, evidence=evidence.evidence)


def asking(run_id: str) -> pb.RunRequest:
    return pb.RunRequest(
        program="pair",
        run_id=run_id,
        inputs_json='{"question": "why?"}',
        linger=LINGER,
        options=pb.StreamOptions(fields=["*"], output_form=pb.OUTPUT_FORM_JSON),
    )


@pytest.fixture(autouse=True, scope="module")
def _litellm_is_imported() -> None:
    from headrace.lm import preload

    preload().join()


def serving_pair(lm: LM) -> Server:
    config = Config(listen="127.0.0.1:0")

    return Server([Program(Pair(), name="pair", lm=lm)], config, store=new_store(config.limits))


async def journals_of(mock: MockLM, model: str) -> list[Journal]:
    """A run read whole and in pieces, with the number of requests it led to."""
    lm = LM(
        f"openai/{model}",
        api_base=mock.base_url,
        api_key="canary-sk-1",
        retry_delay=0.01,
        cache=False,
    )
    server = serving_pair(lm)
    server.bind()
    await server.start()

    try:
        async with connected(server.address) as one, connected(server.address) as other:
            whole = read(one, asking("r1"), reader="whole")
            cut = read(other, asking("r1"), reader="cut", cut=cut_after(3))
            journals = list(await asyncio.gather(whole, cut))
    finally:
        await server.stop()

    for journal in journals:
        journal.provider_requests = len(mock.requests)

    return journals


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("model", "state"),
    [
        ("canned", "SUCCEEDED"),
        ("fault-status-503-twice-retry-after-0.01", "SUCCEEDED"),
        ("fault-status-401", "FAILED"),
        ("fault-status-500", "FAILED"),
    ],
)
async def test_as_many_requests_are_made_as_attempts_are_told(model: str, state: str) -> None:
    async with MockLM(pace=0.001) as mock:
        journals = await soon(journals_of(mock, model), within=50)

    assert validate(journals) == []
    assert {one.streams[-1].end.state for one in journals if one.streams[-1].end} == {state}
    assert mock.requests


@pytest.mark.timeout(60)
async def test_a_reader_that_leaves_closes_the_provider_s_connection() -> None:
    async with MockLM(pace=0.05) as mock:
        lm = LM("openai/canned", api_base=mock.base_url, api_key="any", cache=False)
        server = serving_pair(lm)
        server.bind()
        await server.start()

        try:
            async with grpc.aio.insecure_channel(server.address) as channel:
                request = asking("r1")
                request.ClearField("linger")
                method = "/headrace.v1.HeadraceService/Run"
                call = channel.unary_stream(  # type: ignore[var-annotated]
                    method, request_serializer=pb.RunRequest.SerializeToString
                )(request)
                asked = await soon(mock.received(2), within=20)
                call.cancel()
                await soon(asyncio.gather(*(one.over.wait() for one in asked)))
        finally:
            await server.stop()

    assert all(one.left is not None for one in asked)
