"""Whatever a provider does, a call ends in bounded time with the right text or a typed error.

Every fault of the mock, on both engines and through a proxy, called from async and from sync code. Secrets are planted
in the key, the prompt and the provider's errors, which quote the prompt: none may come out.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from headrace.errors import LMError, LMTimeoutError
from headrace.lm import LM
from headrace_mock import MockLM
from headrace_mock.faults import FAULTS as MOCK_FAULTS
from runtime.lm.faults import FAULTS, TRIES, Error, Fault, Right
from runtime.lm.ways import WAYS, engine_of, way_to

PAGE = Path(__file__).parents[3] / "docs/lm.md"
BOUND = 10.0
CANARIES = ("sk-canary-key", "canary-prompt")


def lm_for(fault: str, way: Mapping[str, Any], limits: Mapping[str, Any]) -> LM:
    return LM(
        f"openai/{fault}",
        **way,
        api_key=CANARIES[0],
        num_retries=TRIES - 1,
        retry_delay=0.01,
        **limits,
    )


async def call(lm: LM, face: str) -> Any:
    """The first answer's text, as async or sync code gets it."""
    async with asyncio.timeout(BOUND):
        if face == "async":
            return (await lm.acall(CANARIES[1]))[0]

        return (await asyncio.to_thread(lm, CANARIES[1]))[0]


def leaks(error: LMError, logged: str) -> list[str]:
    """The canaries found in what others may see of an error."""
    shown = [str(error), repr(error), str(error.metadata), logged]
    shown += traceback.format_exception(error)

    return [canary for canary in CANARIES if any(canary in text for text in shown)]


@pytest.mark.parametrize("face", ["async", "sync"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.model)
async def test_a_fault_ends_as_the_table_says(
    fault: Fault,
    way: str,
    face: str,
    mock: MockLM,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG, "headrace")
    lm = lm_for(fault.model, way_to(mock.base_url, way, monkeypatch), fault.limits)
    expected = fault.by(engine_of(way))

    match expected:
        case Right():
            text = await call(lm, face)
            assert text.startswith(expected.begins)
            assert text.endswith(expected.ends)
        case Error():
            with pytest.raises(LMError) as raised:
                await call(lm, face)

            error = raised.value
            assert (type(error), error.reason) == (expected.kind, expected.reason)
            assert error.metadata["model"] == lm.model
            assert leaks(error, caplog.text + "".join(capfd.readouterr())) == []

            if isinstance(error, LMTimeoutError):
                assert error.phase == expected.phase

    for request in mock.requests:
        await asyncio.wait_for(request.over.wait(), BOUND)

    assert len(mock.requests) == expected.requests


@pytest.mark.parametrize("way", WAYS)
async def test_an_answer_cut_short_says_so(
    way: str, mock: MockLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = lm_for("fault-length", way_to(mock.base_url, way, monkeypatch), {})

    completion = await lm.complete([{"role": "user", "content": "hi"}])

    assert completion.choices[0].finish_reason == "length"


def test_the_table_has_every_fault_of_the_mock() -> None:
    missing = set(MOCK_FAULTS) - {fault.model for fault in FAULTS}

    assert missing == set()


def test_the_page_shows_the_table() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `fault-")]

    assert rows == [fault.row() for fault in FAULTS]
