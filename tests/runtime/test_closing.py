"""Whoever stops reading stops the provider, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from headrace import LM, Module, Predict, Prediction, context, streamify
from headrace.mock_lm import MockLM, Reply


async def endless(reply: Reply) -> None:
    """Answers until the peer leaves."""
    await reply.open()
    await reply.chunk("[[ ## answer ## ]]\n")

    while not reply.request.over.is_set():
        await reply.chunk("and ")
        await asyncio.sleep(0.001)


class Sync(Module):
    def __init__(self) -> None:
        self.ask = Predict("question -> answer")

    def forward(self, question: str) -> Prediction:
        return self.ask(question=question)


@pytest.fixture
async def mock() -> AsyncGenerator[MockLM, None]:
    async with MockLM({"endless": endless}) as mock:
        yield mock


@pytest.mark.parametrize("program", [Predict("question -> answer"), Sync()], ids=["async", "sync"])
async def test_leaving_a_stream_closes_the_providers_connection(
    mock: MockLM, program: Module
) -> None:
    lm = LM("openai/endless", api_base=mock.base_url, api_key="any", cache=False)

    with context(lm=lm):
        stream = streamify(program)(question="?")

    await anext(stream)
    await stream.aclose()
    (request,) = mock.requests
    await asyncio.wait_for(request.over.wait(), 5)

    assert request.left is not None
