"""What the client's tests share: delays between tries are short here, in all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from client.events import composer_run, log
from client.scripted_service import ScriptedService, serving
from headrace_client import Client


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace_client._resume.FIRST_DELAY", 0.001)
    monkeypatch.setattr("headrace_client._resume.LONGEST_DELAY", 0.01)


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    """Plays a run of the composer."""
    async with serving(ScriptedService(log(*composer_run()))) as service:
        yield service


@pytest.fixture
async def client(service: ScriptedService) -> AsyncIterator[Client]:
    async with Client(service.address) as client:
        yield client
