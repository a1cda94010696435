"""The provider that every server of the bench asks: `python -m bench.upstream`, a process of its own.

What it shall do stands in the prompt, so that every server can pass it on: "play:500" is 500 tokens
as fast as the socket takes them, "play:500:50" 500 tokens at 50 a second, each alone and stamped
when it is sent. The fields of the answer stand in the model's name: "bench-reasoning-answer". It is
made to be cheap: bytes are rendered beforehand, and one timer serves all paced streams.
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Iterator
from typing import cast

import orjson

from bench.serving import announce, loop_factory
from bench.tokens import now, token

PLAY = re.compile(rb"play:(\d+)(?::(\d+))?")
MODEL = re.compile(rb'"model":\s*"bench-([a-z_-]+)"')
LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)

SLOT = 0.001
"""Seconds between the moments at which paced tokens go out."""

BURST = 1
"""Tokens that one write of an answer without a pace holds."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
STAMP = token(0).encode()
REASONING = ["thinking "] * 20
"""The text of fields before the last."""


def event(text: str, reason: str | None = None) -> bytes:
    """A chunk of the answer as providers write it, as an HTTP chunk of its own."""
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": reason}
    chunk = {
        "id": "chatcmpl-ABCDEFGHIJKLMNOPQRSTUVWXYZ123",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "bench",
        "system_fingerprint": "fp_0123456789",
        "choices": [choice],
    }

    return framed(b"data: " + orjson.dumps(chunk) + b"\n\n")


def framed(data: bytes) -> bytes:
    """Data as an HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@functools.cache
def opening(fields: str) -> bytes:
    """What comes before the tokens: earlier fields, and the header of the last."""
    *before, last = fields.split("-")
    parts = [part for name in before for part in _field(name)]

    return b"".join(map(event, [*parts, f"[[ ## {last} ## ]]\n"]))


def _field(name: str) -> Iterator[str]:
    yield f"[[ ## {name} ## ]]\n"
    yield from REASONING
    yield "\n\n"


@functools.cache
def ending(count: int) -> bytes:
    """What comes after the tokens."""
    usage = {"prompt_tokens": 100, "completion_tokens": count, "total_tokens": count + 100}
    last = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000}
    trailer = orjson.dumps({**last, "model": "bench", "choices": [], "usage": usage})
    events = [event("\n\n[[ ## completed ## ]]"), event("", "stop")]
    events += [framed(b"data: " + trailer + b"\n\n"), framed(b"data: [DONE]\n\n")]

    return b"".join(events) + b"0\r\n\r\n"


@functools.cache
def bursts(fields: str, count: int) -> list[bytes]:
    """A whole answer in the writes it is sent by: its tokens are numbered."""
    events = [event(token(number)) for number in range(count)]
    writes = [b"".join(events[at : at + BURST]) for at in range(0, count, BURST)]

    return [HEAD + opening(fields), *writes, ending(count)]


BEFORE, AFTER = event(token(0)).split(STAMP)


class Paced:
    """One answer under way."""

    def __init__(self, transport: asyncio.Transport, count: int) -> None:
        self._transport = transport
        self._count = self._left = count

    def send(self) -> bool:
        """Sends the next token; False after the last."""
        if self._transport.is_closing():
            return False

        self._transport.write(b"%bt%09d%b" % (BEFORE + b" ", now(), AFTER))
        self._left -= 1

        if self._left == 0:
            self._transport.write(ending(self._count))

        return self._left > 0


class Clock:
    """Sends the tokens of all paced answers of one speed, which are spread over its slots."""

    def __init__(self, speed: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._slots: list[list[Paced]] = [[] for _ in range(max(round(1 / SLOT / speed), 1))]
        self._next = self._loop.time()
        self._ticks = self._answers = 0
        self._tick()

    def add(self, answer: Paced) -> None:
        """Takes an answer; every slot gets one before any gets a second."""
        self._answers += 7  # prime to the number of slots, so that neighbours in time lie apart
        self._slots[self._answers % len(self._slots)].append(answer)

    def _tick(self) -> None:
        while self._next <= self._loop.time():
            slot = self._slots[self._ticks % len(self._slots)]
            slot[:] = [answer for answer in slot if answer.send()]
            self._ticks += 1
            self._next += SLOT

        self._loop.call_at(self._next, self._tick)


_clocks: dict[int, Clock] = {}


class Provider(asyncio.Protocol):
    """A connection; requests come one after another."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answers once the request is whole."""
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)

        if blank and length is not None and len(body) >= int(length[1]):
            self._received = b""
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        play, model = PLAY.search(body), MODEL.search(body)

        if play is None or model is None:
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return

        count, speed, fields = int(play[1]), int(play[2] or 0), model[1].decode()

        if not speed:
            self._send(iter(bursts(fields, count)))
            return

        self._transport.write(HEAD + opening(fields))
        clock = _clocks.get(speed) or _clocks.setdefault(speed, Clock(speed))
        clock.add(Paced(self._transport, count))

    def _send(self, writes: Iterator[bytes]) -> None:
        """Sends one write a turn of the loop, so that answers under way take turns."""
        data = next(writes, None)

        if data is not None and not self._transport.is_closing():
            self._transport.write(data)
            asyncio.get_running_loop().call_soon(self._send, writes)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", 0, backlog=2048)
    announce(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory("auto")) as runner:
        runner.run(main())
