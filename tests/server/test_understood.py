"""A failed program is understood from what terminals say: the server's, and under --dev the caller's too."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from headrace_mock import MockLM, Reply
from server.process import Process, serving
from server.scripted import soon

pytestmark = pytest.mark.timeout(180)

SEVEN = "[[ ## stars ## ]]\n7\n\n[[ ## completed ## ]]"
WRONG_KEY = {
    "error": {
        "message": "Incorrect API key provided to: It floats.",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_api_key",
    }
}
CALLS = {
    "divides": ["by=0"],
    "seven": ["review=It floats."],
    "refused": ["review=It floats."],
    "stumbling": ["review=It floats."],
}


@dataclass
class Terminals:
    """What was said to whom."""

    codes: dict[str, int]
    """Exit codes of `headrace run`, by program."""
    callers: dict[str, str]
    """Its standard error."""
    server: str

    def line(self, words: str, program: str) -> dict[str, Any]:
        """The one line of a log in JSON that has these words and is about the program."""
        lines = [json.loads(line) for line in self.server.splitlines() if line.startswith("{")]
        [found] = [
            line for line in lines if words in line["message"] and line.get("program") == program
        ]

        return found  # type: ignore[no-any-return]


async def seven(reply: Reply) -> None:
    """Answers beyond the bound, which is 5."""
    await reply.answer([SEVEN])


async def refused(reply: Reply) -> None:
    """Knows no such key."""
    await reply.body(401, WRONG_KEY)


async def stumbling(reply: Reply) -> None:
    """Answers well the second time."""
    if reply.attempt == 1:
        await reply.body(503, {"error": {"type": "overloaded_error", "message": "It floats."}})
    else:
        await reply.answer([SEVEN.replace("7", "5")])


async def calls(*flags: str) -> Terminals:
    """Serves the programs, and runs each once, as one does in a second terminal."""
    models = {"seven": seven, "refused": refused, "stumbling": stumbling}
    codes: dict[str, int] = {}
    callers: dict[str, str] = {}

    async with (
        MockLM(models) as mock,
        serving(
            *(f"server.hosted:{name}" for name in CALLS),
            *flags,
            OPENAI_API_BASE=mock.base_url,
            OPENAI_API_KEY="a-key-that-is-wrong",
        ) as server,
    ):
        await soon(server.address(), within=60)

        for name, pairs in CALLS.items():
            codes[name], callers[name] = await run(server, name, *pairs)

        await soon(server.says("program=stumbling" if "--dev" in flags else '"stumbling"'))
        server.signal(15)
        await soon(server.ended())

        return Terminals(codes, callers, "\n".join(server.said))


async def run(server: Process, *arguments: str) -> tuple[int, str]:
    """`headrace run`: its exit code and standard error."""
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headrace_client.cli", "run", *arguments),
        env={**os.environ, "HEADRACE_ADDRESS": await server.address()},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await soon(command.communicate(), within=60)

    return command.returncode or 0, said.decode()


@pytest.fixture(scope="module")
def dev() -> Terminals:
    return asyncio.run(calls("--dev"))


@pytest.fixture(scope="module")
def plain() -> Terminals:
    return asyncio.run(calls("--log-format", "json"))


@pytest.fixture(scope="module")
def content() -> Terminals:
    return asyncio.run(calls("--set", "logs.content=true"))


# A developer: everything, in both terminals


def test_a_bound_that_the_model_breaks(dev: Terminals) -> None:
    said = dev.callers["seven"]

    assert dev.codes["seven"] == 1
    assert said.startswith("headrace: OUTPUT_UNPARSABLE: ")
    assert "  the model wrote:\n    [[ ## stars ## ]]\n    7\n" in said
    assert "in aforward:\n    return await self.rate.acall(review=review)\n" in said
    assert "\n    the model wrote:\n        [[ ## stars ## ]]\n        7\n" in dev.server


def test_an_exception(dev: Terminals) -> None:
    first, error, place, line = dev.callers["divides"].splitlines()

    assert dev.codes["divides"] == 1
    assert first.startswith("headrace: PROGRAM_ERROR: the program raised ZeroDivisionError")
    assert error == "  ZeroDivisionError: division by zero"
    assert place.startswith("  at server/hosted.py:")
    assert line == "    return Prediction(result=1 / by)"
    assert "\n    ZeroDivisionError: division by zero\n" in dev.server


def test_a_wrong_key(dev: Terminals) -> None:
    said = dev.callers["refused"]

    assert dev.codes["refused"] == 1
    assert said.startswith("headrace: LM_AUTH: the provider refuses the credentials (HTTP 401)")
    assert "\n  the provider calls it invalid_request_error, invalid_api_key\n" in said
    assert "Incorrect API key provided to: It floats." in said
    assert "Incorrect API key provided to: It floats." in dev.server


def test_that_everything_is_shown_is_said_first_and_loudly(dev: Terminals) -> None:
    assert dev.server.splitlines()[0].startswith("DEVELOPMENT MODE (dev): whoever calls")


# Anybody else: names and places in the log, and nothing more


def test_callers_get_one_line(plain: Terminals, content: Terminals) -> None:
    failing = [name for name, code in plain.codes.items() if code]
    lines = [len(one.callers[name].splitlines()) for one in (plain, content) for name in failing]

    assert failing == ["divides", "seven", "refused"]
    assert lines == [1] * 6


def test_the_log_names_reason_and_place(plain: Terminals) -> None:
    failed = [plain.line("run failed", name) for name in ("divides", "seven", "refused")]

    assert [line["reason"] for line in failed] == ["PROGRAM_ERROR", "OUTPUT_UNPARSABLE", "LM_AUTH"]
    assert all(line["place"].startswith("server/hosted.py:") for line in failed)
    assert {
        "provider_type": "invalid_request_error",
        "provider_code": "invalid_api_key",
    }.items() <= (failed[2].items())


def test_the_log_holds_no_texts(plain: Terminals) -> None:
    said = plain.server + "".join(plain.callers.values())

    assert [one for one in ("[[ ##", "Incorrect", "It floats", "division by") if one in said] == []


def test_an_attempt_that_is_tried_again_is_logged(plain: Terminals) -> None:
    attempt = plain.line("LM attempt failed", "stumbling")

    assert attempt["message"].startswith(
        "LM attempt failed: the provider failed (HTTP 503); trying again in "
    )
    assert {name: attempt[name] for name in ("model", "lm_attempt", "provider_type")} == {
        "model": "openai/stumbling",
        "lm_attempt": 1,
        "provider_type": "overloaded_error",
    }


def test_with_content_the_log_holds_what_model_and_provider_wrote(content: Terminals) -> None:
    assert content.line("run failed", "seven")["lm_response"] == SEVEN
    assert "It floats." in content.line("run failed", "refused")["provider_said"]
    assert "It floats." in content.line("LM attempt failed", "stumbling")["provider_said"]
    assert content.line("run failed", "divides")["exception"].startswith(
        "ZeroDivisionError: division by zero\n"
    )
