"""Reply, through which a model of the mock answers: well, or badly in a chosen way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import orjson

from headrace_mock.connection import Connection
from headrace_mock.requests import Received

PHRASES = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Slow Down"}

Chunk: TypeAlias = str | Mapping[str, Any] | bytes
"""A piece of an answer: text, a `delta` object as OpenAI writes it, or raw bytes of the stream."""

CHUNK = 4
"""Characters per chunk."""


class Reply:
    """The answer to one request. Methods send; they return when the peer may be sent more."""

    def __init__(
        self, request: Received, connection: Connection, attempt: int, pace: float
    ) -> None:
        self.request = request
        self.attempt = attempt
        """1 for the first request to this model, 2 for the next …"""
        self.pace = pace
        """Seconds before each chunk."""
        self._connection = connection
        self._begun = False
        self._output_tokens = 0

    @property
    def streaming(self) -> bool:
        """The request asks for server-sent events."""
        return bool(self.request.body.get("stream"))

    # Whole answers

    async def answer(self, chunks: Iterable[Chunk], finish_reason: str = "stop") -> None:
        """Answers well: streamed if the request says so, as often as its `n` says."""
        pieces = list(chunks)

        if self.streaming:
            await self.open()
            await self.chunks(pieces)
            await self.finish(finish_reason)
            await self.end()
        else:
            await self.body(200, self._whole(pieces, finish_reason))

    async def error(
        self, status: int, message: str = "", *, code: object = None, **headers: str
    ) -> None:
        """Answers with an HTTP error; header names are written with underscores."""
        error = self.fault(message or f"mock error {status}", code)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        await self.body(status, {"error": error}, headers=names)

    async def fail(self, message: str) -> None:
        """Answers with a 500, or resets the connection if something was sent."""
        if self._begun:
            self.reset()
        else:
            await self.error(500, message)

    def fault(self, message: str, code: object) -> dict[str, Any]:
        """An error object as OpenAI writes it. As real ones do, it quotes the prompt: what leaks shows."""
        said = f"{message or 'mock error'} You said: {self.request.prompt}"

        return {"message": said, "type": "mock_error", "code": code}

    async def body(
        self,
        status: int,
        content: object,
        *,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Sends a whole response: bytes as they are, anything else as JSON."""
        data = content if isinstance(content, bytes) else orjson.dumps(content)
        length = {"content-length": str(len(data))}
        await self.head(status, content_type, {**length, **(headers or {})})
        await self.raw(data)
        self.request.note_answered()

    # Streams, step by step

    async def open(self, content_type: str = "text/event-stream") -> None:
        """Sends the head of a stream."""
        await self.head(200, content_type, {"transfer-encoding": "chunked"})

    async def chunks(self, pieces: Iterable[Chunk]) -> None:
        """Sends pieces of every completion asked for, one event each."""
        choices = int(self.request.body.get("n") or 1)

        for piece in pieces:
            if self.pace:
                await asyncio.sleep(self.pace)

            for choice in range(choices):
                await self.chunk(piece, choice)

    async def chunk(self, piece: Chunk, choice: int = 0) -> None:
        """Sends one piece."""
        if isinstance(piece, bytes):
            await self.send(piece)
            return

        self._output_tokens += 1
        delta = {"content": piece} if isinstance(piece, str) else piece
        await self.event(self._chunk(choice, delta))

    async def finish(self, reason: str = "stop") -> None:
        """Ends every completion with a finish reason; sends the usage if it was asked for."""
        for choice in range(int(self.request.body.get("n") or 1)):
            await self.event(self._chunk(choice, {}, reason))

        options: Mapping[str, Any] = self.request.body.get("stream_options") or {}

        if options.get("include_usage"):
            await self.event({**self._envelope("chunk"), "choices": [], "usage": self._usage()})

    async def end(self) -> None:
        """Ends the stream as it should end."""
        await self.send(b"data: [DONE]\n\n")
        await self.close_body()

    async def close_body(self) -> None:
        """Ends the response's body, whatever was in it."""
        await self.raw(b"0\r\n\r\n")
        self.request.note_answered()

    async def event(self, content: object) -> None:
        """Sends one server-sent event."""
        await self.send(b"data: " + orjson.dumps(content) + b"\n\n")

    async def send(self, data: bytes) -> None:
        """Sends bytes of the body, as one HTTP chunk."""
        await self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    # The connection itself

    async def head(self, status: int, content_type: str, headers: Mapping[str, str]) -> None:
        """Sends the status line and the headers."""
        lines = [
            f"HTTP/1.1 {status} {PHRASES.get(status, 'Mock')}",
            f"content-type: {content_type}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        await self.raw("\r\n".join([*lines, "", ""]).encode())

    async def raw(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self._begun = True
        await self._connection.write(data)

    async def hang(self) -> None:
        """Does nothing until the peer leaves."""
        await self.request.over.wait()

    def cut(self) -> None:
        """Closes the connection where it stands."""
        self._connection.close()

    def reset(self) -> None:
        """Resets the connection where it stands."""
        self._connection.reset()

    # Shapes

    def _envelope(self, suffix: str = "") -> dict[str, Any]:
        kind = "chat.completion" + (f".{suffix}" if suffix else "")

        return {"id": "chatcmpl-mock", "object": kind, "created": 0, "model": self.request.model}

    def _chunk(self, choice: int, delta: object, reason: str | None = None) -> dict[str, Any]:
        return {
            **self._envelope("chunk"),
            "choices": [{"index": choice, "delta": delta, "finish_reason": reason}],
        }

    def _whole(self, pieces: list[Chunk], reason: str) -> dict[str, Any]:
        self._output_tokens = len(pieces)
        message = whole_message(pieces)
        choices = [
            {"index": choice, "message": message, "finish_reason": reason}
            for choice in range(int(self.request.body.get("n") or 1))
        ]

        return {**self._envelope(), "choices": choices, "usage": self._usage()}

    def _usage(self) -> dict[str, int]:
        prompt = len(self.request.prompt.split())

        return {
            "prompt_tokens": prompt,
            "completion_tokens": self._output_tokens,
            "total_tokens": prompt + self._output_tokens,
        }


def cut(text: str, size: int = CHUNK) -> list[str]:
    """The text in chunks of `size` characters."""
    return [text[at : at + size] for at in range(0, len(text), size)]


def whole_message(pieces: Iterable[Chunk]) -> dict[str, Any]:
    """The message that a request for no stream is answered with in place of the pieces."""
    texts: dict[str, str] = {}
    calls: dict[int, dict[str, Any]] = {}

    for piece in pieces:
        for name, value in _delta(piece).items():
            if name == "tool_calls":
                for part in value:
                    _add(calls, part)
            elif isinstance(value, str) and name != "role":
                texts[name] = texts.get(name, "") + value

    content = {"content": None if calls else ""}

    return {"role": "assistant", **content, **texts} | (
        {"tool_calls": list(calls.values())} if calls else {}
    )


def _delta(piece: Chunk) -> Mapping[str, Any]:
    if isinstance(piece, str):
        return {"content": piece}

    return {} if isinstance(piece, bytes) else piece


def _add(calls: dict[int, dict[str, Any]], part: Mapping[str, Any]) -> None:
    """Adds a piece of a call to what came before of it."""
    index, function = part["index"], part["function"]

    if index not in calls:
        calls[index] = {**part, "function": {**function}}
        del calls[index]["index"]
    else:
        calls[index]["function"]["arguments"] += function["arguments"]
