"""Events that came together in one message: the reader sees them one by one, wherever it stops."""

from __future__ import annotations

import asyncio

import grpc
from client.events import composer_run, custom, envelope, log, prediction, token
from client.scripted_service import Ending, ScriptedService, serving
from headrace_client import Client, Event, RunStream
from headrace_proto.v1 import headrace_pb2 as pb
from hypothesis import given, settings
from hypothesis import strategies as st

ARMS = [*composer_run()[:-1], custom("progress", done=1), composer_run()[-1]]
SIZES = st.integers(2, len(ARMS) + 1)
POSITIONS = list(range(1, len(ARMS) + 1))


def batching(size: int, *endings: Ending) -> ScriptedService:
    service = ScriptedService(log(*ARMS), endings)
    service.batch_size = size

    return service


def cut(after: int) -> Ending:
    return Ending(grpc.StatusCode.UNAVAILABLE, "scripted cut", after=after)


async def positions_of(run: RunStream, events: list[Event]) -> list[tuple[int, int]]:
    """Reads to the end, into `events`; gives the cursor and the last event's position after each."""
    seen: list[tuple[int, int]] = []

    async for event in run:
        events.append(event)
        assert run.last_event is not None
        seen.append((run.cursor, run.last_event.sequence))

    return seen


@settings(max_examples=30)
@given(size=SIZES, cuts=st.lists(st.integers(0, 6), max_size=5))
async def test_batches_cut_anywhere_read_as_single_events_do(size: int, cuts: list[int]) -> None:
    events: list[Event] = []

    async with (
        serving(batching(size, *map(cut, [1, *cuts]))) as service,
        Client(service.address) as client,
        client.run("composer") as run,
    ):
        seen = await positions_of(run, events)

    assert events == ARMS
    assert seen == [(position, position) for position in POSITIONS]


@settings(max_examples=30)
@given(size=SIZES, taken=st.integers(0, len(ARMS) - 1))
async def test_a_reader_that_leaves_inside_a_batch_finds_the_rest_by_its_cursor(
    size: int, taken: int
) -> None:
    async with serving(batching(size)) as service, Client(service.address) as client:
        async with client.attach("r") as first:
            iterator = aiter(first)
            events = [await anext(iterator) for _ in range(taken)]

        async with client.attach("r", after_sequence=first.cursor) as second:
            seen = await positions_of(second, events)

    assert first.cursor == taken
    assert events == ARMS
    assert seen == [(position, position) for position in POSITIONS[taken:]]


async def test_what_has_come_is_read_before_a_cut_is_noticed() -> None:
    async with (
        serving(batching(4, cut(4))) as service,
        Client(service.address) as client,
        client.attach("r") as run,
    ):
        iterator = aiter(run)
        await anext(iterator)
        await service.ended.wait()
        events = [await anext(iterator) for _ in range(3)]
        asked = [request.after_sequence for request in service.requests]
        events += [event async for event in iterator]

    assert events == ARMS[1:]
    assert asked == [0]
    assert [request.after_sequence for request in service.requests] == [0, 4]


async def test_a_merged_group_inside_a_batch_leaves_texts_whole() -> None:
    service = ScriptedService(
        [
            envelope(token("a.x", "one "), 1),
            envelope(token("a.x", "two ", 4), 0, count=2),
            envelope(token("b.y", "uno", last=True), 0),
            envelope(token("a.x", "three", 8, last=True), 5),
            envelope(prediction(x="one two three"), 6),
        ],
        [cut(3)],
    )
    service.batch_size = 3

    async with (
        serving(service),
        Client(service.address) as client,
        client.run("pair") as run,
    ):
        pieces = [piece async for piece in run.field("x")]

    assert [request.after_sequence for request in service.requests] == [0, 1]
    assert pieces == ["one ", "two ", "three"]
    assert run.text("b.y") == "uno"


async def test_a_heartbeat_or_an_unknown_kind_inside_a_batch_stays_inside() -> None:
    service = ScriptedService(
        [
            envelope(custom("begun"), 1),
            pb.StreamEvent(sequence=2),
            envelope(pb.Heartbeat(), 2),
            envelope(prediction(x=1), 3),
        ]
    )
    service.batch_size = 4

    async with serving(service), Client(service.address) as client, client.run("pair") as run:
        assert [event async for event in run] == [custom("begun"), prediction(x=1)]
        assert run.cursor == 3


async def test_a_batch_of_nothing_is_nothing() -> None:
    service = ScriptedService([pb.StreamEvent(batch=pb.EventBatch()), *log(prediction(x=1))])

    async with serving(service), Client(service.address) as client, client.run("pair") as run:
        assert [event async for event in run] == [prediction(x=1)]


async def test_field_readers_share_the_events_of_a_batch() -> None:
    async def joined(run: RunStream, selector: str) -> str:
        return "".join([piece async for piece in run.field(selector)])

    async with (
        serving(batching(5)) as service,
        Client(service.address) as client,
        client.run("composer") as run,
    ):
        ideas, evidence = await asyncio.gather(joined(run, "brainstorm"), joined(run, "evidence"))

    assert (ideas, evidence) == ("Rivers carry light.", "In 1911 it rained.")
