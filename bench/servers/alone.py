"""grpc.aio with no model behind it: it makes up the tokens itself, fast or paced."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from headrace_proto.v1 import headrace_pb2 as pb

from bench.servers import contract
from bench.tokens import now, token

PLAY = re.compile(r"play:(\d+)(?::(\d+))?")


async def run(request: pb.RunRequest, context: Any) -> None:
    """Streams numbered tokens, or stamped ones at a speed."""
    play = PLAY.fullmatch(str(request.inputs["question"]))
    assert play is not None
    count, speed = int(play[1]), int(play[2] or 0)
    loop = asyncio.get_running_loop()
    due = loop.time()

    for number in range(count):
        if speed:
            due += 1 / speed
            await asyncio.sleep(due - loop.time())

        chunk = token(now() if speed else number)
        message = pb.StreamEvent(run_id="r", sequence=number + 1, event_count=1, attempt=1)
        message.token.MergeFrom(pb.Token(predictor="self", field="answer", chunk=chunk))
        await context.write(message)

    await context.write(pb.StreamEvent(prediction=pb.Prediction()))


if __name__ == "__main__":
    contract.main(run)
