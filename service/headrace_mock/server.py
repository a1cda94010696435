"""`MockLM`: the provider itself, for tests inside the process and for the command."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeAlias, cast

from headrace_mock.canned import canned_answer
from headrace_mock.connection import Connection
from headrace_mock.faults import find_fault
from headrace_mock.reply import Chunk, Reply, cut
from headrace_mock.requests import Received
from headrace_mock.script import Script

logger = logging.getLogger("headrace_mock")

Play: TypeAlias = Callable[[Reply], Awaitable[None]]
Chunks: TypeAlias = Callable[[Mapping[str, Any]], Iterable[Chunk]]
Model: TypeAlias = str | Sequence[Chunk] | Script | Chunks | Play
"""The answer of a model: a text, chunks, a script, a function from the request body to chunks, or a
coroutine function that does as it likes with its Reply."""


class MockLM:
    """A provider on loopback, as an async context.

        async with MockLM({"mine": ["Hel", "lo"]}) as mock:
            lm = LM("openai/mine", api_base=mock.base_url, api_key="any")

    `models` come before the built-in names; a name's part after "@" only tells requests apart.
    Models of all other names, but for faults, answer from the `script`, if there is one.
    `pace` is seconds before each chunk. `requests` holds what was received, in order.
    """

    def __init__(
        self,
        models: Mapping[str, Model] | None = None,
        *,
        script: Script | Sequence[str | Mapping[str, Any]] | None = None,
        pace: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.models = dict(models or {})
        self.script = Script(script) if isinstance(script, Sequence) else script
        self.pace = pace
        self.requests: list[Received] = []
        self.connections: set[Connection] = set()
        """Those open now."""
        self._listen = host, port
        self._attempts = Counter[str]()
        self._arrival = asyncio.Condition()
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def __aenter__(self) -> Self:
        host, port = self._listen
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._answer, self._opened, self._closed), host, port
        )
        self._address = self._server.sockets[0].getsockname()[:2]

        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()

        for connection in list(self.connections):
            await connection.closed()

    @property
    def base_url(self) -> str:
        """For `api_base`, or OPENAI_API_BASE."""
        host, port = self._address

        return f"http://{host}:{port}/v1"

    async def received(self, count: int) -> list[Received]:
        """Waits until so many requests have arrived; gives them."""
        async with self._arrival:
            await self._arrival.wait_for(lambda: len(self.requests) >= count)

        return self.requests[:count]

    async def quiet(self) -> None:
        """Waits until no connection is open."""
        await self._quiet.wait()

    def _opened(self, connection: Connection) -> None:
        self.connections.add(connection)
        self._quiet.clear()

    def _closed(self, connection: Connection) -> None:
        self.connections.discard(connection)

        if not self.connections:
            self._quiet.set()

    async def _answer(self, request: Received, connection: Connection) -> None:
        reply = Reply(request, connection, 0, self.pace)

        if request.method == "GET":
            await reply.body(200, self._page(request.path))
        elif "/chat/completions" in request.path or request.model in self.models:
            await self._complete(request, reply)
        else:
            await reply.error(404, f"mock-lm has no {request.path}")

    def _page(self, path: str) -> dict[str, Any]:
        if path.endswith("/requests"):
            return {"requests": [request.facts() for request in self.requests]}

        return {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}

    async def _complete(self, request: Received, reply: Reply) -> None:
        self._attempts[request.model] += 1
        reply.attempt = self._attempts[request.model]

        async with self._arrival:
            self.requests.append(request)
            self._arrival.notify_all()

        try:
            await self._play(request)(reply)
        except Exception as error:
            logger.exception("the answer to a request for %s failed", request.model)
            await reply.fail(f"mock-lm failed: {type(error).__name__}: {error}.")

    def _play(self, request: Received) -> Play:
        name = request.model.partition("@")[0]
        model = self.models.get(request.model, self.models.get(name))

        if model is None:
            return find_fault(name) or (self.script.play if self.script else _play_canned)

        if isinstance(model, Script):
            return model.play

        if inspect.iscoroutinefunction(model):
            return cast("Play", model)

        if callable(model):
            return _playing(cast("Chunks", model))

        chunks = cut(model) if isinstance(model, str) else model

        return _playing(lambda body: chunks)


async def _play_canned(reply: Reply) -> None:
    await reply.answer(*canned_answer(reply.request.body))


def _playing(chunks: Chunks) -> Play:
    async def play(reply: Reply) -> None:
        await reply.answer(chunks(reply.request.body))

    return play
