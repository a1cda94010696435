"""What the LM tests share: both engines made ready once, a mock provider, an empty cache per test."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Iterator

import pytest
from headrace.lm import configure_cache, configure_history, preload
from headrace_mock import MockLM


@pytest.fixture(scope="session", autouse=True)
def ready_engines() -> None:
    preload().join()


@pytest.fixture(autouse=True)
def empty_memories() -> Iterator[None]:
    configure_cache()
    configure_history()

    yield

    configure_cache()


@pytest.fixture
async def mock() -> AsyncIterator[MockLM]:
    async with MockLM() as mock:
        yield mock


@pytest.fixture(autouse=True)
def litellms_own_warnings() -> Iterator[None]:
    """What litellm does that Python frowns upon, and a user does not see.

    Cancelled while it still prepares a request, it drops a coroutine it has made.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        yield
