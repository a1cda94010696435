"""Readers that vanish without a word are noticed: cut off from the network, or frozen."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress

import grpc
import pytest
from headrace_proto.v1 import headrace_pb2 as pb
from headrace_proto.v1 import headrace_pb2_grpc as rpc
from server.process import TESTS, serving

from conformance.reader import connected

SCRIPT = "conformance.programs:script"
NOTICED = 25.0
"""Seconds by which a server with default settings has given such a reader up."""

NAMESPACE, HERE, THERE = "headrace-test", "hrtest0", "hrtest1"
SERVER, CLIENT = "10.213.77.1", "10.213.77.2"
NOWHERE = "02:00:00:00:00:01"
"""A link-layer address that nobody has: what is sent there is lost without a word."""

CLIENT_PROGRAM = """
import asyncio, sys
from conformance.hosting import asking
from conformance.reader import connected
from headrace_proto.v1 import headrace_pb2_grpc as rpc

async def main():
    async with connected(sys.argv[1]) as channel:
        request = asking(sys.argv[2], ending="never", tokens=int(sys.argv[3]), pace=0.02)
        request.ClearField("linger")
        async for event in rpc.HeadraceServiceStub(channel).Run(request):
            print(event.sequence, flush=True)

asyncio.run(main())
"""


def ip(*arguments: str) -> bool:
    """Runs `ip`; whether it succeeded."""
    command = ("ip", *arguments)

    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def network() -> Iterator[None]:
    """A network namespace with one wire to it."""
    if os.geteuid() or not shutil.which("ip") or not ip("netns", "add", NAMESPACE):
        pytest.skip("making a network namespace needs root and iproute2")

    try:
        assert ip("link", "add", HERE, "type", "veth", "peer", "name", THERE, "netns", NAMESPACE)
        assert ip("addr", "add", f"{SERVER}/30", "dev", HERE)
        assert ip("link", "set", HERE, "up")
        assert ip("-n", NAMESPACE, "addr", "add", f"{CLIENT}/30", "dev", THERE)
        assert ip("-n", NAMESPACE, "link", "set", THERE, "up")
        yield
    finally:
        ip("netns", "del", NAMESPACE)
        ip("link", "del", HERE)


def cut_the_wire() -> None:
    """From now on nothing arrives, either way, and nobody is told."""
    assert ip("neigh", "replace", CLIENT, "lladdr", NOWHERE, "dev", HERE, "nud", "permanent")
    assert ip(
        *("-n", NAMESPACE, "neigh", "replace", SERVER),
        *("lladdr", NOWHERE, "dev", THERE, "nud", "permanent"),
    )


@asynccontextmanager
async def client(
    address: str, run_id: str, *prefix: str, tokens: int = 5
) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    """A reader in a process of its own, once it has read something."""
    process = await asyncio.create_subprocess_exec(
        *(*prefix, sys.executable, "-c", CLIENT_PROGRAM, address, run_id, str(tokens)),
        cwd=TESTS,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline()

    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()

        await process.wait()


async def given_up(channel: grpc.aio.Channel, run_id: str) -> float:
    """Waits for the end of a run by its reader's absence; gives the seconds that took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    stub = rpc.HeadraceServiceStub(channel)

    while True:
        run = (await stub.GetRun(pb.GetRunRequest(run_id=run_id))).run

        if run.state == pb.Run.STATE_CANCELLED:
            assert run.failure.metadata["by"] == "linger"
            return loop.time() - began

        await asyncio.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("tokens", [5, 100_000], ids=["idle", "streaming"])
async def test_a_reader_cut_off_from_the_network_is_noticed(tokens: int) -> None:
    async with serving(SCRIPT, "--insecure", listen=f"{SERVER}:0") as process:
        address = await process.address()
        inside = ("ip", "netns", "exec", NAMESPACE)

        async with client(address, "r1", *inside, tokens=tokens), connected(address) as channel:
            cut_the_wire()
            assert await given_up(channel, "r1") < NOTICED


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("tokens", [5, 100_000], ids=["idle", "streaming"])
async def test_a_frozen_reader_is_noticed(tokens: int) -> None:
    async with serving(SCRIPT) as process:
        address = await process.address()

        async with client(address, "r1", tokens=tokens) as frozen, connected(address) as channel:
            frozen.send_signal(signal.SIGSTOP)
            assert await given_up(channel, "r1") < NOTICED


async def test_a_killed_reader_is_noticed_at_once() -> None:
    async with serving(SCRIPT) as process:
        address = await process.address()

        async with client(address, "r1") as killed, connected(address) as channel:
            killed.kill()
            assert await given_up(channel, "r1") < 2.0
