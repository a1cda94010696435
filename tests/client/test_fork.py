"""A client and a fork: in the child it works, or says at once that it does not; nothing hangs there.

In a process of its own, see `forking`, which forks children that end as programs do.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from client.events import composer_run, log
from client.scripted_service import ScriptedService, serving
from client.test_connection import server_credentials
from headrace_proto.v1 import headrace_pb2 as pb

BOUND = 60.0
"""Seconds; against hangs."""

ANSWER = "Because of rain."

CALL_UNDER_WAY = {"waiting_in_another_thread", "reading_a_run"}
"""Cases that fork while a call is under way, where gRPC's handlers for forks crash some children,
long before we could say anything; docs/client.md tells how to turn them off."""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks on this platform")


async def told(case: str, service: ScriptedService) -> list[str]:
    """What a case prints; the service can be asked by it meanwhile."""
    script = Path(__file__).parent / "forking.py"
    environment = {**os.environ, "GRPC_VERBOSITY": "NONE", "PYTHONWARNINGS": "ignore"}

    if case in CALL_UNDER_WAY:
        environment["GRPC_ENABLE_FORK_SUPPORT"] = "0"

    async with asyncio.timeout(BOUND):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(script), case, service.address),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        output, errors = await process.communicate()

    assert errors.decode() == ""

    return list(json.loads(output))


@pytest.mark.timeout(BOUND * 2)
@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("made_and_not_used", [ANSWER, "0.0", ANSWER]),
        ("used", [*["ClientMisplaced"] * 5, ANSWER]),
        ("used_and_closed", [ANSWER, ANSWER, "StreamClosed", ANSWER]),
        ("closed_in_the_child", ["None", "None", ANSWER]),
        ("freed_in_the_child", ["0", ANSWER]),
        (
            "reading_a_run",
            [*["ClientMisplaced"] * 3, "None", "1", str(len(composer_run()))],
        ),
        ("waiting_in_another_thread", ["ClientMisplaced", ANSWER]),
        ("async_client", ["ClientMisplaced", "None", "ClientMisplaced", ANSWER]),
        ("in_pools", [ANSWER, ANSWER, "ClientMisplaced", "ClientMisplaced", ANSWER]),
    ],
)
async def test_after_a_fork_a_client_works_or_says_why_not_and_the_parent_goes_on(
    service: ScriptedService, case: str, said: list[str]
) -> None:
    assert await told(case, service) == said
    assert service.requests_of(pb.CancelRunRequest) == []


async def test_a_client_for_tls_may_be_made_before_a_fork() -> None:
    service = ScriptedService(log(*composer_run()))

    async with serving(service, credentials=server_credentials(mutual=False)):
        assert await told("made_with_tls_and_not_used", service) == [ANSWER, ANSWER]
