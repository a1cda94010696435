"""The composer end to end: a provider over real HTTP, the demo's program, a real gRPC server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest
from headrace import LM, context
from headrace.demo import composer
from headrace.testing import serve_programs
from headrace_mock import MockLM, Reply
from headrace_proto.v1 import headrace_pb2 as pb
from headrace_proto.v1 import headrace_pb2_grpc as rpc
from scripted_lm import chat, cut, section

BOUND = 20.0
"""Seconds; a test that waits so long has failed."""

READ_ONE_AND_WAIT = """
import sys, grpc
from headrace_proto.v1 import headrace_pb2 as pb, headrace_pb2_grpc as rpc
stub = rpc.HeadraceServiceStub(grpc.insecure_channel(sys.argv[1]))
request = pb.RunRequest(program="composer", inputs_json='{"question": "why?"}')
for event in stub.Run(request):
    if event.HasField("token"):
        print("reading", flush=True)
"""


def echo(body: Mapping[str, Any]) -> Sequence[str]:
    """Answers every field with its name and the question."""
    prompt = "\n".join(str(message["content"]) for message in body["messages"])
    question = section(prompt, "question")
    names = ("reasoning", "brainstorm", "evidence", "answer")
    request = prompt.rpartition("Respond with")[2]
    asked = [name for name in names if f"[[ ## {name} ## ]]" in request]

    return cut(chat(**{name: f"{name} for {question}" for name in asked}))


async def endless(reply: Reply) -> None:
    """Answers until the peer leaves."""
    await reply.open()
    await reply.chunk("[[ ## reasoning ## ]]\n")

    while not reply.request.over.is_set():
        await reply.chunk("and ")
        await asyncio.sleep(0.005)


@pytest.fixture
async def mock() -> AsyncGenerator[MockLM, None]:
    async with MockLM({"echo": echo, "endless": endless}) as mock:
        yield mock


@asynccontextmanager
async def serving(mock: MockLM, model: str) -> AsyncGenerator[str, None]:
    lm = LM(f"openai/{model}", api_base=mock.base_url, api_key="any", cache=False)

    with context(lm=lm):
        async with serve_programs(composer) as address:
            yield address


@pytest.fixture
async def echoing(mock: MockLM) -> AsyncGenerator[str, None]:
    async with serving(mock, "echo") as address:
        yield address


@pytest.fixture
async def never_ending(mock: MockLM) -> AsyncGenerator[str, None]:
    async with serving(mock, "endless") as address:
        yield address


async def texts_of(stub: rpc.HeadraceServiceAsyncStub, question: str) -> dict[str, str]:
    """The joined text of each predictor.field, after checking that every field closed once."""
    request = pb.RunRequest(program="composer", inputs_json=f'{{"question": "{question}"}}')
    texts: dict[str, str] = {}
    closed: list[str] = []

    async for event in stub.Run(request, timeout=BOUND):
        if event.HasField("token"):
            name = f"{event.token.predictor}.{event.token.field}"
            assert event.token.offset == len(texts.get(name, ""))
            texts[name] = texts.get(name, "") + event.token.chunk
            closed += [name] if event.token.is_last else []

    assert sorted(closed) == sorted(texts)

    return texts


async def test_fifty_runs_at_once_each_get_their_own_text_whole(echoing: str) -> None:
    async with grpc.aio.insecure_channel(echoing) as channel:
        stub = rpc.HeadraceServiceStub(channel)
        questions = [f"number {number:02}" for number in range(50)]
        runs = await asyncio.gather(*(texts_of(stub, question) for question in questions))

    assert runs == [
        {
            "ideas.brainstorm.reasoning": f"reasoning for {question}",
            "ideas.brainstorm.brainstorm": f"brainstorm for {question}",
            "evidence.probe.reasoning": f"reasoning for {question}",
            "evidence.probe.evidence": f"evidence for {question}",
            "compose.reasoning": f"reasoning for {question}",
            "compose.answer": f"answer for {question}",
        }
        for question in questions
    ]


async def both_closed(mock: MockLM) -> None:
    """Waits until the provider has seen both branches leave before their answers were whole."""
    async with asyncio.timeout(BOUND):
        for request in await mock.received(2):
            await request.over.wait()
            assert request.left is not None


async def test_cancelling_the_call_closes_the_providers_connections(
    mock: MockLM, never_ending: str
) -> None:
    async with grpc.aio.insecure_channel(never_ending) as channel:
        request = pb.RunRequest(program="composer", inputs_json='{"question": "why?"}')
        call = rpc.HeadraceServiceStub(channel).Run(request)

        async for event in call:
            if event.HasField("token"):
                call.cancel()
                break

        await both_closed(mock)


async def test_killing_the_client_closes_the_providers_connections(
    mock: MockLM, never_ending: str
) -> None:
    command = (sys.executable, "-c", READ_ONE_AND_WAIT, never_ending)
    client = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert client.stdout is not None

    async with asyncio.timeout(BOUND):
        assert await client.stdout.readline() == b"reading\n"
        await mock.received(2)

    client.kill()
    await client.communicate()
    await both_closed(mock)
