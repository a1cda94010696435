"""The practical limit in Python: grpc.aio with the provider's bytes read by hand, and nothing else.

No run, no log, no statuses, no deadlines, no parser worth the name: whatever the servers do beyond
this is what their services cost. `--each` writes one message per token, else all that is pending.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import aiohttp
import orjson
from headrace_proto.v1 import headrace_pb2 as pb

from bench.servers import contract

URL = os.environ["BENCH_UPSTREAM"] + "/chat/completions"
EACH = "--each" in sys.argv
HEADER = "[[ ## answer ## ]]\n"
FOOTER = "[[ ## completed ## ]]"

_sessions: list[aiohttp.ClientSession] = []


class Pending:
    """Text that was read and not yet written."""

    def __init__(self) -> None:
        self.chunks: list[str] = []
        self.over = False
        self._waiting: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """There is something."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def take(self) -> list[str]:
        """What is there, once there is something; empty at the end."""
        while not self.chunks and not self.over:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

        chunks, self.chunks = self.chunks, []

        return chunks


async def run(request: pb.RunRequest, context: Any) -> None:
    """Asks, and streams the text of the answer."""
    pending = Pending()
    reading = asyncio.create_task(_read(str(request.inputs["question"]), pending))
    sequence = offset = 0

    while chunks := await pending.take():
        for chunk in chunks if EACH else ["".join(chunks)]:
            sequence += 1
            await context.write(_token(chunk, sequence, offset))
            offset += len(chunk)

    prediction = pb.Prediction()
    prediction.outputs.update({"answer": await reading})
    await context.write(pb.StreamEvent(prediction=prediction).SerializeToString())


def _token(chunk: str, sequence: int, offset: int) -> bytes:
    message = pb.StreamEvent(run_id="r", sequence=sequence, event_count=1, attempt=1)
    message.create_time.GetCurrentTime()
    token = message.token
    token.predictor, token.field, token.chunk = "self", "answer", chunk
    token.offset, token.call_id = offset, 2

    return message.SerializeToString()


async def _read(question: str, pending: Pending) -> str:
    body = orjson.dumps({"model": "bench-answer", "stream": True, "messages": [question]})
    parts: list[str] = []
    rest = b""

    async with _session().post(URL, data=body) as response:
        async for data in response.content.iter_any():
            *events, rest = (rest + data).split(b"\n\n")
            texts = [_text(event) for event in events if event != b"data: [DONE]"]
            chunks = [text for text in texts if text and text != HEADER and FOOTER not in text]
            parts += chunks

            if chunks:
                pending.chunks += chunks
                pending.wake()

    pending.over = True
    pending.wake()

    return "".join(parts)


def _text(event: bytes) -> str:
    choices = orjson.loads(event[6:])["choices"]

    return choices[0]["delta"].get("content") or "" if choices else ""


def _session() -> aiohttp.ClientSession:
    if not _sessions:
        connector = aiohttp.TCPConnector(limit=0)
        headers = {"Content-Type": "application/json"}
        _sessions.append(aiohttp.ClientSession(connector=connector, headers=headers))

    return _sessions[0]


if __name__ == "__main__":
    contract.main(run, raw=True)
