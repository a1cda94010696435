"""One answer as a client sees it: over gRPC, over SSE, or straight from the provider.

Every way gives the same record, made of the numbers or stamps inside the tokens and the moments at
which they came.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from google.protobuf.duration_pb2 import Duration
from headrace_proto.v1 import headrace_pb2 as pb

from bench import http2
from bench.tokens import lag, now, numbers

_CUT = re.compile(r"t\d{0,8}$")

RUN = "/headrace.v1.HeadraceService/Run"


@dataclass(slots=True)
class Answer:
    """What came of one question."""

    began: int = field(default_factory=now)
    first: int | None = None
    """Microseconds from the question to the first token."""
    numbers: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """By field."""
    lags: list[int] = field(default_factory=list[int])
    """Microseconds each token took, where tokens are stamped."""
    messages: int = 0
    """With text."""
    received: int = 0
    """Messages of any kind."""
    ended: bool = False
    """Whether the prediction came."""
    _cut: dict[str, str] = field(default_factory=dict[str, str])
    """By field: the beginning of a token whose rest is in the next message."""

    def text(self, name: str, text: str) -> None:
        """More text of a field has come."""
        moment = now()
        text = self._cut.pop(name, "") + text

        if cut := _CUT.search(text):
            self._cut[name] = cut[0]
            text = text[: cut.start()]

        found = numbers(text)

        if self.first is None and found:
            self.first = lag(self.began, moment)

        self.messages += 1
        self.numbers.setdefault(name, []).extend(found)
        self.lags.extend(lag(stamp, moment) for stamp in found)


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask of a server."""

    play: str
    """As bench/upstream.py reads it: "play:500", "play:500:50"."""
    program: str = "answer"
    fields: tuple[str, ...] = ()
    """Selectors; empty = all."""
    merge_interval: float = 0.0
    """Seconds."""
    statuses: bool = True
    batched: bool = False
    """Takes what is pending together in one message."""
    run_id: str = ""

    def request(self) -> bytes:
        """The question as a RunRequest."""
        request = pb.RunRequest(program=self.program, run_id=self.run_id)
        request.inputs["question"] = self.play
        request.options.fields.extend(
            name if "." in name else f"self.{name}" for name in self.fields
        )

        if not self.statuses:
            request.options.status_detail = pb.STATUS_DETAIL_NONE

        if self.batched:
            request.options.accept.append(pb.EVENT_KIND_BATCH)

        if self.merge_interval:
            request.options.merge_interval.CopyFrom(
                Duration(nanos=round(self.merge_interval * 1e9))
            )

        return request.SerializeToString()


class GrpcClient:
    """Asks over gRPC; `per_connection` calls share a connection."""

    def __init__(self, address: str, per_connection: int = 50) -> None:
        host, _, port = address.rpartition(":")
        self._address = host, int(port)
        self._per_connection = per_connection
        self._connections: list[asyncio.Future[http2.Connection]] = []
        self._calls = 0

    async def ask(self, question: Question) -> Answer:
        """The answer to a question, once it is over."""
        answer, over = await self.open(question)
        await over

        return answer

    async def open(
        self, question: Question, path: str = RUN, request: bytes = b""
    ) -> tuple[Answer, asyncio.Future[None]]:
        """An answer that has begun, and a future that is done when it is over."""
        connection = await self._connection()
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answer = Answer()
        connection.call(path, request or question.request(), _into(answer, over))

        return answer, over

    def close(self) -> None:
        """Leaves."""
        for connection in self._connections:
            connection.result().close()

        self._connections.clear()

    async def _connection(self) -> http2.Connection:
        if self._calls % self._per_connection == 0:
            self._connecting = asyncio.ensure_future(http2.connect(*self._address))
            self._connections.append(self._connecting)

        self._calls += 1

        return await self._connecting


def _into(answer: Answer, over: asyncio.Future[None]) -> Callable[[bytes | None], None]:
    def receive(message: bytes | None) -> None:
        if message is None:
            if not over.done():
                over.set_result(None)

            return

        answer.received += 1
        event = pb.StreamEvent.FromString(message)

        for one in event.batch.events if event.HasField("batch") else (event,):
            if one.HasField("token"):
                answer.text(one.token.field, one.token.chunk)
            elif one.HasField("prediction"):
                answer.ended = True

    return receive


class SseClient:
    """Asks a server of the seeds' kind: POST, and JSON in server-sent events."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = host, int(port)

    async def ask(self, question: Question) -> Answer:
        """The answer to a question, once it is over."""
        answer, over = await self.open(question)
        await over

        return answer

    async def open(self, question: Question) -> tuple[Answer, asyncio.Future[None]]:
        """An answer that has begun, and a future that is done when it is over."""
        answer = Answer()
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        body = json.dumps({"question": question.play}).encode()
        await asyncio.get_running_loop().create_connection(
            lambda: _Sse(post(f"/{question.program}", body), answer, over), *self._address
        )

        return answer, over

    def close(self) -> None:
        """Nothing is kept open."""


class RawClient:
    """Asks the provider itself: what no server can be quicker than."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").removesuffix("/v1").rpartition(":")
        self._address = host, int(port)

    async def ask(self, question: Question) -> Answer:
        """The answer to a question, once it is over."""
        answer = Answer()
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        body = b'{"model": "bench-answer", "content": "%b"}' % question.play.encode()
        await asyncio.get_running_loop().create_connection(
            lambda: _Sse(post("/v1/chat/completions", body), answer, over), *self._address
        )
        await over

        return answer

    def close(self) -> None:
        """Nothing is kept open."""


Client = GrpcClient | SseClient | RawClient


def post(path: str, body: bytes) -> bytes:
    """An HTTP request."""
    return (
        b"POST %b HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (path.encode(), len(body), body)
    )


class _Sse(asyncio.Protocol):
    """Reads events line by line; the framing around them does not matter here."""

    def __init__(self, request: bytes, answer: Answer, over: asyncio.Future[None]) -> None:
        self._request = request
        self._answer = answer
        self._over = over
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")

        for line in lines:
            if line.startswith(b"data: {"):
                self._take(json.loads(line[6:]))
            elif line.startswith(b"data: [DONE]"):
                self._answer.ended = True
                self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _take(self, event: dict[str, object]) -> None:
        if event.get("type") == "token":
            self._answer.text(str(event["field"]), str(event["chunk"]))
        elif choices := cast("list[dict[str, dict[str, str]]]", event.get("choices")):
            self._answer.text("answer", choices[0]["delta"].get("content") or "")
