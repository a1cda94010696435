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
from headrace_client import _errors

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


def loaded_by(statement: str) -> set[str]:
    """The packages that are loaded once a statement ran in a new process."""
    code = f"{statement}; import sys, json; print(json.dumps(sorted(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout

    return {name.partition(".")[0] for name in json.loads(printed)}


def test_importing_the_client_leaves_the_runtime_and_the_command_out() -> None:
    assert loaded_by("from headrace_client import *").isdisjoint(HEAVY)


def test_the_command_can_set_up_grpc_before_it_is_loaded() -> None:
    assert "grpc" in loaded_by("from headrace_client import Client")
    assert "grpc" not in loaded_by("from headrace_client.cli import main")


def test_the_public_names_are_there_and_listed_in_order() -> None:
    errors = [name for name in vars(_errors) if inspect.isclass(vars(_errors)[name])]
    ours = {name for name in errors if vars(_errors)[name].__module__ == _errors.__name__}

    assert headrace_client.__all__ == sorted(headrace_client.__all__)
    assert [name for name in headrace_client.__all__ if not hasattr(headrace_client, name)] == []
    assert ours <= set(headrace_client.__all__) <= set(dir(headrace_client))
    assert not hasattr(headrace_client, "Klient")


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
