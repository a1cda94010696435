"""Runs that wait for leave to call a tool, and the callers who may give it or may not.

Ann starts the runs and reads them. Ben may answer those of others; Joe too, but of another program; Eve
may not. Each calls over connections of their own.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from headrace.server.config import Principal
from headrace_proto.v1 import headrace_pb2 as pb
from interop.reading import Reading
from interop.road import Road, asked


def token_of(name: str) -> str:
    """What somebody calls with."""
    return f"a token of {name}'s"


def known(name: str, **settings: Any) -> Principal:
    """Somebody whom a server knows by a token."""
    digest = hashlib.sha256(token_of(name).encode()).hexdigest()

    return Principal(name=name, tokens=(f"sha256:{digest}",), **settings)


ANN, BEN, JOE, EVE = map(token_of, ("ann", "ben", "joe", "eve"))

PRINCIPALS = (
    known("ann", include_data=True),
    known("ben", may_answer=True),
    known("joe", may_answer=True, programs=("echo",)),
    known("eve"),
)


def keeping(tool: str, **options: Any) -> dict[str, Any]:
    """A run of the agent that calls a tool, and then says what it gave."""
    return {**asked("keeper", task=tool, area="north"), "include_data": True, **options}


@asynccontextmanager
async def waiting(
    road: Road, order: dict[str, Any]
) -> AsyncGenerator[tuple[pb.InputRequest, asyncio.Task[list[Reading]]], None]:
    """Inside the block a run is read that waits; behind it, it has been read to its end."""
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(road.play("read_each", order))
        yield await road.asks(order["run_id"]), reading


def to(order: dict[str, Any], question: pb.InputRequest, **reply: Any) -> dict[str, Any]:
    """A reply to the question of a run, for an order."""
    return {"run_id": order["run_id"], "input_id": question.input_id, **reply}


def endings(reading: Reading) -> list[tuple[str, str]]:
    """How the questions of a run ended, and why."""
    return [(one["outcome"], one["reason"]) for one in reading.bodies("input_resolved")]
