"""The package from outside: its names, its weight, and the examples in its docstrings."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import subprocess
import sys

import headrace_client
import pytest
from client.scripted_service import ScriptedService

HEAVY = ("aiohttp", "anyio", "click", "headrace", "litellm", "orjson", "pydantic", "rich")

BLOCK = re.compile(r"^( *)```python\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def examples() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []

    for name in headrace_client.__all__:
        member = getattr(headrace_client, name)
        parts = [member, *vars(member).values()] if inspect.isclass(member) else [member]
        documents = {inspect.getdoc(part) or "" for part in parts if hasattr(part, "__doc__")}

        found.extend((name, text) for document in documents for _, text in BLOCK.findall(document))

    return sorted(set(found))


def test_importing_the_client_leaves_the_runtime_and_the_command_out() -> None:
    code = "import sys, json, headrace_client; print(json.dumps(sorted(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
    loaded = {name.partition(".")[0] for name in json.loads(printed)}

    assert loaded.isdisjoint(HEAVY)


def test_the_public_names_are_listed_in_order() -> None:
    there = [
        name
        for name, member in vars(headrace_client).items()
        if not name.startswith("_") and not inspect.ismodule(member) and name != "annotations"
    ]

    assert headrace_client.__all__ == sorted(there)


def test_there_are_examples() -> None:
    assert {name for name, _ in examples()} == {
        "Client",
        "RunStream",
        "SyncClient",
        "SyncRunStream",
        "outputs",
    }


@pytest.mark.parametrize(("name", "text"), examples())
async def test_the_examples_run(service: ScriptedService, name: str, text: str) -> None:
    text = text.replace('Client("127.0.0.1:50051")', "Client()")
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-c",
        f"import headrace_client._client as c\n"
        f"c.Client.__init__.__defaults__ = ({service.address!r},)\n"
        f"import headrace_client._sync as s\n"
        f"s.SyncClient.__init__.__defaults__ = ({service.address!r},)\n"
        + text.replace("from __future__ import annotations\n", ""),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(program.communicate(), 20)

    assert (program.returncode, errors.decode()) == (0, ""), name
