"""A run read in pieces is the run read whole, wherever it is cut."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from conformance.hosting import hosted
from conformance.invariants import validate
from conformance.scenarios import (
    INPUTS,
    cut_everywhere,
    cut_while_it_runs,
    read_cut,
    reset_anywhere,
)

pytestmark = pytest.mark.usefixtures("each_store")


@pytest.mark.parametrize("inputs", INPUTS)
async def test_cut_at_every_message_it_is_the_same_run(inputs: dict[str, Any]) -> None:
    async with hosted() as server:
        journals = await cut_everywhere(server.address, "r1", inputs)

    assert validate(journals) == []


@pytest.mark.parametrize("inputs", INPUTS)
async def test_cut_while_it_runs_it_is_the_same_run(inputs: dict[str, Any]) -> None:
    async with hosted() as server:
        journals = await cut_while_it_runs(server.address, "r1", inputs)

    assert validate(journals) == []


async def test_connections_reset_in_the_middle_of_messages_lose_nothing() -> None:
    async with hosted() as server:
        journals, cuts = await reset_anywhere(server.address, 12)

    assert validate(journals) == []
    assert cuts > 20


async def test_a_merging_log_read_late_is_the_same_run() -> None:
    """Long enough that the log merges behind the readers: positions inside merged groups are left."""
    inputs = {"branches": 4, "tokens": 400, "pace": 0.0005}

    async with hosted() as server:
        readers = (read_cut(server.address, "r1", inputs, place) for place in (100_000, 5, 50, 500))
        journals = await asyncio.gather(*readers)
        late = await read_cut(server.address, "r1", inputs, 7)

    assert validate([*journals, late]) == []
