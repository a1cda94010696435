"""The service over real gRPC: starting, reading, joining, stopping, and every refusal."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any, cast

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from headrace.calls import open_call
from headrace.chain_of_thought import ChainOfThought
from headrace.events import Kind
from headrace.hosting import Program
from headrace.runs.limits import Limits
from headrace.runs.registry import Registry
from headrace.server.config import Principal
from headrace.server.core import Caller, Core
from headrace.server.v1.rpc import RpcCall
from headrace.server.v1.servicer import Servicer
from headrace_proto.v1 import headrace_pb2 as pb
from server.scripted import BOUND, Gate, soon, write, write_token
from server.serving import Served, asking, first, heard, outlined, program, refusal, served, stub_of
from server.stores import new_store

pytestmark = pytest.mark.usefixtures("each_store")

WHOLE = [
    "RUN START",
    "MODULE START",
    "MODULE START",
    "token why?",
    "MODULE END",
    "MODULE END",
    "RUN END",
    "prediction",
]


@pytest.fixture
async def service() -> AsyncIterator[Served]:
    async with served() as one:
        yield one


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def gated(gate: Gate) -> AsyncIterator[Served]:
    async with served(program(gate.play)) as one:
        yield one


async def fails(question: str) -> object:
    write("answer", question)
    raise RuntimeError("sk-secret-of-the-program")


async def test_a_run_streams_its_events_and_ends_with_one_prediction(service: Served) -> None:
    call = service.stub.Run(asking(run_id="r1"))
    run = await soon(heard(call))

    assert run.outline == WHOLE
    assert run.code is StatusCode.OK
    assert run.events[-1].prediction.outputs["result"] == "why?"
    assert dict(await call.initial_metadata() or ()) == {"headrace-run-id": "r1"}
    assert run.trailers == {
        "headrace-run-id": "r1",
        "headrace-run-state": "SUCCEEDED",
        "headrace-last-sequence": "12",
    }
    assert sum(event.event_count for event in run.events) == run.events[-1].sequence


async def test_the_first_event_comes_before_the_program_has_done_anything(gated: Served) -> None:
    call = gated.stub.Run(asking())
    [event] = await first(call, 1)

    assert outlined(event) == "RUN START"


async def test_inputs_as_json_text_are_the_same_run(service: Served) -> None:
    request = pb.RunRequest(
        program="scripted", run_id="r1", inputs_json='{"question": "why?", "times": 2}'
    )
    first = await soon(heard(service.stub.Run(request)))
    request.inputs.update({"question": "why?", "times": 2})
    second = await soon(heard(service.stub.Run(request)))

    assert first.text == second.text == "why?why?"
    assert first.events[-1].sequence == second.events[-1].sequence


REFUSALS = [
    (pb.RunRequest(), "INVALID_ARGUMENT", "REQUEST_INVALID", "program: is required"),
    (pb.RunRequest(program="x"), "NOT_FOUND", "PROGRAM_NOT_FOUND", "there are scripted"),
    (pb.RunRequest(program="scriptd"), "NOT_FOUND", "PROGRAM_NOT_FOUND", "mean 'scripted'?"),
    (
        pb.RunRequest(program="scripted", inputs_json='{"qestion": "why?"}'),
        "INVALID_ARGUMENT",
        "INPUT_INVALID",
        "inputs.qestion: unknown; did you mean question?",
    ),
    (
        pb.RunRequest(program="scripted", inputs=Struct()),
        "INVALID_ARGUMENT",
        "INPUT_INVALID",
        "proto-loader",
    ),
    (asking(run_id="-"), "INVALID_ARGUMENT", "REQUEST_INVALID", "run_id: must be"),
    (asking(after_sequence=-1), "INVALID_ARGUMENT", "REQUEST_INVALID", "after_sequence"),
    (asking(after_sequence=1), "NOT_FOUND", "RUN_NOT_FOUND", "no run"),
    (asking(revision="other"), "FAILED_PRECONDITION", "REVISION_MISMATCH", "is at revision"),
    (asking(timeout=Duration(seconds=-1)), "INVALID_ARGUMENT", "REQUEST_INVALID", "timeout"),
    (asking(labels={"a": "b" * 65}), "INVALID_ARGUMENT", "REQUEST_INVALID", "labels"),
    (
        asking(options=pb.StreamOptions(fields=["self.x"])),
        "INVALID_ARGUMENT",
        "REQUEST_INVALID",
        "options.fields: 'self.x' cannot stream",
    ),
    (
        asking(options=pb.StreamOptions(include_data=True)),
        "PERMISSION_DENIED",
        "PERMISSION_DENIED",
        "include_data",
    ),
]


@pytest.mark.parametrize(("request_", "code", "reason", "words"), REFUSALS)
async def test_what_is_refused_is_refused_before_headers(
    service: Served, request_: pb.RunRequest, code: str, reason: str, words: str
) -> None:
    call = service.stub.Run(request_)
    refused = await soon(heard(call))

    assert (refused.code.name, refused.events) == (code, [])
    assert words in refused.details
    assert refused.trailers["headrace-error-reason"] == reason
    assert "headrace-run-state" not in refused.trailers
    assert "headrace-run-id" not in dict(await call.initial_metadata() or ())
    assert service.server.registry.live_count == 0


async def test_bytes_that_are_no_request_are_an_invalid_argument(service: Served) -> None:
    run = cast("Any", service.channel).unary_stream("/headrace.v1.HeadraceService/Run")
    refused = await soon(heard(run(b"\xff\xff\xff")))

    assert refused.code is StatusCode.INVALID_ARGUMENT
    assert refused.details == "request: is no headrace.v1.RunRequest message"


async def test_a_failed_run_replays_its_events_and_its_status() -> None:
    async with served(program(fails)) as service:
        first = await soon(heard(service.stub.Run(asking(run_id="r1"))))
        again = await soon(heard(service.stub.Run(asking(run_id="r1"))))
        attached = await soon(heard(service.stub.Attach(pb.AttachRequest(run_id="r1"))))

    assert first.outline[-3:] == ["MODULE END", "MODULE END", "RUN END"]
    assert (first.code, first.details) == (
        StatusCode.INTERNAL,
        "the program raised RuntimeError",
    )
    assert first.trailers["headrace-run-state"] == "FAILED"
    assert first.trailers["headrace-error-reason"] == "PROGRAM_ERROR"
    assert "secret" not in str(first)
    assert (first.outline, first.trailers) == (again.outline, again.trailers)
    assert (first.outline, first.trailers) == (attached.outline, attached.trailers)


async def test_a_run_is_read_on_from_where_it_was_left(gated: Served, gate: Gate) -> None:
    call = gated.stub.Run(asking(run_id="r1", linger=Duration(seconds=30)))
    seen = await first(call, 4)
    call.cancel()
    last = seen[-1].sequence
    gate.opened.set()
    rest = await soon(heard(gated.stub.Run(asking(run_id="r1", after_sequence=last))))

    assert [outlined(event) for event in seen] + rest.outline == WHOLE
    assert rest.events[0].sequence - rest.events[0].event_count == last


async def test_an_id_with_other_inputs_already_exists(service: Served) -> None:
    await soon(heard(service.stub.Run(asking(run_id="r1"))))
    refused = await soon(heard(service.stub.Run(asking("how?", run_id="r1"))))

    assert refused.code is StatusCode.ALREADY_EXISTS


async def test_a_cursor_beyond_the_log_is_out_of_range(service: Served) -> None:
    await soon(heard(service.stub.Run(asking(run_id="r1"))))
    refused = await soon(
        heard(service.stub.Attach(pb.AttachRequest(run_id="r1", after_sequence=99)))
    )

    assert refused.code is StatusCode.OUT_OF_RANGE
    assert refused.trailers["headrace-error-reason"] == "CURSOR_AHEAD"


async def test_attaching_at_the_end_gives_the_status_alone(service: Served) -> None:
    await soon(heard(service.stub.Run(asking(run_id="r1"))))
    ended = await soon(heard(service.stub.Attach(pb.AttachRequest(run_id="r1", after_sequence=12))))

    assert (ended.outline, ended.code) == ([], StatusCode.OK)
    assert ended.trailers["headrace-run-state"] == "SUCCEEDED"


@pytest.mark.parametrize("way", ["cancel", "deadline", "close"])
async def test_a_reader_that_leaves_stops_a_run_without_linger(
    gated: Served, gate: Gate, way: str
) -> None:
    channel = grpc.aio.insecure_channel(gated.address)
    call = stub_of(channel).Run(asking(), timeout=0.2 if way == "deadline" else None)
    await soon(gate.entered.wait())

    if way == "cancel":
        call.cancel()
    elif way == "close":
        await channel.close()

    await soon(gate.stopped.wait())
    await channel.close()


async def test_the_deadline_of_an_rpc_bounds_its_stream_and_not_a_lingering_run(
    gated: Served, gate: Gate
) -> None:
    request = asking(run_id="r1", linger=Duration(seconds=30), timeout=Duration(seconds=30))
    cut = await soon(heard(gated.stub.Run(request, timeout=0.2)))
    assert cut.code is StatusCode.DEADLINE_EXCEEDED

    gate.opened.set()
    rest = await soon(heard(gated.stub.Attach(pb.AttachRequest(run_id="r1"))))
    assert rest.code is StatusCode.OK


async def test_the_timeout_of_a_run_ends_it_for_every_reader(gated: Served) -> None:
    ended = await soon(heard(gated.stub.Run(asking(timeout=Duration(nanos=50_000_000)))))

    assert ended.code is StatusCode.DEADLINE_EXCEEDED
    assert ended.trailers["headrace-run-state"] == "FAILED"
    assert ended.trailers["headrace-error-reason"] == "RUN_TIMEOUT"


async def test_a_queued_run_is_accepted_and_its_reader_kept_alive(gate: Gate) -> None:
    limits = Limits(max_running_count=1)

    async with served(program(gate.play), limits=limits) as service:
        running = service.stub.Run(asking())
        await soon(gate.entered.wait())
        queued = service.stub.Run(asking(run_id="r2"))
        [event] = await first(queued, 1)
        record = (await soon(service.stub.GetRun(pb.GetRunRequest(run_id="r2")))).run

        assert event.HasField("heartbeat")
        assert record.state == pb.Run.STATE_QUEUED

        gate.opened.set()
        assert (await soon(heard(running))).code is StatusCode.OK
        events = [await soon(queued.read()) for _ in range(len(WHOLE))]
        assert outlined(events[-1]) == "prediction"  # type: ignore[arg-type]  # not the end yet


async def test_cancelling_a_run_tells_all_its_readers(gated: Served, gate: Gate) -> None:
    starter = asyncio.ensure_future(heard(gated.stub.Run(asking(run_id="r1"))))
    await soon(gate.entered.wait())
    attached = gated.stub.Attach(pb.AttachRequest(run_id="r1"))
    await soon(attached.initial_metadata())
    reader = asyncio.ensure_future(heard(attached))
    answer = await soon(gated.stub.CancelRun(pb.CancelRunRequest(run_id="r1", reason="enough")))

    assert answer.run.state == pb.Run.STATE_CANCELLED
    assert dict(answer.run.failure.metadata) == {"by": "caller"}

    for one in (await soon(starter), await soon(reader)):
        assert one.code is StatusCode.CANCELLED
        assert one.details == "run cancelled by caller: enough"
        assert one.trailers["headrace-run-state"] == "CANCELLED"
        assert one.outline[-1] == "RUN END"


async def test_the_record_of_a_run_tells_its_life(gated: Served, gate: Gate) -> None:
    call = gated.stub.Run(asking(run_id="r1", labels={"team": "blue"}))
    await soon(gate.entered.wait())
    live = (await soon(gated.stub.GetRun(pb.GetRunRequest(run_id="r1")))).run

    assert live.state == pb.Run.STATE_RUNNING
    assert (live.reader_count, live.program, dict(live.labels)) == (1, "scripted", {"team": "blue"})
    assert not live.HasField("end_time")

    gate.opened.set()
    await soon(heard(call))
    ended = (await soon(gated.stub.GetRun(pb.GetRunRequest(run_id="r1")))).run

    assert ended.state == pb.Run.STATE_SUCCEEDED
    assert ended.prediction.outputs["result"] == "why?"
    assert ended.expire_time.seconds - ended.end_time.seconds == 600


async def test_the_caller_s_runs_are_listed_without_their_results(service: Served) -> None:
    for run_id in ("r1", "r2"):
        await soon(heard(service.stub.Run(asking(run_id=run_id))))

    listed = await soon(service.stub.ListRuns(pb.ListRunsRequest(page_size=1)))
    (newest,) = listed.runs

    assert (newest.run_id, newest.state) == ("r2", pb.Run.STATE_SUCCEEDED)
    assert not newest.HasField("prediction")
    rest = await soon(service.stub.ListRuns(pb.ListRunsRequest(page_token=listed.next_page_token)))
    assert [run.run_id for run in rest.runs] == ["r1"]


async def test_unknown_runs_are_not_found(service: Served) -> None:
    unknown: list[Any] = [
        service.stub.GetRun(pb.GetRunRequest(run_id="r1")),
        service.stub.DeleteRun(pb.DeleteRunRequest(run_id="r1")),
    ]
    unnamed: list[Any] = [
        service.stub.GetRun(pb.GetRunRequest()),
        service.stub.CancelRun(pb.CancelRunRequest()),
        service.stub.DeleteRun(pb.DeleteRunRequest()),
    ]

    for call in unknown:
        assert (await soon(refusal(call))).code is StatusCode.NOT_FOUND

    for call in unnamed:
        assert (await soon(refusal(call))).details == "run_id: is required"


async def test_predict_gives_the_prediction_once_per_id(service: Served) -> None:
    request = pb.PredictRequest(program="scripted", run_id="r1", output_form=pb.OUTPUT_FORM_BOTH)
    request.inputs.update({"question": "why?"})
    first = await soon(service.stub.Predict(request))
    again = await soon(service.stub.Predict(request))

    assert first.prediction.outputs["result"] == "why?"
    assert first.prediction.outputs_json == '{"result":"why?"}'
    assert first == again


async def test_predict_tells_that_it_is_accepted_before_the_run_is_over(
    gated: Served, gate: Gate
) -> None:
    request = pb.PredictRequest(program="scripted", run_id="r1", inputs_json='{"question": "why?"}')
    predict = cast("Any", gated.channel).unary_stream("/headrace.v1.HeadraceService/Predict")
    call = predict(request.SerializeToString())
    told = dict(iter(await soon(call.initial_metadata())))
    was_open = gate.opened.is_set()
    gate.opened.set()
    answer = pb.PredictResponse.FromString(await soon(call.read()))

    assert (told, was_open) == ({"headrace-run-id": "r1"}, False)
    assert answer.prediction.outputs["result"] == "why?"


async def test_predict_of_a_run_that_fails_is_its_status() -> None:
    async with served(program(fails)) as service:
        request = pb.PredictRequest(program="scripted", inputs_json='{"question": "why?"}')
        refused = await soon(refusal(service.stub.Predict(request)))

    assert refused.code is StatusCode.INTERNAL
    assert refused.trailers["headrace-run-state"] == "FAILED"


async def test_a_reader_at_the_live_edge_hears_that_the_stream_is_alive(gated: Served) -> None:
    options = pb.StreamOptions(heartbeat_interval=Duration(nanos=50_000_000))
    call = gated.stub.Run(asking(options=options))
    events = await first(call, 8)

    assert [event.WhichOneof("event") for event in events[5:]] == ["heartbeat"] * 3
    assert [(event.sequence, event.event_count) for event in events[5:]] == [(6, 0)] * 3


async def test_a_reader_that_wants_no_heartbeats_gets_none(gated: Served, gate: Gate) -> None:
    call = gated.stub.Run(asking(options=pb.StreamOptions(heartbeat_interval=Duration())))
    await soon(gate.entered.wait())
    gate.opened.set()
    run = await soon(heard(call))

    assert not any(event.HasField("heartbeat") for event in run.events)


async def test_tokens_gather_for_the_merge_interval_or_until_something_else_happens() -> None:
    heard_one = asyncio.Event()

    async def slow(question: str) -> object:
        with open_call(Kind.MODULE, "self", None, {}):
            write_token("0", 0)
            await heard_one.wait()

            for place in range(1, 20):
                write_token(str(place % 10), place)
                await asyncio.sleep(0)

        return question

    options = pb.StreamOptions(merge_interval=Duration(seconds=50))

    async with served(program(slow)) as service:
        tokens: list[pb.StreamEvent] = []

        async for event in service.stub.Run(asking(options=options), timeout=BOUND):
            if event.HasField("token"):
                tokens.append(event)
                heard_one.set()

    assert [(one.token.chunk, one.event_count) for one in tokens] == [
        ("0", 1),  # with the status before it
        ("1234567890123456789", 19),  # with the status after them
    ]


async def test_gathered_tokens_are_sent_when_the_interval_has_passed(gate: Gate) -> None:
    async def waits(question: str) -> object:
        with open_call(Kind.MODULE, "self", None, {}):
            write_token("a", 0)
            write_token("b", 1)
            await gate.opened.wait()

        return question

    options = pb.StreamOptions(merge_interval=Duration(nanos=50_000_000))

    async with served(program(waits)) as service:
        call = service.stub.Run(asking(options=options))
        events = await first(call, 4)
        gate.opened.set()

    assert outlined(events[-1]) == "token ab"


async def test_a_status_does_not_wait_for_the_merge_interval(gated: Served, gate: Gate) -> None:
    options = pb.StreamOptions(merge_interval=Duration(seconds=50))
    call = gated.stub.Run(asking(options=options))
    await soon(gate.entered.wait())
    gate.opened.set()

    assert (await soon(heard(call))).outline == WHOLE


async def test_an_aged_stream_is_cut_and_its_run_goes_on(gate: Gate) -> None:
    async with served(program(gate.play), connections={"max_age": 0.1}) as service:
        cut = await soon(heard(service.stub.Run(asking(run_id="r1"))))

        assert cut.code is StatusCode.UNAVAILABLE
        assert cut.trailers["headrace-error-reason"] == "STREAM_AGED"
        assert "headrace-run-state" not in cut.trailers
        assert not gate.stopped.is_set()

        gate.opened.set()
        rest = await soon(heard(service.stub.Attach(pb.AttachRequest(run_id="r1"))))
        assert rest.code is StatusCode.OK


async def test_a_busy_server_refuses_with_pushback(gate: Gate) -> None:
    limits = Limits(max_running_count=1, max_queued_count=0)

    async with served(program(gate.play), limits=limits) as service:
        running = service.stub.Run(asking())
        await soon(gate.entered.wait())
        refused = await soon(heard(service.stub.Run(asking())))

        assert refused.code is StatusCode.UNAVAILABLE
        assert refused.trailers["headrace-error-reason"] == "SERVER_BUSY"
        assert refused.trailers["grpc-retry-pushback-ms"] == "1000"
        running.cancel()


async def test_programs_are_listed_by_name_in_pages() -> None:
    names = [f"p{number}" for number in range(5)]

    async with served(*(program(name=name) for name in reversed(names))) as service:
        listed: list[str] = []
        token = ""

        while True:
            page = await soon(
                service.stub.ListPrograms(pb.ListProgramsRequest(page_size=2, page_token=token))
            )
            listed += [one.name for one in page.programs]
            token = page.next_page_token

            if not token:
                break

    assert listed == names


async def test_a_program_is_described_before_anything_runs() -> None:
    hosted = Program(
        ChainOfThought("question, words: int -> answer, tags: list[str]"),
        name="qa",
        description="Answers.",
        examples=[{"question": "Why?", "words": 5}],
    )

    async with served(hosted) as service:
        described = (await soon(service.stub.GetProgram(pb.GetProgramRequest(name="qa")))).program

    assert (described.name, described.description) == ("qa", "Answers.")
    assert [one.name for one in described.inputs] == ["question", "words"]
    assert [(one.name, one.type, one.streamable) for one in described.outputs] == [
        ("reasoning", "str", True),
        ("answer", "str", True),
        ("tags", "list[str]", False),
    ]
    assert described.example_inputs["question"] == "Why?"
    assert described.revision == hosted.revision
    assert json.loads(described.input_schema_json)["required"] == ["question", "words"]


async def test_the_server_tells_its_limits() -> None:
    async with served(limits=Limits(max_running_count=7, retention=60)) as service:
        told = await soon(service.stub.GetServerInfo(pb.GetServerInfoRequest()))

    assert told.limits.max_running_count == 7
    assert told.limits.retention.seconds == 60
    assert "attach" in told.features


async def test_a_defect_of_the_server_gives_an_id_that_the_log_has_too(
    service: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("sk-secret")

    monkeypatch.setattr(service.server.registry, "start", broken)

    with caplog.at_level(logging.ERROR, "headrace.server"):
        failed = await soon(heard(service.stub.Run(asking())))

    assert failed.code is StatusCode.INTERNAL
    assert "secret" not in str(failed)
    assert failed.details.removeprefix("internal error ") in caplog.text


async def test_fifty_runs_at_once_each_get_their_own_text(service: Served) -> None:
    async def ask(number: int) -> str:
        return (await heard(service.stub.Run(asking(f"question {number} ")))).text

    texts = await soon(asyncio.gather(*(ask(number) for number in range(50))))

    assert texts == [f"question {number} " for number in range(50)]


async def test_draining_refuses_new_runs_and_lets_readers_finish(gate: Gate) -> None:
    async with served(program(gate.play)) as service:
        reader = asyncio.ensure_future(heard(service.stub.Run(asking(run_id="r1"))))
        await soon(gate.entered.wait())
        health = cast("Any", health_pb2_grpc).HealthStub(service.channel)
        watch = health.Watch(health_pb2.HealthCheckRequest())
        assert (await soon(watch.read())).status == health_pb2.HealthCheckResponse.SERVING
        draining = asyncio.ensure_future(service.server.drain(BOUND))
        assert (await soon(watch.read())).status == health_pb2.HealthCheckResponse.NOT_SERVING
        refused = await soon(heard(service.stub.Run(asking())))

        assert refused.code is StatusCode.UNAVAILABLE
        assert refused.trailers["headrace-error-reason"] == "DRAINING"

        gate.opened.set()
        assert (await soon(reader)).code is StatusCode.OK
        await soon(draining)


async def test_what_outlives_the_drain_ends_cancelled(gate: Gate) -> None:
    async with served(program(gate.play)) as service:
        reader = asyncio.ensure_future(heard(service.stub.Run(asking())))
        await soon(gate.entered.wait())
        await soon(service.server.drain(0.05))
        ended = await soon(reader)

    assert ended.code is StatusCode.CANCELLED
    assert ended.details == "run cancelled by drain"
    assert ended.trailers["headrace-run-state"] == "CANCELLED"


class Context:
    """A call's context whose client takes everything."""

    async def send_initial_metadata(self, metadata: object) -> None:
        await asyncio.sleep(0)

    async def write(self, message: bytes) -> None:
        await asyncio.sleep(0)

    def set_trailing_metadata(self, metadata: object) -> None:
        pass


async def test_a_caller_who_leaves_at_any_moment_leaves_no_run_behind() -> None:
    async def play(question: str) -> str:
        await asyncio.Event().wait()
        return question

    limits = Limits()
    registry = Registry(limits, new_store(limits))
    registry.open()
    servicer = Servicer(Core([program(play)], registry))
    caller = Caller(Principal(name="ann"))
    request = pb.RunRequest(program="scripted")
    request.inputs["question"] = "hi"

    for turns in range(12):
        context: Any = Context()
        call = asyncio.create_task(servicer.run(RpcCall(request, context, caller)))

        for _ in range(turns):
            await asyncio.sleep(0)

        call.cancel()
        await asyncio.wait({call}, timeout=5)
        runs, _ = await registry.page("ann", size=99)
        await soon(asyncio.gather(*(run.ended() for run in runs)))

    await registry.close()
