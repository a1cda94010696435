"""The servers on an event loop that handles no signals, as Windows has it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from processes.as_on_windows import BREAK
from server.process import running
from server.scripted import soon

COMMAND = (sys.executable, str(Path(__file__).with_name("as_on_windows.py")))
SERVERS: dict[str, tuple[list[str], str]] = {
    "serve": (["server.hosted:echo", "--listen", "127.0.0.1:0"], "serving echo on 127.0.0.1"),
    "mock-lm": ([], "No model is asked"),
    "gateway": (["--listen", "127.0.0.1:0"], "serving at http://127.0.0.1"),
}


@pytest.mark.parametrize("number", [signal.SIGINT, BREAK], ids=["Ctrl-C", "Ctrl-Break"])
@pytest.mark.parametrize("name", SERVERS)
async def test_it_serves_and_ends_well(name: str, number: int) -> None:
    arguments, words = SERVERS[name]

    async with running(*COMMAND, name, *arguments, PYTHONPATH=".") as process:
        await soon(process.says(words))
        process.signal(number)

        assert await soon(process.ended()) == 0

    assert [line for line in process.said if "Error" in line or "Traceback" in line] == []


async def test_a_loop_that_is_not_there_is_refused() -> None:
    serve = ("serve", "server.hosted:echo", "--set", "event_loop=uvloop")

    async with running(*COMMAND, *serve, PYTHONPATH=".") as process:
        assert await soon(process.ended()) == 2

    assert process.said[-1].startswith("Error: event_loop: uvloop is not installed")
