"""The commands that the demo types, as processes of their own, and the model that they ask."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from headrace_mock import MockLM

PROGRAMS = ("headrace.demo:composer", "headrace.demo:qa")
START_TIMEOUT = 60.0
"""Seconds for the server to come up, the providers' library included."""
STOP_TIMEOUT = 10.0
PACE = 0.02
"""Seconds between the mock's chunks: about as fast as a model writes."""


class Provider(NamedTuple):
    """A model, and what programs that ask it need in their environment."""

    model: str
    environment: Mapping[str, str]
    said: str
    """A line for the person who watches."""


@asynccontextmanager
async def provider() -> AsyncGenerator[Provider]:
    """The model to ask, for as long as the block lasts."""
    model = os.environ.get("HEADRACE_LM", "")

    if model:
        yield Provider(model, {}, f"The model is {model}, from HEADRACE_LM.")
        return

    async with MockLM(pace=PACE) as mock:
        yield Provider(
            "openai/mock-lm",
            {"OPENAI_API_BASE": mock.base_url, "OPENAI_API_KEY": "unused"},
            "No model is asked: mock-lm answers with canned prose. "
            "For a real one set HEADRACE_LM, such as openai/gpt-4o-mini, and the provider's key.",
        )


class ServerFailed(Exception):
    """The server ended before it served; it has said why."""


async def headrace(
    *arguments: str, lm: Provider | None = None, stderr: int | None = None
) -> Process:
    """Starts a `headrace` command."""
    environment = {**os.environ, **(lm.environment if lm else {})}
    command = [sys.executable, "-m", "headrace_client.cli", *arguments]

    return await asyncio.create_subprocess_exec(*command, env=environment, stderr=stderr)


async def serve(lm: Provider, listen: str, *, stderr: int | None = None) -> Process:
    """Starts `headrace serve` with the demo programs."""
    return await headrace(
        "serve", *PROGRAMS, "--listen", listen, "--lm", lm.model, lm=lm, stderr=stderr
    )


@asynccontextmanager
async def serving(lm: Provider) -> AsyncGenerator[str]:
    """A server on a free port for as long as the block lasts; gives its address."""
    server = await serve(lm, "127.0.0.1:0", stderr=PIPE)

    try:
        async with asyncio.timeout(START_TIMEOUT):
            address = await _address_of(server)

        yield address
        server.terminate()

        async with asyncio.timeout(STOP_TIMEOUT):
            await server.communicate()
    finally:
        if server.returncode is None:
            server.kill()


async def _address_of(server: Process) -> str:
    assert server.stderr is not None

    async for line in server.stderr:
        if found := re.search(rb"serving .* on (\S+)", line):
            return found[1].decode()

        sys.stderr.buffer.write(line)

    raise ServerFailed
