"""A real server on a free port, and a stub to call it with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
from grpc.aio import AioRpcError, Channel
from headrace.hosting import HostedProgram, Program
from headrace.module import Module
from headrace.server.app import Server
from headrace.server.config import Config
from headrace_proto.v1 import headrace_pb2 as pb
from headrace_proto.v1 import headrace_pb2_grpc as rpc
from server.scripted import echo, soon
from server.stores import new_store

Stub: TypeAlias = "rpc.HeadraceServiceAsyncStub"
Stream: TypeAlias = AsyncIterable[pb.StreamEvent]


class Play(Module):
    """A module that does what the test has written."""

    def __init__(self, play: Callable[[str], Awaitable[object]]) -> None:
        self.play = play

    async def aforward(self, question: str, times: int = 1) -> object:
        return await self.play(question * min(times, 3))


def program(play: Callable[[str], Awaitable[object]] = echo, name: str = "scripted") -> Program:
    return Program(Play(play), name=name)


@dataclass
class Served:
    """A server under test."""

    server: Server
    address: str
    channel: Channel
    stub: Stub


@asynccontextmanager
async def served(*programs: HostedProgram, **config: Any) -> AsyncGenerator[Served, None]:
    """Serves programs inside an `async with` block."""
    configured = Config(listen="127.0.0.1:0", **config)
    server = Server(programs or [program()], configured, store=new_store(configured.limits))
    address = server.bind()
    await server.start()

    try:
        async with grpc.aio.insecure_channel(address) as channel:
            yield Served(server, address, channel, stub_of(channel))
    finally:
        await server.stop()


def stub_of(channel: Channel) -> Stub:
    return rpc.HeadraceServiceStub(channel)


def asking(question: str = "why?", **asked: Any) -> pb.RunRequest:
    request = pb.RunRequest(program="scripted", **asked)
    request.inputs.update({"question": question})

    return request


@dataclass
class Heard:
    """What one call gave: its events, and how it ended."""

    events: list[pb.StreamEvent]
    code: grpc.StatusCode
    details: str
    trailers: dict[str, str | bytes]

    @property
    def outline(self) -> list[str]:
        """The events in a word or two each, heartbeats left out."""
        return [outlined(event) for event in self.events if not event.HasField("heartbeat")]

    @property
    def text(self) -> str:
        """The text of all tokens, applied."""
        text = ""

        for event in self.events:
            if event.HasField("token"):
                text = text[: event.token.offset] + event.token.chunk

        return text


def outlined(event: pb.StreamEvent) -> str:
    match event.WhichOneof("event"):
        case "token":
            return f"token {event.token.chunk}"
        case "status":
            kind = pb.StatusUpdate.Kind.Name(event.status.kind).removeprefix("KIND_")
            phase = pb.StatusUpdate.Phase.Name(event.status.phase).removeprefix("PHASE_")
            return f"{kind} {phase}"
        case other:
            return str(other)


async def heard(call: Any) -> Heard:
    """Reads a stream to its end."""
    events: list[pb.StreamEvent] = []

    try:
        async for event in call:
            events.append(event)  # noqa: PERF401 - what came before an error counts
    except AioRpcError as error:
        return Heard(events, error.code(), error.details() or "", _texts(error.trailing_metadata()))

    return Heard(events, await call.code(), "", _texts(await call.trailing_metadata()))


async def first(call: Any, count: int) -> list[pb.StreamEvent]:
    """The first events of a stream that goes on."""
    return [await soon(call.read()) for _ in range(count)]


async def refusal(call: Any) -> Heard:
    """How a unary call was refused."""
    try:
        await call
    except AioRpcError as error:
        return Heard([], error.code(), error.details() or "", _texts(error.trailing_metadata()))

    raise AssertionError("the call was not refused")


def _texts(metadata: Any) -> dict[str, str | bytes]:
    return dict(metadata or ())
