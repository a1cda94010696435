"""Messages: what readers of made-up recordings are sent, and an outline of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from headrace.log import Entry, RunLog
from headrace.runs.run import Revisions
from headrace.server.reader import Deliveries, Delivery, deliveries_of
from headrace.server.selection import ReaderOptions
from headrace.server.v1.events import EventEncoder
from headrace_proto.v1 import headrace_pb2 as pb
from server.recordings import Texts


def deliveries(
    options: ReaderOptions | None = None, after: int = 0, size: int = 65_536
) -> Deliveries:
    chosen = replace(options or ReaderOptions(), after=after)

    return deliveries_of(RunLog(), chosen, max_token_bytes=size)


def message(delivery: Delivery, options: ReaderOptions | None = None) -> pb.StreamEvent:
    encoder = EventEncoder(
        "r1", Revisions("rev"), options or ReaderOptions(), max_prediction_bytes=2**21
    )

    return encoder.message(delivery)


def sent(
    recorded: Sequence[Entry], options: ReaderOptions | None = None, size: int = 65_536
) -> list[pb.StreamEvent]:
    return [message(one, options) for one in deliveries(options, size=size).of(recorded)]


def outline(messages: Sequence[pb.StreamEvent]) -> list[tuple[int, int, str]]:
    return [(one.sequence, one.event_count, shown(one)) for one in messages]


def shown(event: pb.StreamEvent) -> str:
    if event.WhichOneof("event") == "token":
        return f"{event.token.field}@{event.token.offset}:{event.token.chunk}"

    return str(event.WhichOneof("event"))


def apply_messages(messages: Sequence[pb.StreamEvent], texts: Texts) -> None:
    """Applies their text."""
    for one in messages:
        if one.HasField("token"):
            key = (one.token.call_id, one.token.field)
            texts[key] = texts.get(key, "")[: one.token.offset] + one.token.chunk
