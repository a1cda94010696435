"""Batches: what is pending together goes in one message, and is what it would have been alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from headrace.events import Event, PredictionEvent
from headrace.log import RunLog
from headrace.runs.run import Revisions
from headrace.server.errors import PredictionTooLarge
from headrace.server.reader import Delivery, Heartbeat
from headrace.server.selection import EventKind, ReaderOptions
from headrace.server.v1.batching import MAX_BATCH_BYTES, Batches
from headrace.server.v1.events import EventEncoder
from headrace_proto.v1 import headrace_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st
from server.messages import deliveries, message
from server.recordings import custom, entries, recordings, status, token

OPTIONS = ReaderOptions(accept=frozenset(EventKind))
MAX_MESSAGE = 4 * 1024 * 1024
"""What a gRPC client takes by default."""


class Line:
    """Takes what is sent, as bytes."""

    def __init__(self, max_prediction_bytes: int = 2**21) -> None:
        encoder = EventEncoder(
            "r1", Revisions("rev"), OPTIONS, max_prediction_bytes=max_prediction_bytes
        )
        self.sent: list[bytes] = []
        self.batches = Batches(encoder.message, self._send)

    async def _send(self, payload: bytes) -> None:
        self.sent.append(payload)

    async def write(self, told: Sequence[Delivery]) -> None:
        for delivery in told:
            await self.batches.write(delivery)

        await self.batches.flush()

    @property
    def messages(self) -> list[pb.StreamEvent]:
        return [pb.StreamEvent.FromString(payload) for payload in self.sent]


def unpacked(messages: Sequence[pb.StreamEvent]) -> Iterator[pb.StreamEvent]:
    for one in messages:
        yield from one.batch.events if one.HasField("batch") else [one]


@given(recordings(), st.lists(st.integers(1, 9), max_size=20))
async def test_a_batch_holds_what_would_have_come_alone_byte_for_byte(
    events: list[Event], portions: list[int]
) -> None:
    log, line, one = RunLog(), Line(), deliveries(OPTIONS)
    alone: list[bytes] = []

    for event in events:
        log.append(event)

    cursor = log.cursor()

    for limit in [*portions, len(events) + 1]:
        told = list(one.of(cursor.read(limit)))
        alone += [message(delivery, OPTIONS).SerializeToString() for delivery in told]
        before = len(line.sent)
        await line.write(told)
        assert len(line.sent) - before == (1 if told else 0)

    assert [inner.SerializeToString() for inner in unpacked(line.messages)] == alone

    for batch in (one for one in line.messages if one.HasField("batch")):
        assert len(batch.batch.events) > 1
        assert not [inner for inner in batch.batch.events if inner.HasField("batch")]
        batch.ClearField("batch")
        assert batch == pb.StreamEvent(run_id="r1")


async def test_one_alone_comes_as_ever_and_nothing_as_nothing() -> None:
    line = Line()
    await line.write([])
    await line.write(entries(status()))

    assert line.sent == [message(entries(status())[0]).SerializeToString()]


async def test_a_sign_of_life_may_stand_in_a_batch() -> None:
    line = Line()
    await line.write([*entries(status()), Heartbeat(1, 0.0)])

    assert [inner.WhichOneof("event") for inner in unpacked(line.messages)] == [
        "status",
        "heartbeat",
    ]
    assert len(line.sent) == 1


async def test_what_is_too_much_together_goes_in_several_and_a_large_prediction_alone() -> None:
    third = token("x" * (MAX_BATCH_BYTES // 3), 0)
    large = PredictionEvent("", {"answer": "y" * 2_000_000})
    line = Line()
    await line.write(entries(third, status(), third, third, custom(), large))

    assert [one.WhichOneof("event") for one in line.messages] == ["batch", "batch", "prediction"]
    assert [len(one.batch.events) for one in line.messages] == [3, 2, 0]
    assert all(len(payload) <= MAX_BATCH_BYTES for payload in line.sent[:2])
    assert len(line.sent[2]) < MAX_MESSAGE


@given(st.lists(st.integers(0, 3 * MAX_BATCH_BYTES // 2), max_size=12))
async def test_no_batch_is_larger_than_the_bound(sizes: list[int]) -> None:
    line = Line()
    await line.write(entries(*(token("x" * size, 0) for size in sizes)))

    assert [len(inner.token.chunk) for inner in unpacked(line.messages)] == sizes
    assert all(
        len(payload) <= MAX_BATCH_BYTES
        for payload, one in zip(line.sent, line.messages, strict=True)
        if one.HasField("batch")
    )


async def test_what_came_before_a_prediction_that_cannot_be_sent_is_sent() -> None:
    line = Line(max_prediction_bytes=10)

    with pytest.raises(PredictionTooLarge):
        await line.write(
            entries(status(), token("a", 0), PredictionEvent("", {"answer": "x" * 20}))
        )

    assert [inner.WhichOneof("event") for inner in unpacked(line.messages)] == ["status", "token"]
