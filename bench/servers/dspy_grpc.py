"""DSPy's streamify in a hand-written grpc.aio servicer. Runs in the peers' environment."""

from __future__ import annotations

import itertools
from typing import Any

import dspy  # type: ignore[import-not-found]  # installed in the peers' environment only
from headrace_proto.v1 import headrace_pb2 as pb

from bench.servers import contract, dspy_programs


async def run(request: pb.RunRequest, context: Any) -> None:
    """Streams a program."""
    sequence = itertools.count(1)

    async for item in dspy_programs.stream(request.program, str(request.inputs["question"])):
        if (message := _message(item)) is not None:
            message.sequence = next(sequence)
            await context.write(message)


def _message(item: Any) -> pb.StreamEvent | None:
    if isinstance(item, dspy.streaming.StatusMessage):
        return pb.StreamEvent(status=pb.StatusUpdate(message=item.message))

    if isinstance(item, dspy.streaming.StreamResponse):
        token = pb.Token(
            predictor=item.predict_name,
            field=item.signature_field_name,
            chunk=item.chunk,
            is_last=item.is_last_chunk,
        )

        return pb.StreamEvent(token=token)

    if isinstance(item, dspy.Prediction):
        prediction = pb.Prediction()
        prediction.outputs.update(dict(item.items()))

        return pb.StreamEvent(prediction=prediction)

    return None


if __name__ == "__main__":
    contract.main(run)
