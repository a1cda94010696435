"""Every RPC of the contract has its handler, its caller in each client, and its place in command and gateway."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from headrace_client.cli.commands import headrace
from headrace_gateway.access import Upstream
from headrace_gateway.config import Setup
from headrace_gateway.disconnect import OpenRequests
from headrace_gateway.routes import Calls
from headrace_proto.v1 import headrace_pb2 as pb
from server.serving import program, served

ROOT = Path(__file__).parents[1]
SERVICE = pb.DESCRIPTOR.services_by_name["HeadraceService"]
RPCS = {method.name: method for method in SERVICE.methods}

STREAMED_OR_STARTING = {"Run", "Attach", "Predict"}
"""A client repeats these itself, with what it has read; any other is repeated by its channel."""

COMMANDS: Mapping[str, str] = {
    "ListPrograms": "programs",
    "GetProgram": "describe",
    "Run": "run",
    "Attach": "attach",
    "ListRuns": "runs",
    "CancelRun": "cancel",
    "DeleteRun": "rm",
    "SendInput": "answer",
}
WITHOUT_COMMAND = {"Predict", "GetRun", "GetServerInfo"}

PATHS: Mapping[str, str] = {
    "ListPrograms": "GET /programs",
    "GetProgram": "GET /programs/{name}",
    "Run": "POST /programs/{name}/stream",
    "Attach": "GET /runs/{run_id}/events",
    "Predict": "POST /programs/{name}/predict",
    "GetRun": "GET /runs/{run_id}",
    "ListRuns": "GET /runs",
    "CancelRun": "POST /runs/{run_id}/cancel",
    "DeleteRun": "DELETE /runs/{run_id}",
    "SendInput": "POST /runs/{run_id}/inputs/{input_id}",
    "GetServerInfo": "GET /server",
}


async def test_the_server_serves_every_rpc() -> None:
    async with served(program()) as service:
        unserved = [name for name in RPCS if not await is_served(service.channel, name)]

    assert unserved == []


async def is_served(channel: grpc.aio.Channel, name: str) -> bool:
    """Whether bytes that are no message are refused, by a method that answers as the contract says."""
    method: Any = channel.unary_stream if RPCS[name].server_streaming else channel.unary_unary
    call = method(f"/{SERVICE.full_name}/{name}")(b"\xff", timeout=10)

    return bool(await call.code() is grpc.StatusCode.INVALID_ARGUMENT)


@pytest.mark.parametrize(
    "client",
    ["headrace_client/*.py", "go/headrace/*.go", "node/src/*.ts", "java/src/main/**/*.java"],
)
def test_a_client_calls_every_rpc(client: str) -> None:
    text = "".join(file.read_text("utf-8") for file in sorted((ROOT / "client").glob(client)))
    stub = r"(?:\bstub|\bservice|\(deadline\)\.withInterceptors\([\w.()]+?\))"
    called = re.findall(rf"{stub}\.(\w+)", text)

    assert set(RPCS) - {name[0].upper() + name[1:] for name in called} == set()


@pytest.mark.parametrize(
    "file",
    [
        "headrace_client/_channel.py",
        "go/headrace/connection.go",
        "node/src/connection.ts",
        "java/src/main/java/dev/headrace/client/Channels.java",
    ],
)
def test_a_channel_repeats_every_rpc_that_no_client_repeats_itself(file: str) -> None:
    text = (ROOT / "client" / file).read_text("utf-8")
    named = {name for name in RPCS if f'"{name}"' in text}

    assert set(RPCS) - named == STREAMED_OR_STARTING


def test_the_command_has_every_rpc_but_those_left_out() -> None:
    assert COMMANDS.keys() | WITHOUT_COMMAND == set(RPCS)
    assert {*COMMANDS.values()} - {*headrace.commands} == set()


def test_the_gateway_has_every_rpc() -> None:
    setup = Setup()
    routes = Calls(setup, Upstream(setup), OpenRequests()).routes()

    assert PATHS.keys() == set(RPCS)
    assert {*PATHS.values()} == {
        f"{method} {route.path}"  # type: ignore[attr-defined]  # all are Route
        for route in routes
        for method in route.methods - {"HEAD"}  # type: ignore[attr-defined]
    }
