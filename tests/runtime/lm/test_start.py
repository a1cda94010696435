"""Starting up: litellm late, without network, quiet; sessions closed with their loops."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings

import pytest
from headrace.lm import LM, Delta, configure_history, inspect_history
from headrace.lm.history import exchanges
from headrace_mock import MockLM

NO_NETWORK = """
import socket
def refuse(*_, **__): raise AssertionError("asked the network")
socket.socket.connect = socket.getaddrinfo = refuse
"""


def python(script: str, *flags: str) -> str:
    """What a fresh interpreter prints; fails the test if it fails."""
    done = subprocess.run(
        [sys.executable, *flags, "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")

    return done.stdout.strip()


@pytest.mark.parametrize("module", ["headrace", "headrace.lm"])
def test_an_import_leaves_litellm_and_http_libraries_alone(module: str) -> None:
    late = "litellm openai aiohttp httpx tiktoken"
    script = f"import sys, {module}; print([m for m in {late!r}.split() if m in sys.modules])"

    assert python(script) == "[]"


def test_preload_asks_no_network_and_prints_nothing() -> None:
    script = NO_NETWORK + "from headrace.lm import preload; preload().join()"
    script += "\nimport sys; print('litellm' in sys.modules, 'openai' in sys.modules)"

    assert python(script) == "True True"


def test_a_script_ends_without_warnings_about_connections() -> None:
    script = """
import asyncio
from headrace.lm import LM
from headrace_mock import MockLM

async def main():
    async with MockLM() as mock:
        arguments = {"api_base": mock.base_url, "api_key": "k", "cache": False}
        await LM("openai/any", **arguments).acall("hi")
        await asyncio.to_thread(LM("openai/any", **arguments), "hi")

asyncio.run(main())
print("done")
"""
    assert python(script, "-W", "default::ResourceWarning") == "done"


@pytest.mark.parametrize("action", ["error", "always"])
def test_warnings_about_litellms_code_are_neither_shown_nor_errors(action: str) -> None:
    script = """
import asyncio, warnings
from headrace.lm import LM
from headrace_mock import MockLM

async def main():
    async with MockLM({"mistral-x": "Oui"}) as mock:
        for engine in ("direct", "litellm"):
            lm = LM("mistral/mistral-x", engine=engine, api_base=mock.base_url, api_key="k", cache=False)
            print(await lm.acall("hi", response_format={"type": "json_object"}))
            warnings.simplefilter(ACTION)  # as a program may at any time

asyncio.run(main())
""".replace("ACTION", repr(action))

    assert python(script, "-W", action).splitlines() == ["['Oui']", "['Oui']"]


async def test_warnings_about_other_code_stay_what_they_are(mock: MockLM) -> None:
    def receive(delta: Delta) -> None:
        warnings.warn("of a program's own", DeprecationWarning, stacklevel=1)

    for engine in ("direct", "litellm"):
        lm = LM("openai/any", engine=engine, api_base=mock.base_url, api_key="k", cache=False)

        with pytest.raises(DeprecationWarning, match="of a program's own"):
            await lm.complete([{"role": "user", "content": "hi"}], receive)


async def test_history_shows_the_last_exchange(mock: MockLM) -> None:
    await LM("openai/any", api_base=mock.base_url).acall("what is canned?")
    shown = io.StringIO()

    inspect_history(file=shown)

    assert shown.getvalue().splitlines()[:5] == [
        "---- openai/any ----",
        "",
        "user:",
        "",
        "what is canned?",
    ]
    assert "This is canned prose" in shown.getvalue()


async def test_history_is_bounded_in_size(mock: MockLM) -> None:
    configure_history(400)
    lm = LM("openai/any", api_base=mock.base_url)

    for number in range(6):
        await lm.acall(f"question {number}")

    assert [one.messages[0][1] for one in exchanges()] == ["question 4", "question 5"]


async def test_history_can_be_off(mock: MockLM) -> None:
    configure_history(0)
    await LM("openai/any", api_base=mock.base_url).acall("hi")

    assert exchanges() == []


async def test_features_come_from_litellms_tables() -> None:
    known, unknown = LM("openai/gpt-4o-mini"), LM("openai/no-such-model")
    features = ("response_schema", "response_format", "tools", "reasoning", "flight")

    assert [known.supports(one) for one in features] == [True, True, True, False, False]
    assert [unknown.supports(one) for one in features[3:]] == [False, False]


def test_a_copy_differs_only_where_it_is_told_to() -> None:
    lm = LM("openai/any", api_key="k", temperature=0.5, timeout=7.0, stop=["x"])
    other = lm.copy(temperature=1.0)

    assert (other.model, other.kwargs) == (
        "openai/any",
        {"temperature": 1.0, "max_tokens": None, "stop": ["x"]},
    )
    assert other.copy(temperature=0.5).kwargs == lm.kwargs
