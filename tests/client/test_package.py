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


def test_grpc_comes_with_the_first_name_that_is_used() -> None:
    code = (
        "import sys, headrace_client, headrace_client.cli\n"
        "print('grpc' in sys.modules)\n"
        "from headrace_client import *\n"
        "print('grpc' in sys.modules, Client.__module__)"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout

    assert printed.decode().splitlines() == ["False", "True headrace_client._client"]


def test_the_public_names_are_listed_in_order_and_each_is_there() -> None:
    names = headrace_client.__all__

    assert names == sorted(names)
    assert [name for name in names if not hasattr(headrace_client, name)] == []
    assert set(names) <= set(dir(headrace_client))


def test_a_name_that_is_not_public_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'headrace_client' has no attribute 'Absent'"):
        _ = headrace_client.Absent  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


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
