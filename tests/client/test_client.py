"""A run as Python code sees it, over real gRPC."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import grpc
import pytest
from client.events import composer_run, duration, envelope, log, prediction, token, tokens
from client.reading import read_all
from client.scripted_service import FOREVER, Ending, ScriptedService
from headrace_client import (
    Client,
    Event,
    ServerFault,
    StreamClosed,
    StreamConsumed,
    StreamNotOpen,
    outputs,
)
from headrace_proto.v1 import headrace_pb2 as pb

INTERNAL = grpc.StatusCode.INTERNAL


async def test_a_run_gives_the_arms_of_its_events_and_keeps_heartbeats_inside(
    client: Client, service: ScriptedService
) -> None:
    arms = composer_run()
    service.events = log(arms[0], pb.Heartbeat(), *arms[1:])

    async with client.run("composer", question="why?") as run:
        events = [event async for event in run]

    assert events == arms


async def test_an_event_can_be_matched_by_its_parts(client: Client) -> None:
    texts: list[str] = []

    async with client.run("composer", question="why?") as run:
        async for event in run:
            match event:
                case pb.Token(predictor="compose", chunk=chunk):
                    texts.append(chunk)
                case pb.Prediction():
                    texts.append(outputs(event)["answer"])
                case _:
                    pass

    assert texts == ["Because ", "of rain.", "Because of rain."]


async def test_the_request_names_a_fresh_run_that_survives_a_broken_connection(
    client: Client, service: ScriptedService
) -> None:
    async with client.run("composer", question="why?") as run:
        await run.prediction()

    (request,) = service.requests
    assert str(uuid.UUID(request.run_id)) == run.run_id
    assert request == pb.RunRequest(
        program="composer",
        inputs_json='{"question": "why?"}',
        run_id=run.run_id,
        options=pb.StreamOptions(
            token_detail=pb.TOKEN_DETAIL_ALL,
            status_detail=pb.STATUS_DETAIL_ALL,
            heartbeat_interval=duration(15),
            output_form=pb.OUTPUT_FORM_JSON,
            accept=[pb.EVENT_KIND_CUSTOM, pb.EVENT_KIND_INPUT, pb.EVENT_KIND_BATCH],
        ),
        linger=duration(30),
    )


async def test_the_request_carries_every_option(client: Client, service: ScriptedService) -> None:
    async with client.run(
        "composer",
        inputs={"timeout": 9007199254740993},
        fields=["compose.answer", "*"],
        token_detail="none",
        status_detail="messages",
        include_data=True,
        merge_interval=0.05,
        output_form="both",
        accept=["input"],
        timeout=60,
        linger=1.5,
        labels={"team": "blue"},
        revision="abc",
        interface_revision="def",
        run_id="mine",
        question="why?",
    ) as run:
        await run.prediction()

    assert service.requests == [
        pb.RunRequest(
            program="composer",
            inputs_json='{"timeout": 9007199254740993, "question": "why?"}',
            run_id="mine",
            options=pb.StreamOptions(
                fields=["compose.answer", "*"],
                token_detail=pb.TOKEN_DETAIL_NONE,
                status_detail=pb.STATUS_DETAIL_MESSAGES,
                include_data=True,
                merge_interval=duration(0.05),
                heartbeat_interval=duration(15),
                output_form=pb.OUTPUT_FORM_BOTH,
                accept=[pb.EVENT_KIND_INPUT, pb.EVENT_KIND_BATCH],
            ),
            timeout=duration(60),
            linger=duration(1.5),
            labels={"team": "blue"},
            revision="abc",
            interface_revision="def",
        )
    ]


async def test_the_envelope_and_the_cursor_follow_the_events(client: Client) -> None:
    positions: list[tuple[int, int]] = []

    async with client.run("composer", question="why?") as run:
        assert (run.cursor, run.last_event) == (0, None)

        async for _ in run:
            assert run.last_event is not None
            positions.append((run.cursor, run.last_event.sequence))

    assert positions == [(n, n) for n in range(1, len(composer_run()) + 1)]


async def test_the_prediction_can_be_had_without_iterating(client: Client) -> None:
    async with client.run("composer", question="why?") as run:
        assert await run.prediction() == prediction(answer="Because of rain.")
        assert await run.result() == {"answer": "Because of rain."}

    assert await run.result() == {"answer": "Because of rain."}


async def test_iterating_may_stop_anywhere_before_the_prediction_is_asked_for(
    client: Client,
) -> None:
    async with client.run("composer", question="why?") as run:
        async for _ in run:
            break

        assert await run.result() == {"answer": "Because of rain."}


async def test_results_keep_integers_exact(client: Client, service: ScriptedService) -> None:
    service.events = log(prediction(count=2**60 + 1, ratio=0.5, items=[1, None, {"a": True}]))

    async with client.run("counter") as run:
        assert await run.result() == {
            "count": 2**60 + 1,
            "ratio": 0.5,
            "items": [1, None, {"a": True}],
        }


async def test_outputs_without_json_text_come_from_the_struct() -> None:
    answer = prediction(answer="yes", parts=["a"])
    answer.ClearField("outputs_json")

    assert outputs(answer) == {"answer": "yes", "parts": ["a"]}


async def test_the_text_of_a_field_grows_while_events_are_read(client: Client) -> None:
    grown: list[str] = []

    async with client.run("composer", question="why?") as run:
        assert run.text("ideas.brainstorm.brainstorm") == ""

        async for _ in run:
            text = run.text("ideas.brainstorm.brainstorm")
            grown.extend([text] if text not in grown else [])

    assert grown == ["", "Rivers ", "Rivers carry ", "Rivers carry light."]
    assert run.text("ideas.brainstorm.predict.brainstorm") == "Rivers carry light."


async def test_the_text_is_that_of_the_latest_call_unless_one_is_named(
    client: Client, service: ScriptedService
) -> None:
    service.events = log(
        *tokens("react.thought", "first", call_id=2),
        *tokens("react.thought", "second", call_id=7),
        prediction(answer=""),
    )

    async with client.run("agent") as run:
        await run.prediction()

    assert run.text("react.thought") == "second"
    assert run.text("react.thought", call_id=2) == "first"


async def test_a_field_streams_its_text_alone(client: Client) -> None:
    async with client.run("composer", question="why?") as run:
        pieces = [piece async for piece in run.field("answer")]

    assert pieces == ["Because ", "of rain."]


async def test_fields_stream_side_by_side_each_whole(client: Client) -> None:
    async def joined(pieces: AsyncIterator[str]) -> str:
        return "".join([piece async for piece in pieces])

    async with client.run("composer", question="why?") as run:
        texts = tuple(
            await asyncio.gather(
                joined(run.field("brainstorm")),
                joined(run.field("evidence.probe.evidence")),
                joined(run.field("compose.answer")),
                joined(run.field("nowhere")),
            )
        )
        assert await run.result() == {"answer": "Because of rain."}

    assert texts == ("Rivers carry light.", "In 1911 it rained.", "Because of rain.", "")


async def test_a_field_reader_that_takes_its_time_misses_nothing(client: Client) -> None:
    async with client.run("composer", question="why?") as run:
        slow = run.field("answer")
        pieces = [await anext(slow)]
        await run.prediction()
        pieces += [piece async for piece in slow]

    assert pieces == ["Because ", "of rain."]


async def test_a_field_reader_that_is_cancelled_takes_nothing_from_the_others(
    client: Client, service: ScriptedService
) -> None:
    service.events = log(*composer_run())[:5]
    service.endings = [FOREVER]
    first = asyncio.Event()

    async def read(pieces: AsyncIterator[str]) -> list[str]:
        read: list[str] = []

        async for piece in pieces:
            read.append(piece)
            first.set()

        return read

    async with client.run("composer", question="why?") as run:
        impatient = asyncio.create_task(read(run.field("brainstorm")))
        await first.wait()
        patient = asyncio.create_task(read(run.field("evidence")))
        service.events = log(*composer_run())
        impatient.cancel()

        assert "".join(await patient) == "In 1911 it rained."


async def test_merged_tokens_and_positions_left_open_are_taken_in(
    client: Client, service: ScriptedService
) -> None:
    service.events = [
        envelope(token("a.x", "one "), 0, count=2),
        envelope(token("b.y", "uno "), 3, count=1),
        envelope(token("a.x", "two", 4, last=True), 4),
        envelope(prediction(x="one two"), 5),
    ]

    async with client.run("pair") as run:
        cursors = [run.cursor async for _ in run]

    assert cursors == [0, 3, 4, 5]
    assert run.text("a.x") == "one two"


async def test_an_arm_of_a_later_version_is_passed_over_but_its_position_counts(
    client: Client, service: ScriptedService
) -> None:
    service.events = [pb.StreamEvent(sequence=1), envelope(prediction(answer="yes"), 2)]

    async with client.run("composer") as run:
        assert [event async for event in run] == [prediction(answer="yes")]
        assert run.cursor == 2


# Leaving


async def test_leaving_early_stops_the_run(client: Client, service: ScriptedService) -> None:
    service.endings = [FOREVER]
    service.events = log(*composer_run())[:3]

    async with client.run("composer", question="why?") as run:
        async for _ in run:
            break

    assert service.requests_of(pb.CancelRunRequest) == [
        pb.CancelRunRequest(run_id=run.run_id, reason="the reader left")
    ]
    await asyncio.wait_for(service.left.wait(), 5)


async def test_an_exception_in_the_block_stops_the_run_and_goes_on(
    client: Client, service: ScriptedService
) -> None:
    service.endings = [FOREVER]

    with pytest.raises(ZeroDivisionError):
        async with client.run("composer", question="why?"):
            raise ZeroDivisionError

    assert service.cancelled.is_set()


async def test_cancelling_the_task_that_reads_stops_the_run(
    client: Client, service: ScriptedService
) -> None:
    service.endings = [FOREVER]
    service.events = log(*composer_run())[:1]
    first = asyncio.Event()

    async def read() -> None:
        async with client.run("composer", question="why?") as run:
            async for _ in run:
                first.set()

    task = asyncio.create_task(read())
    await first.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    assert service.cancelled.is_set()


async def test_leaving_after_the_prediction_stops_nothing(
    client: Client, service: ScriptedService
) -> None:
    async with client.run("composer", question="why?") as run:
        async for event in run:
            if isinstance(event, pb.Prediction):
                break

    assert len(service.requests) == 1
    assert not service.left.is_set()


async def test_leaving_a_detached_run_stops_nothing(
    client: Client, service: ScriptedService
) -> None:
    service.endings = [FOREVER]
    service.events = log(*composer_run())[:1]

    async with client.run("composer", question="why?", linger=600) as run:
        await anext(aiter(run))
        run.detach()

    await asyncio.wait_for(service.left.wait(), 5)
    assert not service.cancelled.is_set()


async def test_inside_the_block_the_server_has_accepted_the_run(
    client: Client, service: ScriptedService
) -> None:
    async with client.run("composer", question="why?") as run:
        run.detach()

    assert [request.run_id for request in service.requests] == [run.run_id]


async def test_cancelling_the_task_that_opens_a_run_stops_it(
    client: Client, service: ScriptedService
) -> None:
    service.unanswered = pb.RunRequest
    task = asyncio.create_task(read_all(client.run("composer", question="why?")))
    await service.asked.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    assert service.cancelled.is_set()


async def test_leaving_is_bounded_even_if_the_server_does_not_answer(
    client: Client, service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.endings = [FOREVER]
    service.unanswered = pb.CancelRunRequest
    monkeypatch.setattr("headrace_client._run.GOODBYE_SECONDS", 0.05)

    async with asyncio.timeout(5):
        async with client.run("composer", question="why?"):
            pass

    assert service.asked.is_set()


async def test_a_run_can_be_stopped_while_it_is_read(
    client: Client, service: ScriptedService
) -> None:
    service.endings = [FOREVER]

    async with client.run("composer", question="why?") as run:
        answer = await run.cancel("enough")

    assert answer.run.state == pb.Run.STATE_CANCELLED
    assert service.requests_of(pb.CancelRunRequest)[0].reason == "enough"


# Attaching


async def test_attaching_reads_after_a_position_and_stops_nothing_on_leaving(
    client: Client, service: ScriptedService
) -> None:
    async with client.attach("some-run", after_sequence=9) as run:
        async for event in run:
            assert event == composer_run()[9]
            break

    (request,) = service.requests
    assert isinstance(request, pb.AttachRequest)
    assert (request.run_id, request.after_sequence) == ("some-run", 9)


async def test_attaching_late_joins_the_text_that_is_still_to_come(
    client: Client, service: ScriptedService
) -> None:
    text = tokens("compose.answer", "one ", "two ", "three")
    service.events = [envelope(text[0], 1), envelope(text[1], 0), envelope(text[2], 3)]
    service.events.append(envelope(prediction(answer="one two three"), 4))
    service.endings = [Ending(grpc.StatusCode.UNAVAILABLE, after=1)]

    async with client.attach("some-run", after_sequence=1) as run:
        await run.prediction()

    assert run.text("compose.answer") == "two three"


async def test_attaching_behind_the_last_event_finds_the_prediction_in_the_record(
    client: Client, service: ScriptedService
) -> None:
    service.run = pb.Run(state=pb.Run.STATE_SUCCEEDED, prediction=prediction(answer="yes"))

    async with client.attach("some-run", after_sequence=len(service.events)) as run:
        assert [event async for event in run] == []
        assert await run.result() == {"answer": "yes"}

    (request,) = service.requests_of(pb.GetRunRequest)
    assert request.output_form == pb.OUTPUT_FORM_JSON


async def test_a_run_that_ends_well_without_a_prediction_is_the_servers_fault(
    client: Client, service: ScriptedService
) -> None:
    service.events = service.events[:-1]

    async with client.run("composer") as run:
        with pytest.raises(ServerFault, match="without a prediction"):
            await run.prediction()


# Misuse


async def test_a_run_is_iterated_once(client: Client) -> None:
    async with client.run("composer", question="why?") as run:
        events: list[Event] = [event async for event in run]
        assert events

        with pytest.raises(StreamConsumed, match="iterated once"):
            aiter(run)

        with pytest.raises(StreamConsumed):
            run.field("answer")


async def test_a_run_is_read_inside_its_block_only(client: Client) -> None:
    run = client.run("composer", question="why?")

    with pytest.raises(StreamNotOpen, match="async with"):
        await run.prediction()

    async with run:
        pass

    with pytest.raises(StreamClosed, match="inside its `with` block"):
        await run.prediction()

    with pytest.raises(StreamConsumed, match="opened before"):
        await run.__aenter__()


async def test_closing_the_client_ends_its_readers(
    client: Client, service: ScriptedService
) -> None:
    service.endings = [FOREVER]
    service.events = log(*composer_run())[:1]
    first = asyncio.Event()

    async def read() -> None:
        async with client.run("composer", question="why?") as run:
            async for _ in run:
                first.set()

    task = asyncio.create_task(read())
    await first.wait()
    await client.close()

    with pytest.raises(StreamClosed):
        await task

    with pytest.raises(StreamClosed, match="open another"):
        await client.programs()


@pytest.mark.parametrize("request_type", [pb.PredictRequest, pb.ListProgramsRequest])
async def test_closing_the_client_ends_calls_with_one_answer(
    client: Client, service: ScriptedService, request_type: type
) -> None:
    service.unanswered = request_type
    call = client.predict("a") if request_type is pb.PredictRequest else client.programs()
    task = asyncio.ensure_future(call)
    await service.asked.wait()
    await client.close()

    with pytest.raises(StreamClosed):
        await task


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": "soon"}, "timeout is an option and wants a number of seconds, not 'soon'"),
        ({"fields": "answer"}, "fields is an option and wants a list such as"),
        ({"fields": [1]}, "fields is an option and wants a string, not 1"),
        ({"token_detail": "x"}, 'token_detail is an option and wants "all", "whole" or "none"'),
        ({"status_detail": "some"}, 'status_detail is an option and wants "all", "messages"'),
        ({"output_form": "xml"}, '"struct", "json", "both" or "none", not \'xml\''),
        ({"accept": "custom"}, "accept is an option and wants a list such as"),
        ({"accept": ["batch"]}, 'accept is an option and wants "custom" or "input", not'),
        ({"include_data": 1}, "include_data is an option and wants True or False, not 1"),
        ({"labels": "x"}, "labels is an option and wants a mapping"),
        ({"labels": {"a": 1}}, "labels is an option and wants a string, not 1"),
        ({"revision": 3}, "revision is an option and wants a string"),
        ({"run_id": 3}, "run_id is an option and wants a string"),
        ({"question": {1, 2}}, "input 'question' has no JSON form"),
        ({"inputs": {"q": 1}, "q": 2}, "input 'q' is given twice"),
    ],
)
async def test_an_option_of_the_wrong_type_says_how_to_pass_an_input_of_its_name(
    client: Client, options: dict[str, object], message: str
) -> None:
    with pytest.raises(TypeError, match=message) as caught:
        client.run("composer", **options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # that is the point

    if "is an option" in message:
        assert "goes into inputs={" in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
async def test_an_input_that_is_no_json_is_refused_here(client: Client, value: object) -> None:
    with pytest.raises(ValueError, match="input 'question' has no JSON form"):
        client.run("composer", question=value)


# Predicting


async def test_predict_gives_the_prediction_alone(client: Client, service: ScriptedService) -> None:
    answer = await client.predict("composer", question="why?", timeout=60, labels={"a": "b"})

    (request,) = service.requests
    assert outputs(answer) == {"answer": "Because of rain."}
    assert str(uuid.UUID(request.run_id)) == request.run_id
    assert request == pb.PredictRequest(
        program="composer",
        inputs_json='{"question": "why?"}',
        run_id=request.run_id,
        timeout=duration(60),
        labels={"a": "b"},
        output_form=pb.OUTPUT_FORM_JSON,
        linger=duration(30),
    )


async def test_one_channel_carries_many_runs(client: Client, service: ScriptedService) -> None:
    async def answer() -> object:
        async with client.run("composer", question="why?") as run:
            return await run.result()

    answers = await asyncio.gather(*(answer() for _ in range(30)))

    assert answers == [{"answer": "Because of rain."}] * 30
    assert len({request.run_id for request in service.requests}) == 30
