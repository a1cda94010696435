"""A gateway on a port of loopback, before a real server, both inside the test's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from headrace import Program, context
from headrace.lm.base import BaseLM
from headrace.server.config import Config
from headrace.testing import serve_programs
from headrace_gateway import Setup, create_app
from headrace_gateway.disconnect import OpenRequests
from headrace_gateway.serving import listen

BOUND = 20.0
"""Seconds after which a test gives up waiting."""


@dataclass
class Gateway:
    """A gateway under test."""

    url: str
    http: httpx.AsyncClient
    waiting: OpenRequests

    @asynccontextmanager
    async def stream(
        self,
        program: str,
        inputs: dict[str, Any],
        **query: Any,
    ) -> AsyncGenerator[Events, None]:
        """Starts a run and reads it."""
        path = f"/v1/programs/{program}/stream"

        async with self.http.stream("POST", path, json=inputs, params=query) as response:
            yield Events(response)

    @asynccontextmanager
    async def events(
        self, run_id: str, last_event_id: str = "", **query: Any
    ) -> AsyncGenerator[Events, None]:
        """Reads a run that exists."""
        headers = {"last-event-id": last_event_id} if last_event_id else {}
        path = f"/v1/runs/{run_id}/events"

        async with self.http.stream("GET", path, params=query, headers=headers) as response:
            yield Events(response)

    async def left_alone(self, run_id: str) -> None:
        """Waits until nobody reads a run any more."""
        async with asyncio.timeout(BOUND):
            while (await self.http.get(f"/v1/runs/{run_id}")).json()["reader_count"]:
                pass


@dataclass
class Event:
    """One event as it came."""

    id: str = ""
    data: str = ""

    @property
    def payload(self) -> dict[str, Any]:
        payload: dict[str, Any] = json.loads(self.data)

        return payload


@dataclass
class Events:
    """The events of a response, in order; iterating again goes on."""

    response: httpx.Response
    comments: int = 0
    was_silent: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with the third comment."""
    retry: str = ""
    seen: list[Event] = field(default_factory=list[Event])

    def __post_init__(self) -> None:
        self._coming = self._read()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._coming

    async def _read(self) -> AsyncIterator[Event]:
        event = Event()

        async for line in self.response.aiter_lines():
            name, _, value = line.partition(": ")

            match name:
                case "":
                    if event.data:
                        self.seen.append(event)
                        yield event

                    event = Event()
                case "id":
                    event.id = value
                case "data":
                    event.data = value
                case "retry":
                    self.retry = value
                case _:
                    self.comments += line == ":"

                    if self.comments == 3:
                        self.was_silent.set()

    async def to_the_end(self) -> list[Event]:
        """All that still comes."""
        async with asyncio.timeout(BOUND):
            return [event async for event in self]

    @property
    def last_id(self) -> str:
        """What a browser would send as Last-Event-ID."""
        return next((event.id for event in reversed(self.seen) if event.id), "")


def texts_of(events: list[Event]) -> dict[str, str]:
    """Every field's text, by the rule: text[:offset] + chunk."""
    texts: dict[str, str] = {}

    for event in events:
        if event.data.startswith('{"type":"token"'):
            token = event.payload
            name = f"{token['predictor']}.{token['field']}"
            texts[name] = texts.get(name, "")[: token["offset"]] + token["chunk"]

    return texts


class Quiet(uvicorn.Server):
    """A server that leaves signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@asynccontextmanager
async def gateway(server: str, **setup: Any) -> AsyncGenerator[Gateway, None]:
    """Serves a gateway before the server at an address."""
    waiting = OpenRequests()
    listening = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    app = create_app(Setup(server=server, **setup), waiting)
    config = uvicorn.Config(
        app, log_level="warning", lifespan="on", ws="none", timeout_graceful_shutdown=2
    )
    serving = Quiet(config)
    task = asyncio.ensure_future(serving.serve(sockets=[listening]))

    try:
        async with httpx.AsyncClient(base_url=url, timeout=BOUND, trust_env=False) as http:
            yield Gateway(url, http, waiting)
    finally:
        waiting.end()
        serving.should_exit = True
        await task


@asynccontextmanager
async def hosted(lm: BaseLM, *programs: Program, **config: Any) -> AsyncGenerator[str, None]:
    """Serves programs with an LM; gives the server's address."""
    with context(lm=lm):
        async with serve_programs(*programs, config=Config(**config)) as address:
            yield address
