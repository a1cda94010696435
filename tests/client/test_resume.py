"""The client loop: what cuts a stream is mended, what ends a run or refuses it is not."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import NoReturn, cast

import pytest
from client.events import composer_run, envelope, log, prediction, token, tokens
from client.reading import read_all
from client.scripted_service import FOREVER, Ending, ScriptedService, serving
from grpc import StatusCode, aio
from headrace_client import (
    Client,
    DeadlineExceeded,
    Event,
    LMError,
    PredictionTooLarge,
    QuotaExceeded,
    RunFailed,
    RunLost,
    RunSuspended,
    ServerBusy,
    ServerFault,
    ServerUnreachable,
)
from headrace_client._connection import Connection
from headrace_client._resume import Resumption
from headrace_client._stream import EventCall, EventStream
from headrace_proto.v1 import headrace_pb2 as pb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FAILED = Ending(
    StatusCode.ABORTED,
    "the model went away",
    "LM_UNAVAILABLE",
    "FAILED",
    usage=pb.Usage(lm_call_count=2),
)


def cut(after: int, code: StatusCode = StatusCode.UNAVAILABLE) -> Ending:
    return Ending(code, "scripted cut", after=after)


def cursors(service: ScriptedService) -> list[int]:
    return [request.after_sequence for request in service.requests]


@pytest.mark.parametrize(
    "code",
    [StatusCode.UNAVAILABLE, StatusCode.UNKNOWN, StatusCode.INTERNAL, StatusCode.CANCELLED],
)
async def test_a_cut_stream_goes_on_after_the_last_event(
    client: Client, service: ScriptedService, code: StatusCode
) -> None:
    service.endings = [cut(3, code), cut(4, code), cut(0, code)]

    async with client.run("composer", question="why?") as run:
        events = [event async for event in run]

    assert events == composer_run()
    assert cursors(service) == [0, 3, 7, 7]
    assert {request.run_id for request in service.requests} == {run.run_id}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 4), max_size=6), attached=st.booleans())
async def test_wherever_a_stream_is_cut_nothing_is_lost_nor_comes_twice(
    cuts: list[int], attached: bool
) -> None:
    service = ScriptedService(log(*composer_run()), [cut(after) for after in [1, *cuts]])

    async with serving(service), Client(service.address) as client:
        reader = client.attach("r") if attached else client.run("composer", question="why?")

        async with reader as run:
            events = [event async for event in run]

    assert events == composer_run()


async def test_a_cut_inside_a_merged_group_leaves_texts_whole(
    client: Client, service: ScriptedService
) -> None:
    service.events = [
        envelope(token("a.x", "one "), 1),
        envelope(token("a.x", "two ", 4), 0, count=2),
        envelope(token("b.y", "uno"), 0),
        envelope(token("a.x", "three", 8, last=True), 5),
        envelope(prediction(x="one two three"), 6),
    ]
    service.endings = [cut(3)]

    async with client.run("pair") as run:
        await run.prediction()

    assert cursors(service) == [0, 1]
    assert run.text("a.x") == "one two three"
    assert run.text("b.y") == "uno"


async def test_field_readers_see_text_once_across_a_cut(
    client: Client, service: ScriptedService
) -> None:
    text = tokens("a.x", "one ", "two ", "three")
    service.events = [envelope(text[0], 1), envelope(text[1], 0), envelope(text[2], 3)]
    service.events.append(envelope(prediction(x="one two three"), 4))
    service.endings = [cut(2)]

    async with client.run("pair") as run:
        assert [piece async for piece in run.field("x")] == ["one ", "two ", "three"]


async def test_a_cut_behind_the_prediction_changes_nothing(
    client: Client, service: ScriptedService
) -> None:
    service.endings = [cut(len(service.events))]

    async with client.run("composer", question="why?") as run:
        assert [event async for event in run] == composer_run()

    assert len(service.requests) == 1


async def test_progress_renews_the_patience(service: ScriptedService) -> None:
    service.endings = [cut(1) for _ in service.events[:-1]]

    async with (
        Client(service.address, retries=1) as client,
        client.run("composer", question="why?") as run,
    ):
        assert [event async for event in run] == composer_run()

    assert cursors(service) == list(range(len(service.events)))


async def test_without_progress_the_reader_gives_up_and_says_where(
    service: ScriptedService,
) -> None:
    service.events.insert(2, envelope(pb.Heartbeat(), 2))  # alive, but nothing new
    service.endings = [cut(3), *[cut(0)] * 9]

    async with (
        Client(service.address, retries=5) as client,
        client.run("composer", question="why?") as run,
    ):
        with pytest.raises(ServerUnreachable, match="was read up to event 2") as caught:
            await run.prediction()

        with pytest.raises(ServerUnreachable):
            await run.prediction()

    assert caught.value.run_id == run.run_id
    assert cursors(service) == [0, 2, 2, 2, 2, 2]
    assert not service.cancelled.is_set(), "a run whose reader lost it may be attached to again"


async def test_a_server_that_never_answered_is_given_up_sooner() -> None:
    service = ScriptedService(endings=[cut(0)] * 20)

    async with serving(service), Client(service.address) as client:
        with pytest.raises(ServerUnreachable, match=f"no server answers at {service.address}"):
            await read_all(client.run("composer"))

    assert len(service.requests) == 5


async def test_nobody_listening_is_told_within_seconds() -> None:
    async with serving(ScriptedService()) as service:
        gone = service.address

    async with Client(gone) as client:
        with pytest.raises(ServerUnreachable, match=f"no server answers at {gone}") as caught:
            await read_all(client.run("composer"))

    assert caught.value.code is StatusCode.UNAVAILABLE


async def test_a_busy_server_is_asked_again_no_sooner_than_it_said(
    client: Client, service: ScriptedService
) -> None:
    service.endings = [
        Ending(StatusCode.UNAVAILABLE, "busy", "SERVER_BUSY", retry_delay=0.2, after=0)
    ]
    before = time.monotonic()

    async with client.run("composer", question="why?") as run:
        await run.prediction()

    assert time.monotonic() - before >= 0.2
    assert len(service.requests) == 2


async def test_a_server_that_stays_busy_is_named_as_such(service: ScriptedService) -> None:
    busy = Ending(StatusCode.UNAVAILABLE, "32 runs", "SERVER_BUSY", retry_delay=0.001, after=0)
    service.endings = [busy] * 9

    async with Client(service.address, retries=2) as client:
        with pytest.raises(ServerBusy, match="32 runs") as caught:
            await read_all(client.run("composer"))

    assert caught.value.retry_delay == pytest.approx(0.001)
    assert len(service.requests) == 3


async def test_a_run_that_failed_is_not_asked_for_again(
    client: Client, service: ScriptedService
) -> None:
    service.events = service.events[:3]
    service.endings = [FAILED]
    events: list[Event] = []

    async with client.run("composer", question="why?") as run:
        with pytest.raises(LMError, match="the model went away") as caught:
            events.extend([event async for event in run])

    error = caught.value
    assert isinstance(error, RunFailed)
    assert (error.code, error.reason) == (StatusCode.ABORTED, "LM_UNAVAILABLE")
    assert (error.run_id, error.run_state) == (run.run_id, "FAILED")
    assert error.usage == pb.Usage(lm_call_count=2)
    assert [type(request) for request in service.requests] == [pb.RunRequest]
    assert not service.cancelled.is_set()


async def test_a_prediction_too_large_for_its_form_is_not_asked_for_again(
    client: Client, service: ScriptedService
) -> None:
    service.events.pop()
    service.endings = [
        Ending(
            StatusCode.RESOURCE_EXHAUSTED,
            "it fits as JSON",
            "PREDICTION_TOO_LARGE",
            "SUCCEEDED",
            metadata={"form": "STRUCT", "fits": "JSON"},
        )
    ]

    async with client.run("composer", output_form="struct", question="why?") as run:
        with pytest.raises(PredictionTooLarge, match="fits as JSON") as caught:
            await run.prediction()

    assert (caught.value.run_state, caught.value.metadata["fits"]) == ("SUCCEEDED", "JSON")
    assert [type(request) for request in service.requests] == [pb.RunRequest]


class Refused:
    """A stream whose refusal comes only after gRPC has called it connected, as happens."""

    async def wait_for_connection(self) -> None:
        pass

    async def initial_metadata(self) -> aio.Metadata:
        return aio.Metadata()

    async def read(self) -> NoReturn:
        code, none = StatusCode.RESOURCE_EXHAUSTED, aio.Metadata()
        raise aio.AioRpcError(
            code, none, none, "SERVER: Received message larger than max (2 vs. 1)"
        )


async def test_a_refusal_that_comes_late_is_no_answer(service: ScriptedService) -> None:
    connection = Connection(
        service.address, token=None, credentials=None, channel_options={}, call_timeout=1.0
    )
    resumption = Resumption(connection, "r1", retries=1, timeout=None)

    def open_call(cursor: int, seconds: float | None) -> EventCall:
        return cast("EventCall", Refused())

    stream = EventStream(connection, open_call, resumption)

    with pytest.raises(QuotaExceeded):
        await stream.accepted()


async def test_an_answer_larger_than_the_client_takes_fails_by_that_name_and_is_not_asked_for_again(
    service: ScriptedService,
) -> None:
    large = prediction(text="x" * 70_000)
    service.events = log(large)
    service.run = pb.Run(state=pb.Run.STATE_SUCCEEDED, prediction=large)
    narrow = {"grpc.max_receive_message_length": 65_536}

    async with Client(service.address, channel_options=narrow) as client:
        for asking in (read_all(client.run("composer")), client.predict("composer")):
            with pytest.raises(PredictionTooLarge, match='ask for output_form="json"'):
                await asking

        with pytest.raises(PredictionTooLarge, match="max_receive_message_length") as caught:
            await client.get_run("r1")

    assert (caught.value.code, caught.value.run_id) == (StatusCode.RESOURCE_EXHAUSTED, "r1")
    assert [type(request) for request in service.requests] == [
        pb.RunRequest,
        pb.PredictRequest,
        pb.GetRunRequest,
    ]


async def test_every_reader_of_a_failed_run_gets_the_failure(
    client: Client, service: ScriptedService
) -> None:
    service.events = service.events[:8]
    service.endings = [FAILED]
    texts = ["", ""]

    async with client.run("composer", question="why?") as run:

        async def read(position: int, field: str) -> None:
            async for piece in run.field(field):
                texts[position] += piece

        failures = await asyncio.gather(
            read(0, "brainstorm"), read(1, "evidence"), return_exceptions=True
        )

    assert texts == ["Rivers carry light.", "In 1911 it rained."]
    assert [type(failure) for failure in failures] == [LMError, LMError]


async def test_a_run_that_the_server_forgot_is_lost_not_unknown(
    client: Client, service: ScriptedService
) -> None:
    service.endings = [
        cut(3),
        Ending(StatusCode.NOT_FOUND, "no such run", "RUN_NOT_FOUND", after=0),
    ]

    async with client.run("composer", question="why?") as run:
        with pytest.raises(RunLost, match=f"no longer knows run {run.run_id}"):
            await run.prediction()


async def test_silence_counts_as_a_cut(
    client: Client, service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace_client._stream.LONGEST_SILENCE", 0.1)
    service.endings = [FOREVER]
    service.events = log(*composer_run())[:3]

    async with client.run("composer", question="why?") as run:
        iterator = aiter(run)
        before = [await anext(iterator) for _ in range(3)]
        service.events = log(*composer_run())
        after = [event async for event in iterator]

    assert [*before, *after] == composer_run()
    assert cursors(service) == [0, 3]


# Runs that wait


@pytest.mark.parametrize("state", ["WAITING", "PARKED"])
@pytest.mark.parametrize("code", [StatusCode.UNAVAILABLE, StatusCode.CANCELLED, StatusCode.OK])
async def test_a_run_that_is_neither_over_nor_to_be_read_on_ends_reading_at_once(
    client: Client, service: ScriptedService, state: str, code: StatusCode
) -> None:
    service.events = service.events[:3]
    service.endings = [Ending(code, "scripted", run_state=state)]

    async with client.run("composer", run_id="r-1", question="why?") as run:
        with pytest.raises(RunSuspended, match="not over: ask `get_run`") as caught:
            await run.prediction()

        with pytest.raises(RunSuspended):
            await run.prediction()

    assert run.cursor == 3
    assert (caught.value.run_id, caught.value.run_state) == ("r-1", state)
    assert [type(request) for request in service.requests] == [pb.RunRequest], "it goes on"


async def test_such_a_run_ends_a_predict_at_once(client: Client, service: ScriptedService) -> None:
    service.endings = [Ending(StatusCode.UNAVAILABLE, "scripted", run_state="PARKED")]

    with pytest.raises(RunSuspended):
        await client.predict("composer", question="why?")

    assert [type(request) for request in service.requests] == [pb.PredictRequest]


async def test_streams_that_last_are_opened_again_however_long_the_run_waits(
    service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace_client._resume.LASTING_SECONDS", 0.0)
    service.events.insert(2, envelope(pb.Heartbeat(), 2))
    aged = [Ending(StatusCode.UNAVAILABLE, "aged", "STREAM_AGED", after=n) for n in (3, *[1] * 9)]
    service.endings = aged

    async with (
        Client(service.address, retries=2) as client,
        client.run("composer", question="why?") as run,
    ):
        assert [event async for event in run] == composer_run()

    assert cursors(service) == [0, *[2] * 10]


# Deadlines


async def test_a_run_that_outlives_its_timeout_ends_for_its_reader_too(
    client: Client, service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace_client._client.OVERTIME_SECONDS", 0.0)
    service.endings = [FOREVER]
    service.events = service.events[:2]

    async with client.run("composer", question="why?", timeout=0.2) as run:
        with pytest.raises(DeadlineExceeded, match="did not end in the time given") as caught:
            await run.prediction()

    assert caught.value.run_id == run.run_id
    assert service.requests[0].timeout.nanos == 200_000_000


async def test_waiting_to_try_again_does_not_pass_the_deadline(
    client: Client, service: ScriptedService
) -> None:
    service.endings = [
        Ending(StatusCode.UNAVAILABLE, "busy", "SERVER_BUSY", retry_delay=60, after=0)
    ]

    async with asyncio.timeout(3):
        with pytest.raises(DeadlineExceeded):
            await read_all(client.attach("r", timeout=5))


# Predict


async def test_predict_is_made_again_with_the_same_run_id_when_it_is_cut(
    client: Client, service: ScriptedService
) -> None:
    service.endings = [Ending(StatusCode.UNAVAILABLE), Ending(StatusCode.INTERNAL)]

    await client.predict("composer", question="why?")

    assert len(service.requests) == 3
    assert len({request.run_id for request in service.requests}) == 1


async def test_a_predict_that_is_cut_at_once_is_given_up_however_old_it_is(
    service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = count()
    monkeypatch.setattr("headrace_client._resume._now", lambda: float(next(clock)))
    service.endings = [Ending(StatusCode.UNAVAILABLE, is_accepted=True)] * 50

    async with Client(service.address, retries=20) as client:
        with pytest.raises(ServerUnreachable):
            await client.predict("composer", question="why?")

    assert len(service.requests) == 21


async def test_predict_raises_the_failure_of_its_run(
    client: Client, service: ScriptedService
) -> None:
    service.endings = [FAILED]

    with pytest.raises(LMError) as caught:
        await client.predict("composer", question="why?")

    assert caught.value.usage == pb.Usage(lm_call_count=2)
    assert [type(request) for request in service.requests] == [pb.PredictRequest]


async def test_cancelling_a_predict_stops_its_run(client: Client, service: ScriptedService) -> None:
    service.unanswered = pb.PredictRequest
    task = asyncio.create_task(client.predict("composer", question="why?"))

    async with asyncio.timeout(5):
        await service.asked.wait()
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task

    assert service.cancelled.is_set()


# A server that goes away


async def test_a_server_that_comes_back_is_found_again() -> None:
    service = ScriptedService(log(*composer_run())[:3], [FOREVER])

    async with serving(service):
        client = Client(service.address)
        reader = client.run("composer", question="why?")
        run = await reader.__aenter__()
        iterator = aiter(run)
        before = [await anext(iterator) for _ in range(3)]

    service.events = log(*composer_run())

    async with serving(service, port=int(service.address.rpartition(":")[2])):
        after = [event async for event in iterator]
        await reader.__aexit__(None, None, None)
        await client.close()

    assert [*before, *after] == composer_run()


async def test_a_server_of_another_kind_is_named_as_such() -> None:
    service = ScriptedService(endings=[Ending(StatusCode.UNIMPLEMENTED)])

    async with serving(service), Client(service.address) as client:
        with pytest.raises(ServerFault, match="does not serve this call"):
            await client.programs()


async def test_calls_with_one_answer_are_repeated_by_the_channel(
    client: Client, service: ScriptedService
) -> None:
    service.endings = [Ending(StatusCode.UNAVAILABLE)] * 3
    service.programs = [pb.Program(name="a")]

    assert [program.name for program in await client.programs()] == ["a"]
    assert len(service.requests) == 4


async def test_ready_waits_for_the_server_within_a_bound(client: Client) -> None:
    await client.ready(5)

    async with Client("127.0.0.1:1") as nowhere:
        with pytest.raises(
            DeadlineExceeded, match=r"no server answers at 127\.0\.0\.1:1: none within 0\.05 s"
        ):
            await nowhere.ready(0.05)
