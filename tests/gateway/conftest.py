"""What the gateway's tests share: a server with the composer and its LM, and a gateway before it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from gateway.faucet import Faucet
from gateway.programs import COMPOSER, agent, composer, letter
from gateway.serving import Gateway, gateway, hosted


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace_client._resume.FIRST_DELAY", 0.001)
    monkeypatch.setattr("headrace_client._resume.LONGEST_DELAY", 0.01)


@pytest.fixture
async def lm() -> Faucet:
    return Faucet(COMPOSER)


@pytest.fixture
async def server(lm: Faucet) -> AsyncIterator[str]:
    async with hosted(lm, composer, letter, agent) as address:
        yield address


@pytest.fixture
async def edge(server: str) -> AsyncIterator[Gateway]:
    async with gateway(server) as edge:
        yield edge
