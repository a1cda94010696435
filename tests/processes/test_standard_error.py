"""A server that logs JSON: nothing else reaches standard error once it serves."""

from __future__ import annotations

import json
import signal

import pytest
from headrace_client import Client
from server.process import serving
from server.scripted import soon

pytestmark = pytest.mark.timeout(90)


async def test_whatever_a_program_does_all_lines_are_json() -> None:
    strays = serving("processes.programs:strays", PYTHONWARNINGS="always")

    async with strays as process:
        async with Client(await soon(process.address())) as client:
            await soon(client.predict("strays", run_id="r1", words="secret"), 60)

        process.signal(signal.SIGTERM)
        assert await soon(process.ended()) == 0

    lines = [json.loads(line) for line in process.said if not line.startswith("serving ")]
    told = {line["message"]: line for line in lines}
    about_the_run = [message for message, line in told.items() if line.get("run_id") == "r1"]

    assert {
        "secret printed",
        "secret printed by a child",
        "secret without an end",
        "raised where nobody waits: Unfinished.__del__",
        "a line was lost: TypeError",
    } <= set(told)
    assert "secret printed" in about_the_run
    assert told["thread thread-of-its-own raised"]["exception"].startswith("KeyError\n")
    assert any("UserWarning: secret warned" in message for message in told)
    assert "the prompt" not in "".join(process.said)
