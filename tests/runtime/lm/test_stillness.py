"""litellm's engine leaves the event loop free, and asks nobody but the provider, whoever that is.

The providers count nothing here, which makes litellm count by itself unless it is told not to. Models
have names for which it would fetch a tokenizer.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from headrace.lm import LM, Completion, configure_cache
from headrace.lm.engines import Access
from headrace.lm.litellm import supports
from headrace.lm.litellm.providers import model_facts
from runtime.lm.wire_shapes import SHAPES, chunk, events

LONGEST = 1.5
"""Seconds the loop may be held up: by imports on a busy machine, not by a network."""
BOUND = 60.0
pytestmark = pytest.mark.filterwarnings(
    "ignore:Items? .* on TypedDict class:UserWarning"  # of litellm's, when they are first used
)
QUESTION = [{"role": "user", "content": "hi"}]
TOKENIZED = ["llama-3-8b-instruct", "command-r-plus"]
"""Names of models for which litellm knows of a tokenizer elsewhere."""


def lines(*objects: object) -> bytes:
    return b"".join(orjson.dumps(one) + b"\n" for one in objects)


def uncounted(stream: bytes) -> bytes:
    """A stream without its usage."""
    return b"\n\n".join(filter(None, map(_uncounted, stream.split(b"\n\n")))) + b"\n\n"


def _uncounted(event: bytes) -> bytes:
    if not event.startswith(b"data: {"):
        return event

    content = json.loads(event.removeprefix(b"data: "))
    counted = content.pop("usage", None)
    content.get("x_groq", {}).pop("usage", None)

    return b"" if counted and not content["choices"] else b"data: " + orjson.dumps(content)


ANTHROPIC: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "m", "role": "assistant", "content": [], "usage": {}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
    {"type": "message_stop"},
]  # fmt: skip
GEMINI = events(
    {"candidates": [{"content": {"parts": [{"text": "Hi"}], "role": "model"}, "index": 0}]},
    {"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP", "index": 0}]},
    done=False,
)
COHERE = lines(
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hi"}}}},
    {"event": "message-end", "data": {"delta": {"finish_reason": "COMPLETE"}}},
)
OLLAMA = lines(
    {"model": "m", "message": {"role": "assistant", "content": "Hi"}, "done": False},
    {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"},
)  # fmt: skip
OPENAI = events(chunk({"content": "Hi"}), chunk({}, "stop"))

DIALECTS: dict[str, bytes] = {
    "anthropic": b"".join(
        f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in ANTHROPIC
    ),
    "azure_ai": OPENAI,
    "cohere_chat": COHERE,
    "databricks": OPENAI,
    "gemini": GEMINI,
    "huggingface": OPENAI,
    "ollama": lines({"response": "Hi", "done": False}, {"response": "", "done": True}),
    "ollama_chat": OLLAMA,
}


class Watch:
    """How long the running loop was held up, at most, since it was made."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._beat()

    def _beat(self) -> None:
        now = self._loop.time()
        self.longest, self._last = max(self.longest, now - self._last), now
        self._next = self._loop.call_later(0.01, self._beat)

    def stop(self) -> float:
        self._next.cancel()
        self._beat()
        self._next.cancel()

        return self.longest


class Edge:
    """The edge of this process: whom it asked, of all who are not the provider under test."""

    def __init__(self) -> None:
        self.ports: set[int] = set()
        """Of the providers under test."""
        self.asked: list[str] = []
        self._connect, self._look_up = socket.socket.connect, socket.getaddrinfo

    def connect(self, plug: socket.socket, address: Any) -> None:
        """Stands in for a socket's method."""
        if plug.family != socket.AF_UNIX:
            self._check(address)

        self._connect(plug, address)

    def look_up(self, host: Any, port: Any, *args: Any, **options: Any) -> Any:
        """Stands in for socket.getaddrinfo."""
        self._check((host, port))

        return self._look_up(host, port, *args, **options)

    def _check(self, address: Any) -> None:
        host, port = address[:2]

        if int(port or 0) not in self.ports:
            self.asked.append(f"{host}:{port}")
            raise ConnectionRefusedError(f"{host} is not the provider")


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Edge:
    edge = Edge()

    def connect(plug: socket.socket, address: Any) -> None:  # a function becomes a method
        edge.connect(plug, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", edge.look_up)

    return edge


@asynccontextmanager
async def provider(stream: bytes, edge: Edge) -> AsyncGenerator[str, None]:
    """A provider that answers every request with a stream; gives its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
        kind = "application/x-ndjson" if stream[:1] == b"{" else "text/event-stream"
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n\r\n".encode() + stream)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    edge.ports.add(port)

    async with server:
        yield f"http://127.0.0.1:{port}"


async def ask(lm: LM) -> tuple[Completion, float]:
    """An answer, and how long the loop was held up at most, until some time after it."""
    configure_cache(enabled=False)
    watch = Watch()
    completion = await asyncio.wait_for(lm.complete(QUESTION), BOUND)

    for _ in range(5):  # litellm goes on after the answer, in tasks and threads
        await asyncio.sleep(0.01)

    return completion, watch.stop()


@pytest.mark.parametrize("name", TOKENIZED)
@pytest.mark.parametrize("shape", [name for name in SHAPES if name != "ollama"])
async def test_a_provider_of_openais_dialect_that_counts_nothing(
    shape: str, name: str, edge: Edge
) -> None:
    one = SHAPES[shape]
    model = f"{one.model.rpartition('/')[0]}/{name}"

    async with provider(uncounted(one.stream), edge) as address:
        lm = LM(model, engine="litellm", api_base=address + one.base, api_key="k", num_retries=0)
        completion, held_up = await ask(lm.copy(api_version="2024-10-21"))

    assert edge.asked == []
    assert one.text.endswith(completion.text)  # some litellm drops text that comes in parts
    assert (completion.usage.input_tokens, completion.usage.output_tokens) == (0, 0)
    assert held_up < LONGEST


@pytest.mark.parametrize("name", TOKENIZED)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_provider_of_another_dialect_that_counts_nothing(
    dialect: str, name: str, edge: Edge
) -> None:
    async with provider(DIALECTS[dialect], edge) as address:
        lm = LM(f"{dialect}/{name}", engine="litellm", api_base=address, api_key="k", num_retries=0)
        completion, held_up = await ask(lm)

    assert (completion.text, edge.asked) == ("Hi", [])
    assert (completion.usage.input_tokens, completion.usage.output_tokens) == (0, 0)
    assert held_up < LONGEST


@pytest.mark.parametrize("name", ["ollama", "ollama_chat", "huggingface", "hosted_vllm", "openai"])
def test_nobody_is_asked_what_a_model_can_do_or_costs(name: str, edge: Edge) -> None:
    supports.cache_clear()

    for feature in ("response_schema", "response_format", "reasoning", "tools"):
        supports(Access(f"{name}/org/model-that-no-table-has"), feature)

    model_facts("org/model-that-no-table-has", name)

    assert edge.asked == []
