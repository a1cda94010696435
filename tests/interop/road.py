"""The road of an interop case: a server, the proxy in front of it, and the driver of one language."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
from conformance.hosting import asking
from conformance.journal import Journal
from conformance.programs import script
from conformance.proxy import Proxy, proxied
from conformance.reader import connected
from conformance.reader import read as read_by_hand
from headrace.server.config import Config
from headrace.testing import serve_programs
from headrace_proto.v1 import headrace_pb2 as pb
from headrace_proto.v1.headrace_pb2_grpc import HeadraceServiceStub
from interop.programs import PROGRAMS
from interop.reading import Reading

DRIVER_SECONDS = 60.0
"""A bound against hangs."""
NEVER: dict[str, Any] = {"ending": "never", "pace": 0}
"""Inputs of a run that does not end by itself."""


class Road:
    """A server, the proxy in front of it, and the driver of one language."""

    def __init__(self, address: str, proxy: Proxy, command: Sequence[str]) -> None:
        self.address = address
        self.proxy = proxy
        self.tls: dict[str, str] | None = None
        """Files for mutual TLS, by what they hold."""
        self.token = ""
        self._command = command

    async def play(self, play: str, *runs: dict[str, Any], **more: Any) -> list[Reading]:
        """Has an order played to its end; gives what was read. More of it: filters, replies, token."""
        order = {
            "address": self.proxy.address,
            "tls": self.tls,
            "token": self.token,
            "play": play,
            "runs": runs,
            "filters": (),
            "replies": (),
            **more,
        }
        driver = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

        try:
            async with asyncio.timeout(DRIVER_SECONDS):
                printed, complained = await driver.communicate(json.dumps(order).encode())
        finally:
            if driver.returncode is None:
                driver.kill()
                await driver.wait()

        assert driver.returncode == 0, complained.decode()[-4000:]

        return [Reading.of(told) for told in json.loads(printed)]

    async def whole(self, run_id: str, inputs: dict[str, Any]) -> Journal:
        """The run as somebody reads it who sits beside the server."""
        async with connected(self.address) as channel:
            return await read_by_hand(channel, asking(run_id, **inputs))

    async def reached(self, run_id: str, sequence: int) -> None:
        """Waits until a run has recorded so many events."""
        request = pb.GetRunRequest(run_id=run_id)
        last = 0

        async with connected(self.address) as channel, asyncio.timeout(DRIVER_SECONDS):
            while last < sequence:
                with suppress(grpc.aio.AioRpcError):  # it has not begun yet
                    last = (await HeadraceServiceStub(channel).GetRun(request)).run.last_sequence

                await asyncio.sleep(0.02)

    async def asks(self, run_id: str) -> pb.InputRequest:
        """Waits until a run asks; gives its first question."""
        request = pb.GetRunRequest(run_id=run_id)
        caller = (("authorization", f"Bearer {self.token}"),)

        async with connected(self.address) as channel, asyncio.timeout(DRIVER_SECONDS):
            while True:
                with suppress(grpc.aio.AioRpcError):  # it has not begun yet
                    stub = HeadraceServiceStub(channel)
                    run = (await stub.GetRun(request, metadata=caller)).run

                    if run.input_requests:
                        return run.input_requests[0]

                await asyncio.sleep(0.02)


@asynccontextmanager
async def paved(command: Sequence[str], **config: Any) -> AsyncGenerator[Road, None]:
    """A road to a server of all programs that cases need."""
    configured = Config(**config)

    async with (
        serve_programs(script, *PROGRAMS, config=configured) as address,
        proxied(address) as proxy,
    ):
        yield Road(address, proxy, command)


def asked(program: str = "script", /, *, timeout: float = 0.0, **inputs: Any) -> dict[str, Any]:
    """A run for an order; options of the client may be added to it."""
    return {
        "program": program,
        "inputs": inputs,
        "run_id": uuid.uuid4().hex,
        "timeout": timeout,
        "fields": ["*"] if program == "script" else [],
    }


def ended(reading: Reading) -> tuple[str, str, str]:
    """How a reading failed: the kind of error, its code and its reason."""
    failure = reading.failure

    return failure.kind, failure.code, failure.reason
