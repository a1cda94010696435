"""The practical limit in Python: grpc.aio with the provider's bytes read by hand, and nothing else.

No run, no log, no statuses, no deadlines, no parser worth the name: whatever the servers do beyond
this is what their services cost. `--each` writes one message per token, else all that is pending;
`--merged` lets tokens gather for 50 ms; `--bare` reads without an HTTP library.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import orjson
from headrace_proto.v1 import headrace_pb2 as pb

from bench.servers import contract
from bench.servers.asking import by_aiohttp, by_protocol

EACH = "--each" in sys.argv
INTERVAL = 0.05 if "--merged" in sys.argv else 0.0
ASK = by_protocol if "--bare" in sys.argv else by_aiohttp


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

        if INTERVAL:
            await asyncio.sleep(INTERVAL)

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

    def take(chunks: list[str]) -> None:
        parts.extend(chunks)
        pending.chunks += chunks
        pending.wake()

    await ASK(body, take)
    pending.over = True
    pending.wake()

    return "".join(parts)


if __name__ == "__main__":
    contract.main(run, raw=True)
