"""Signals of a server: where they were ignored before, and where a program keeps the loop busy."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest
from headrace_client import Client
from server.process import running, serving
from server.scripted import soon

ECHO = "server.hosted:echo"
IGNORING = ("sh", "-c", 'trap "" HUP INT; exec "$@"', "sh")
"""As `nohup` starts a command, and as a script does one in the background."""

pytestmark = pytest.mark.timeout(90)


async def test_signals_that_were_ignored_are_heard_all_the_same() -> None:
    async with serving(ECHO, before=IGNORING) as process:
        await soon(process.address())
        process.signal(signal.SIGHUP)
        await soon(process.says("principals reloaded"))
        process.signal(signal.SIGINT)

        assert await soon(process.ended()) == 0


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_a_second_signal_ends_a_server_whose_loop_is_busy(loop: str) -> None:
    blocks = serving("processes.programs:blocks", "--set", f"event_loop={loop}")

    async with blocks as process, Client(await soon(process.address())) as client:
        asking = asyncio.ensure_future(client.predict("blocks", seconds=60))
        await soon(process.says("blocking"))
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGINT)
        ended = await soon(process.ended())
        asking.cancel()
        await asyncio.wait([asking])

    # Of two that are pending, either may be heard second.
    assert ended in (128 + signal.SIGTERM, 128 + signal.SIGINT)


async def test_the_demo_passes_on_that_it_is_to_end() -> None:
    demo = running(sys.executable, "-m", "headrace.demo", "--serve", "127.0.0.1:0", HEADRACE_LM="")

    async with demo as process:
        await soon(process.says("serving composer, qa on "), within=60)
        process.signal(signal.SIGTERM)

        assert await soon(process.ended(), within=60) == 0
