"""Telling, over the wire: who accepts what programs tell gets it, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import headrace
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode
from headrace.errors import UsageError
from headrace.runs.limits import Limits
from headrace.server.v1.batching import MAX_BATCH_BYTES
from headrace.threads import portal
from headrace_proto.v1 import headrace_pb2 as pb
from server.scripted import Gate, soon, write
from server.serving import Heard, Served, asking, heard, program, served

CUSTOM, INPUT, BATCH = pb.EVENT_KIND_CUSTOM, pb.EVENT_KIND_INPUT, pb.EVENT_KIND_BATCH
NO_HEARTBEATS = Duration()


async def silent(question: str) -> object:
    write("answer", "so", " be", " it")
    write("answer", "again")
    return question


async def telling(question: str) -> object:
    headrace.emit("begun")
    write("answer", "so", " be", " it")
    headrace.emit("half", {"done": 0.5})
    headrace.emit("half")
    write("answer", "again")
    headrace.emit("over")
    return question


def options(*accept: Any, **more: Any) -> pb.StreamOptions:
    return pb.StreamOptions(accept=accept, heartbeat_interval=NO_HEARTBEATS, **more)


async def follow(service: Served, run_id: str, options: pb.StreamOptions, after: int = 0) -> Heard:
    request = pb.AttachRequest(run_id=run_id, after_sequence=after, options=options)

    return await soon(heard(service.stub.Attach(request)))


async def bytes_of(service: Served, chosen: pb.StreamOptions) -> list[bytes]:
    """What a reader of a run that is over gets, without what no two runs share."""
    request = asking(run_id="r1", options=chosen, linger=Duration(seconds=60))
    await soon(heard(service.stub.Run(request)))
    messages = (await follow(service, "r1", chosen)).events

    for one in messages:
        for name in ("sequence", "event_count", "create_time"):
            one.ClearField(name)

        if one.HasField("status"):
            one.status.ClearField("elapsed")

        if one.HasField("prediction"):
            one.prediction.ClearField("elapsed")
            one.prediction.ClearField("revision")

    return [one.SerializeToString() for one in messages]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"token_detail": pb.TOKEN_DETAIL_WHOLE},
        {"token_detail": pb.TOKEN_DETAIL_NONE},
        {"status_detail": pb.STATUS_DETAIL_NONE},
    ],
    ids=str,
)
async def test_who_accepts_nothing_gets_the_bytes_of_a_program_that_is_silent(
    more: dict[str, Any],
) -> None:
    async with served(program(silent)) as plain, served(program(telling)) as told:
        assert await bytes_of(told, options(**more)) == await bytes_of(plain, options(**more))


async def test_who_accepts_it_gets_what_was_told_in_its_order() -> None:
    async with served(program(telling)) as service:
        quick = options(CUSTOM)
        ended = await soon(heard(service.stub.Run(asking(run_id="r1", options=quick))))

    told = [one.custom for one in ended.events if one.HasField("custom")]
    assert [(one.name, one.call_id, one.data_json) for one in told] == [
        ("begun", 2, "null"),
        ("half", 2, '{"done":0.5}'),
        ("half", 2, "null"),
        ("over", 2, "null"),
    ]
    assert [one for one in ended.outline if one in ("custom", "token again")] == [
        "custom",
        "custom",
        "custom",
        "token again",
        "custom",
    ]


def assert_counted(messages: Sequence[pb.StreamEvent], after: int, last: int) -> None:
    position, counted = after, 0

    for one in messages:
        counted += one.event_count

        if one.sequence:
            assert counted == one.sequence - position
            position, counted = one.sequence, 0

    assert position == last


@pytest.mark.parametrize("accept", [[], [CUSTOM], [INPUT], [CUSTOM, INPUT, BATCH, 99]], ids=str)
async def test_counts_add_up_for_everyone_from_everywhere(accept: list[Any]) -> None:
    async with served(program(telling)) as service:
        request = asking(run_id="r1", linger=Duration(seconds=60))
        last = (await soon(heard(service.stub.Run(request)))).events[-1].sequence

        for after in range(last):
            ended = await follow(service, "r1", options(*accept), after)
            assert ended.code is StatusCode.OK
            assert_counted(unpacked(ended.events), after, last)


def unpacked(messages: Sequence[pb.StreamEvent]) -> list[pb.StreamEvent]:
    return [
        inner
        for one in messages
        for inner in (one.batch.events if one.HasField("batch") else [one])
    ]


@pytest.mark.parametrize("accept", [[], [CUSTOM]], ids=str)
async def test_a_batch_holds_what_others_get_alone(accept: list[Any]) -> None:
    async with served(program(telling)) as service:
        request = asking(run_id="r1", linger=Duration(seconds=60))
        await soon(heard(service.stub.Run(request)))
        alone = (await follow(service, "r1", options(*accept))).events
        together = (await follow(service, "r1", options(BATCH, *accept))).events

        assert [one.WhichOneof("event") for one in together] == ["batch"]
        assert [inner.SerializeToString() for inner in unpacked(together)] == [
            one.SerializeToString() for one in alone
        ]
        together[0].ClearField("batch")
        assert together[0] == pb.StreamEvent(run_id="r1")


async def test_what_happens_while_nothing_is_pending_is_not_held_back() -> None:
    gate = Gate()

    async with served(program(gate.play)) as service:
        call = service.stub.Run(asking(options=pb.StreamOptions(accept=[BATCH])))
        first = await soon(anext(aiter(call)))
        gate.opened.set()
        rest = (await soon(heard(call))).events

    before = [one.WhichOneof("event") for one in unpacked([first])]
    after = [one.WhichOneof("event") for one in unpacked(rest)]
    assert before[-1] == "heartbeat"
    assert "prediction" not in before
    assert after[-1] == "prediction"
    assert len(rest) <= 2


async def test_a_reader_that_collects_tokens_gets_statuses_at_once_in_batches_too() -> None:
    gate = Gate()
    slow = options(BATCH, merge_interval=Duration(seconds=50))

    async with served(program(gate.play)) as service:
        call = service.stub.Run(asking(options=slow))
        first = await soon(anext(aiter(call)))
        assert unpacked([first])[0].HasField("status")
        gate.opened.set()
        rest = (await soon(heard(call))).events

    assert unpacked(rest)[-1].HasField("prediction")


async def test_large_events_that_are_pending_together_come_in_several_batches() -> None:
    async def play(question: str) -> object:
        for number in range(12):
            headrace.emit(f"part {number}", "x" * 20_000)

        return question

    async with served(program(play)) as service:
        request = asking(run_id="r1", linger=Duration(seconds=60))
        await soon(heard(service.stub.Run(request)))
        together = (await follow(service, "r1", options(BATCH, CUSTOM))).events

    assert [one.custom.name for one in unpacked(together) if one.HasField("custom")] == [
        f"part {number}" for number in range(12)
    ]
    assert len(together) == 4
    assert all(one.ByteSize() <= MAX_BATCH_BYTES for one in together)


async def test_what_is_told_counts_against_the_size_of_a_run() -> None:
    async def play(question: str) -> object:
        for _ in range(100):
            headrace.emit("part", "x" * 900)
            await asyncio.sleep(0)

        return question

    async with served(program(play), limits=Limits(max_run_bytes=20_000)) as service:
        ended = await soon(heard(service.stub.Run(asking())))

    assert ended.trailers["headrace-error-reason"] == "RUN_TOO_LARGE"


@pytest.mark.parametrize("forwarded", [False, True], ids=["async", "in a thread"])
async def test_a_program_that_tells_too_much_and_waits_for_nothing_is_held_to_that_size(
    forwarded: bool,
) -> None:
    def flood() -> None:
        for _ in range(10_000):
            headrace.emit("part", "x" * 900)

    async def play(question: str) -> object:
        if forwarded:
            await portal.in_thread(flood)
        else:
            flood()

        return question

    async with served(program(play), limits=Limits(max_run_bytes=20_000)) as service:
        ended = await soon(heard(service.stub.Run(asking(options=options(CUSTOM)))))

    told = [one for one in ended.events if one.HasField("custom")]
    assert ended.trailers["headrace-error-reason"] == "RUN_TOO_LARGE"
    assert ended.details == "the run recorded more than 20000 bytes"
    assert len(told) == 17


async def test_the_server_sets_the_bound_and_says_so() -> None:
    async def play(question: str) -> object:
        headrace.emit("part", "x" * 98)
        headrace.emit("part", "x" * 99)
        return question

    async with served(program(play), limits=Limits(max_custom_event_bytes=100)) as service:
        info = await soon(service.stub.GetServerInfo(pb.GetServerInfoRequest()))
        ended = await soon(heard(service.stub.Run(asking(options=options(CUSTOM)))))

    assert info.limits.max_custom_event_bytes == 100
    assert [one.WhichOneof("event") for one in ended.events].count("custom") == 1
    assert ended.trailers["headrace-error-reason"] == UsageError.reason
    assert ended.details == (
        "emit('part', data): data takes 101 bytes of JSON, and an event at most 100; tell less at a "
        "time, or a summary"
    )
