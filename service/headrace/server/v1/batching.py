"""Batching: deliveries that are pending together, sent in one message to a reader that accepts that.

A message costs gRPC 35 to 50 us whatever is in it, and a run has six statuses however short it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from headrace_proto.v1 import headrace_pb2 as pb

from headrace.server.reader import Delivery, Flush, Write
from headrace.server.selection import EventKind, ReaderOptions
from headrace.server.v1.events import EventEncoder

MAX_BATCH_BYTES = 65_536
"""Of one batch: what is held back for a reader that stalls. An event that is larger goes alone."""

FRAME = 40
"""Bytes that an event of a batch takes besides its own, with a share of the message around it, at most."""


def ways_to_write(
    encoder: EventEncoder, options: ReaderOptions, send: Callable[[bytes], Awaitable[None]]
) -> tuple[Write, Flush | None]:
    """How a reader with these options writes its messages, and flushes them."""
    if EventKind.BATCH not in options.accept:
        return encoder.writer(send), None

    batches = Batches(encoder.message, send)

    return batches.write, batches.flush


class Batches:
    """Writes deliveries for one reader, and sends them by `send` when flushed or when there are many.

    encode: makes the message of a delivery. Where it raises, what came before has been sent.
    """

    def __init__(
        self,
        encode: Callable[[Delivery], pb.StreamEvent],
        send: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self._encode = encode
        self._send = send
        self._pending: list[pb.StreamEvent] = []
        self._bytes = 0

    async def write(self, delivery: Delivery) -> None:
        """Takes a delivery; sends those before it where they would be too large together."""
        try:
            message = self._encode(delivery)
        except Exception:
            await self.flush()
            raise

        size = message.ByteSize() + FRAME

        if self._bytes + size > MAX_BATCH_BYTES:
            await self.flush()

        self._pending.append(message)
        self._bytes += size

    async def flush(self) -> None:
        """Sends what is pending, one event by itself."""
        pending, self._pending, self._bytes = self._pending, [], 0

        if pending:
            message = pending[0] if len(pending) == 1 else _batch(pending)
            await self._send(message.SerializeToString())


def _batch(events: list[pb.StreamEvent]) -> pb.StreamEvent:
    message = pb.StreamEvent(run_id=events[0].run_id)
    message.batch.events.extend(events)

    return message
