"""The provider of bench/lm.py, in a process of its own: sends as fast as a socket takes it."""

from __future__ import annotations

import asyncio

import orjson
from headrace_mock import MockLM, Reply

WRITE = 64 * 1024


def chunk(text: str, reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": reason}
    event = {
        "id": "chatcmpl-ABCDEFGHIJKLMNOPQRSTUVWXYZ123",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "gpt-4o-mini-2024-07-18",
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
        "choices": [choice],
    }

    return b"data: " + orjson.dumps(event) + b"\n\n"


def stream(chunks: int) -> bytes:
    """A whole response's body: every event an HTTP chunk of its own."""
    usage = {"prompt_tokens": 10, "completion_tokens": chunks, "total_tokens": chunks + 10}
    events = [chunk(" tok")] * chunks
    events += [
        chunk("", "stop"),
        b"data: " + orjson.dumps({"choices": [], "usage": usage}) + b"\n\n",
    ]
    events += [b"data: [DONE]\n\n"]

    return b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in events) + b"0\r\n\r\n"


STREAMS = {count: stream(count) for count in (1, 2000)}


async def flood(reply: Reply) -> None:
    """Answers with as many chunks as the model's name says: "flood-2000"."""
    body = STREAMS[int(reply.request.model.rpartition("-")[2])]
    await reply.open()

    for at in range(0, len(body), WRITE):
        await reply.raw(body[at : at + WRITE])

    reply.request.note_answered()


async def main() -> None:
    async with MockLM({f"flood-{count}": flood for count in STREAMS}) as mock:
        print(mock.base_url, flush=True)  # noqa: T201 - the parent reads it
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
