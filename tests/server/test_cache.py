"""The LM cache in a server: off unless configured, and never across principals unless shared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator

import pytest
from headrace import LM, Predict, Program, configure_cache
from headrace.hosting.port import StartRequest
from headrace.runs.registry import Registry
from headrace_mock import MockLM

BOUND = 20.0


@pytest.fixture(autouse=True)
def cache_as_it_was() -> Iterator[None]:
    yield
    configure_cache()


@pytest.fixture
async def mock() -> AsyncGenerator[MockLM, None]:
    async with MockLM() as mock:
        yield mock


async def asked(mock: MockLM, *principals: str) -> int:
    """How many requests the provider gets when these ask the same, one after another."""
    lm = LM("openai/any", api_base=mock.base_url, api_key="any")
    program = Program(Predict("question -> answer"), lm=lm)

    async with asyncio.timeout(BOUND), Registry() as registry:
        for principal in principals:
            run = await registry.start(
                StartRequest(program, {"question": "why?"}, principal=principal)
            )
            await run.ended()
            assert run.failure is None

    return len(mock.requests)


async def test_principals_do_not_see_each_others_answers(mock: MockLM) -> None:
    configure_cache()

    assert await asked(mock, "ann", "bob", "ann") == 2


async def test_a_cache_declared_shared_serves_everyone(mock: MockLM) -> None:
    configure_cache(shared=True)

    assert await asked(mock, "ann", "bob", "ann") == 1


async def test_a_cache_that_is_off_serves_nobody(mock: MockLM) -> None:
    configure_cache(enabled=False)

    assert await asked(mock, "ann", "ann") == 2
