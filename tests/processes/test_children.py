"""Processes that a served program starts: what is meant for them ends no server, and does end them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from headrace_client import Client, outputs
from server.process import Process, serving
from server.scripted import soon

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    pytest.mark.timeout(90),
]

LOOPS = ["asyncio", "uvloop"]
PATIENCE = 60.0


@asynccontextmanager
async def served(program: str, loop: str) -> AsyncGenerator[tuple[Client, Process], None]:
    """A server that nothing has told to end when the block is over, and that then does as it is told."""
    spec = f"it=processes.programs:{program}"

    async with serving(spec, "--set", f"event_loop={loop}") as process:
        async with Client(await soon(process.address())) as client:
            yield client, process

        assert [line for line in process.said if "draining" in line] == []
        process.signal(signal.SIGTERM)
        assert await soon(process.ended()) == 0


async def result(client: Client, **inputs: Any) -> object:
    return outputs(await soon(client.predict("it", inputs=inputs), PATIENCE))["result"]


ENDS: dict[tuple[str, bool], int] = {
    ("SIGTERM", False): -signal.SIGTERM,
    ("SIGTERM", True): -signal.SIGTERM,
    ("SIGHUP", False): -signal.SIGHUP,
    ("SIGHUP", True): -signal.SIGHUP,
}

if sys.version_info[:2] != (3, 13):  # where what a thread forks may miss it, without a server too
    ENDS["SIGINT", False] = 1  # by KeyboardInterrupt


@pytest.mark.parametrize("loop", LOOPS)
async def test_a_forked_child_hears_its_signals_alone(loop: str) -> None:
    async with served("stops", loop) as (client, _):
        ended = {
            (name, at_once): await result(client, signal_name=name, at_once=at_once)
            for name, at_once in ENDS
        }

    assert ended == ENDS


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
async def test_pools_and_processes_end_as_anywhere(method: str) -> None:
    async with served("pools", "auto") as (client, _):
        assert await result(client, method=method) == -signal.SIGTERM


async def test_a_child_does_not_crash_in_grpc() -> None:
    async with served("lives", "auto") as (client, process):
        assert await result(client, count=40) == [0.0] * 40

    assert [line for line in process.said if "fork" in line] == []
