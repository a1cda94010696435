"""DSPy behind FastAPI and server-sent events, as the seeds write it. Runs in the peers' environment."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import dspy  # type: ignore[import-not-found]  # installed in the peers' environment only
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from bench.servers import dspy_programs
from bench.serving import announce

app = FastAPI()


class Query(BaseModel):
    """What is asked."""

    question: str


@app.post("/{program}")
async def stream(program: str, query: Query) -> StreamingResponse:
    """Streams a program."""
    return StreamingResponse(_events(program, query.question), media_type="text/event-stream")


async def _events(program: str, question: str) -> AsyncIterator[str]:
    async for item in dspy_programs.stream(program, question):
        payload = _payload(item)

        if payload is not None:
            yield f"data: {json.dumps(payload)}\n\n"

    yield "data: [DONE]\n\n"


def _payload(item: Any) -> dict[str, Any] | None:
    if isinstance(item, dspy.streaming.StatusMessage):
        return {"type": "status", "message": item.message}

    if isinstance(item, dspy.streaming.StreamResponse):
        return {
            "type": "token",
            "field": item.signature_field_name,
            "predictor": item.predict_name,
            "chunk": item.chunk,
            "is_last": item.is_last_chunk,
        }

    if isinstance(item, dspy.Prediction):
        return {"type": "prediction", "data": dict(item.items())}

    return None


class Server(uvicorn.Server):
    """Says where it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        announce(f"127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}")


if __name__ == "__main__":
    loop: Any = sys.argv[1]
    Server(uvicorn.Config(app, port=0, log_level="warning", loop=loop)).run()
