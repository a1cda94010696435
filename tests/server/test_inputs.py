"""Questions over gRPC: asked, answered, declined; who may, and what is refused."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import grpc
import headrace
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value
from google.rpc import error_details_pb2 as details_pb2  # type: ignore[import-untyped]  # has no py.typed
from google.rpc import status_pb2
from grpc import StatusCode
from headrace.hosting import Program
from headrace.module import Module
from headrace.runs.limits import Limits
from headrace.server.config import Principal
from headrace.testing import answering, serve_programs
from headrace.tools import Tool
from headrace_proto.v1 import headrace_pb2 as pb
from pydantic import BaseModel
from server.scripted import soon, until
from server.serving import Heard, Served, asking, heard, program, refusal, served, stub_of

pytestmark = pytest.mark.usefixtures("each_store")

ACCEPTS = pb.StreamOptions(
    accept=[pb.EVENT_KIND_INPUT], status_detail=pb.STATUS_DETAIL_NONE, heartbeat_interval=Duration()
)

ANN, BOB, CARL, DORA = (
    (("authorization", f"Bearer {name}"),) for name in ("ann", "bob", "carl", "dora")
)


def principal(name: str, **settings: Any) -> Principal:
    hashed = hashlib.sha256(name.encode()).hexdigest()

    return Principal(name=name, tokens=(f"sha256:{hashed}",), **settings)


PRINCIPALS = (
    principal("ann", include_data=True),
    principal("bob", may_answer=True),
    principal("carl"),
    principal("dora", may_answer=True, programs=("other",)),
)


class Place(BaseModel):
    city: str
    floors: int = 1


async def asks(question: str) -> object:
    """Asks for a word."""
    return await headrace.ask(question)


async def asks_place(question: str) -> object:
    """Asks for a model."""
    return await headrace.ask(question, type=Place)


def pay(amount: int, to: str = "the miller") -> str:
    """Pays."""
    return f"paid {amount} to {to}"


class Pays(Module):
    """Pays, once somebody allows it."""

    def __init__(self) -> None:
        self.pay = Tool(pay, approve=True)

    async def aforward(self, amount: int) -> object:
        return await self.pay.acall(amount=amount)


class Stream:
    """A stream that is read event by event, and then to its end."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._events = aiter(call)

    def __aiter__(self) -> Any:
        return self._events

    async def read(self) -> pb.StreamEvent:
        event: pb.StreamEvent = await soon(anext(self._events))

        return event

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)


class Asked:
    """A run that has asked, and the stream of its reader."""

    def __init__(self, service: Served, run_id: str, stream: Stream, metadata: Any) -> None:
        self.service = service
        self.run_id = run_id
        self.stream = stream
        self.metadata = metadata
        self.request = pb.InputRequest()

    @property
    def input_id(self) -> str:
        return self.request.input_id

    def send(self, metadata: Any = None, **reply: Any) -> Any:
        """Sends a reply; ann does, unless the test says who else."""
        given: dict[str, Any] = {"run_id": self.run_id, "input_id": self.input_id, **reply}
        request = pb.SendInputRequest(**given)

        return self.service.stub.SendInput(request, metadata=metadata or self.metadata)

    async def state(self) -> pb.Run:
        request = pb.GetRunRequest(run_id=self.run_id)
        answer = await soon(self.service.stub.GetRun(request, metadata=self.metadata))

        return answer.run

    async def rest(self) -> Heard:
        return await soon(heard(self.stream))


@asynccontextmanager
async def asked(
    play: Callable[[str], Awaitable[object]] = asks,
    *programs: Program,
    request: pb.RunRequest | None = None,
    metadata: Any = None,
    **config: Any,
) -> AsyncGenerator[Asked, None]:
    """Serves a program whose run has asked."""
    async with served(program(play), *programs, **config) as service:
        asking_run = request or asking(run_id="r1")
        asking_run.options.CopyFrom(ACCEPTS)
        stream = Stream(service.stub.Run(asking_run, metadata=metadata))
        one = Asked(service, asking_run.run_id, stream, metadata)
        event = await stream.read()
        assert event.WhichOneof("event") == "input_request"
        one.request = event.input_request

        yield one


def outline(run: Heard) -> list[str]:
    return [
        pb.InputResolved.Outcome.Name(event.input_resolved.outcome).removeprefix("OUTCOME_")
        if event.HasField("input_resolved")
        else str(event.WhichOneof("event"))
        for event in run.events
    ]


def violations(refused: Heard) -> dict[str, str]:
    bad = details_pb2.BadRequest()
    unpack(refused, bad)

    return {one.field: one.description for one in bad.field_violations}


def unpack(refused: Heard, detail: Message) -> None:
    """Fills a detail of the status."""
    packed = refused.trailers["grpc-status-details-bin"]
    assert isinstance(packed, bytes)
    assert any(one.Unpack(detail) for one in status_pb2.Status.FromString(packed).details)


def refused_as(refused: Heard) -> tuple[StatusCode, str | bytes]:
    return refused.code, refused.trailers["headrace-error-reason"]


def metadata_of(refused: Heard) -> dict[str, str]:
    info = details_pb2.ErrorInfo()
    unpack(refused, info)

    return dict(info.metadata)


# Asked and answered


async def test_a_question_comes_to_readers_that_accept_it_and_its_answer_to_the_program() -> None:
    async with asked() as one:
        assert MessageToDict(one.request) == {
            "inputId": one.input_id,
            "callId": 2,
            "kind": "KIND_QUESTION",
            "message": "why?",
            "answerSchemaJson": '{"type":"string"}',
        }
        answer = await soon(one.send(answer_json='"because"', reason="I know"))
        run = await one.rest()

    assert MessageToDict(answer.resolved) == {
        "inputId": one.input_id,
        "callId": 2,
        "outcome": "OUTCOME_ANSWERED",
        "reason": "I know",
    }
    assert outline(run) == ["ANSWERED", "prediction"]
    assert run.events[0].input_resolved == answer.resolved
    assert run.events[-1].prediction.outputs["result"] == "because"


async def test_a_reader_that_accepts_no_questions_counts_them() -> None:
    async with asked() as one:
        plain = one.service.stub.Attach(pb.AttachRequest(run_id="r1"))
        await soon(one.send(answer_json='"because"'))
        run, accepting = await soon(heard(plain)), await one.rest()

    assert not [event for event in run.events if "input" in str(event.WhichOneof("event"))]
    assert sum(event.event_count for event in run.events) == run.events[-1].sequence
    assert run.events[-1].sequence == accepting.events[-1].sequence


async def test_the_answer_is_shown_to_readers_who_ask_for_data_and_may() -> None:
    async with asked(include_data=True) as one:
        request = pb.AttachRequest(run_id="r1", options=ACCEPTS)
        request.options.include_data = True
        await soon(one.send(answer_json='"because"'))
        run = await soon(heard(one.service.stub.Attach(request)))

    [resolved] = [e.input_resolved for e in run.events if e.HasField("input_resolved")]
    assert resolved.answer_json == '"because"'


async def test_a_waiting_run_says_so_and_lists_its_open_questions() -> None:
    async def play(question: str) -> object:
        return await asyncio.gather(headrace.ask("one?"), headrace.ask("other?"))

    async with asked(play) as one:
        other = (await one.stream.read()).input_request
        run = await one.state()
        listed = await soon(one.service.stub.ListRuns(pb.ListRunsRequest()))
        assert (run.state, [*run.input_requests]) == (
            pb.Run.STATE_WAITING,
            [one.request, other],
        )
        assert [(r.state, len(r.input_requests)) for r in listed.runs] == [
            (pb.Run.STATE_WAITING, 0)
        ]

        await soon(one.send(answer_json='"a"'))
        run = await one.state()
        assert (run.state, [*run.input_requests]) == (pb.Run.STATE_WAITING, [other])

        await soon(one.send(input_id=other.input_id, answer_json='"b"'))
        await one.rest()
        run = await one.state()
        assert (run.state, [*run.input_requests]) == (pb.Run.STATE_SUCCEEDED, [])


async def test_predict_waits_for_people_too() -> None:
    async with served(program(asks)) as service:
        request = pb.PredictRequest(program="scripted", run_id="r1")
        request.inputs.update({"question": "why?"})
        call = asyncio.ensure_future(service.stub.Predict(request))
        await soon(until(lambda: service.server.registry.live_count > 0))
        stream = Stream(service.stub.Attach(pb.AttachRequest(run_id="r1", options=ACCEPTS)))
        event = await stream.read()
        reply = pb.SendInputRequest(
            run_id="r1", input_id=event.input_request.input_id, answer_json='"because"'
        )
        await soon(service.stub.SendInput(reply))
        assert (await soon(call)).prediction.outputs["result"] == "because"


def test_a_server_says_that_it_takes_answers_and_how_many() -> None:
    async def info() -> pb.GetServerInfoResponse:
        async with served(limits=Limits(max_open_inputs=7)) as service:
            return await soon(service.stub.GetServerInfo(pb.GetServerInfoRequest()))

    told = asyncio.run(info())
    assert "send-input" in told.features
    assert told.limits.max_open_input_count == 7


# Forms of a reply


def value(plain: Any) -> Value:
    return ParseDict(plain, Value())


@pytest.mark.parametrize(
    "reply",
    [
        {"answer": value({"city": "Delft", "floors": 3})},
        {"answer": value({"city": "Delft", "floors": "3"})},
        {"answer_json": '{"floors": 3.0, "city": "Delft"}'},
    ],
)
async def test_an_answer_comes_as_a_value_or_as_json_text(reply: dict[str, Any]) -> None:
    async with asked(asks_place) as one:
        await soon(one.send(**reply))
        run = await one.rest()

    outputs = MessageToDict(run.events[-1].prediction.outputs)
    assert outputs == {"result": {"city": "Delft", "floors": 3.0}}


@pytest.mark.parametrize(
    ("reply", "field", "rule"),
    [
        ({}, "input", "is required: answer, answer_json or decline"),
        ({"decline": False}, "decline", "must be true"),
        ({"answer": Value()}, "answer", "arrived empty"),
        ({"answer_json": "{"}, "answer_json", "is not JSON"),
        ({"answer_json": "NaN"}, "answer_json", "is not JSON: NaN"),
        ({"answer_json": "[" * 100_000}, "answer_json", "nests too deep"),
        ({"answer_json": "[" * 40 + "]" * 40}, "answer[0][0]", "nests too deep"),
        ({"answer_json": '"' + "a" * 150_000 + '"'}, "answer", "150002 bytes; at most 150000"),
        ({"answer_json": json.dumps([1] * 100)}, "answer", "101 values; at most 50 are taken"),
        ({"answer_json": '{"city": 3}'}, "answer.city", "Input should be a valid string"),
        ({"answer_json": '{"floors": 3}'}, "answer.city", "Field required"),
        ({"answer": value("Delft")}, "answer", "Input should be"),
        ({"answer_json": '"a"', "input_id": ""}, "input_id", "is required"),
        ({"answer_json": '"a"', "run_id": ""}, "run_id", "is required"),
    ],
)
async def test_a_reply_that_cannot_be_read_names_the_field_and_leaves_the_question_open(
    reply: dict[str, Any], field: str, rule: str
) -> None:
    limits = Limits(max_input_bytes=150_000, max_input_elements=50)

    async with asked(asks_place, limits=limits) as one:
        refused = await soon(refusal(one.send(**reply)))
        found = violations(refused)
        assert refused.code is StatusCode.INVALID_ARGUMENT
        assert [name[: len(field)] for name in found] == [field]
        assert rule in next(iter(found.values()))

        run = await one.state()
        assert (run.state, len(run.input_requests)) == (pb.Run.STATE_WAITING, 1)
        await soon(one.send(answer_json='{"city": "Delft"}'))
        assert outline(await one.rest()) == ["ANSWERED", "prediction"]


async def test_a_question_or_a_run_that_is_not_there_is_not_found() -> None:
    async with asked() as one:
        question = await soon(refusal(one.send(input_id="another", answer_json='"a"')))
        run = await soon(refusal(one.send(run_id="r2", answer_json='"a"')))

    assert refused_as(question) == (StatusCode.NOT_FOUND, "INPUT_NOT_FOUND")
    assert refused_as(run) == (StatusCode.NOT_FOUND, "RUN_NOT_FOUND")


# Twice


async def test_the_same_answer_again_is_ok_and_another_one_is_refused() -> None:
    async with asked(asks_place) as one:
        first = await soon(one.send(answer_json='{"city": "Delft"}', reason="so"))

        async def agree() -> None:
            for same in ({"city": "Delft"}, {"floors": 1, "city": "Delft"}):
                again = await soon(one.send(answer=value(same), reason="also"))
                assert again == first

            other = await soon(refusal(one.send(answer=value({"city": "Gouda"}))))
            declined = await soon(refusal(one.send(decline=True)))

            for refused in (other, declined):
                assert refused_as(refused) == (StatusCode.ALREADY_EXISTS, "INPUT_RESOLVED")
                assert metadata_of(refused)["outcome"] == "ANSWERED"

        await agree()
        run = await one.rest()
        await agree()  # from the log, too

    assert outline(run) == ["ANSWERED", "prediction"]


async def test_of_two_answers_at_once_one_wins() -> None:
    async with asked() as one:
        calls = [one.send(answer_json=f'"{word}"') for word in ("a", "b", "c")]
        ends = [
            end.code if isinstance(end, Heard) else "won"
            for end in await soon(asyncio.gather(*(won_or_refused(call) for call in calls)))
        ]
        run = await one.rest()

    assert sorted(map(str, ends)) == ["StatusCode.ALREADY_EXISTS"] * 2 + ["won"]
    assert outline(run) == ["ANSWERED", "prediction"]
    assert run.events[-1].prediction.outputs["result"] == "abc"[ends.index("won")]


async def won_or_refused(call: Any) -> Any:
    try:
        return await refusal(call)
    except AssertionError:
        return "won"


# Other ends


async def test_a_declined_question_fails_the_run_with_the_reason() -> None:
    async with asked() as one:
        answer = await soon(one.send(decline=True, reason="nobody knows"))
        again = await soon(one.send(decline=True))
        run = await one.rest()

    assert answer.resolved.outcome == pb.InputResolved.OUTCOME_DECLINED
    assert again == answer
    assert refused_as(run) == (StatusCode.FAILED_PRECONDITION, "INPUT_DECLINED")
    assert run.details == "the question was declined: nobody knows"
    assert (outline(run), run.trailers["headrace-run-state"]) == (["DECLINED"], "FAILED")


async def test_a_question_that_expires_says_when_and_fails_the_run() -> None:
    async def play(question: str) -> object:
        return await headrace.ask(question, timeout=0.05)

    async with asked(play) as one:
        run = await one.rest()
        refused = await soon(refusal(one.send(answer_json='"a"')))
        created = (await one.state()).create_time.ToMilliseconds()

    assert one.request.expire_time.ToMilliseconds() >= created + 40
    assert refused_as(run) == (StatusCode.DEADLINE_EXCEEDED, "INPUT_EXPIRED")
    assert (outline(run), run.trailers["headrace-run-state"]) == (["EXPIRED"], "FAILED")
    assert metadata_of(refused)["outcome"] == "EXPIRED"


async def test_the_timeout_of_the_run_withdraws_its_question() -> None:
    request = asking(run_id="r1", timeout=Duration(nanos=50_000_000))

    async with asked(request=request) as one:
        run = await one.rest()

    assert refused_as(run) == (StatusCode.DEADLINE_EXCEEDED, "RUN_TIMEOUT")
    assert outline(run) == ["WITHDRAWN"]


async def test_cancelling_a_run_that_waits_withdraws_its_question() -> None:
    async with asked() as one:
        await soon(one.service.stub.CancelRun(pb.CancelRunRequest(run_id="r1")))
        run = await one.rest()
        refused = await soon(refusal(one.send(answer_json='"a"')))

    assert refused_as(run) == (StatusCode.CANCELLED, "RUN_CANCELLED")
    assert (outline(run), run.trailers["headrace-run-state"]) == (["WITHDRAWN"], "CANCELLED")
    assert metadata_of(refused)["outcome"] == "WITHDRAWN"


async def test_draining_a_server_whose_run_waits_says_what_happened() -> None:
    async with asked() as one:
        draining = asyncio.ensure_future(one.service.server.drain(0.0))
        run = await one.rest()
        await soon(draining)

    assert refused_as(run) == (StatusCode.CANCELLED, "RUN_CANCELLED")
    assert (outline(run), run.trailers["headrace-run-state"]) == (["WITHDRAWN"], "CANCELLED")
    assert metadata_of(run)["by"] == "drain"


async def test_a_run_that_waits_outlives_its_last_reader() -> None:
    async with asked(request=asking(run_id="r1", linger=Duration(seconds=30))) as one:
        one.stream.cancel()
        await soon(one.send(answer_json='"because"'))
        run = await soon(heard(one.service.stub.Attach(pb.AttachRequest(run_id="r1"))))

    assert run.events[-1].prediction.outputs["result"] == "because"


# Tools


async def paying(one: Asked) -> str:
    run = await one.rest()

    return str(run.events[-1].prediction.outputs["result"])


@asynccontextmanager
async def approving() -> AsyncGenerator[Asked, None]:
    request = pb.RunRequest(program="pays", run_id="r1", inputs_json='{"amount": 3}')

    async with asked(asks, Program(Pays(), name="pays"), request=request) as one:
        yield one


async def test_a_tool_that_asks_shows_its_arguments_and_is_called_with_them() -> None:
    async with approving() as one:
        assert (one.request.kind, one.request.tool) == (pb.InputRequest.KIND_APPROVAL, "pay")
        assert json.loads(one.request.proposal_json) == {"amount": 3}
        schema = json.loads(one.request.answer_schema_json)
        assert [*schema["properties"]] == ["amount", "to"]

        first = await soon(one.send(answer=value(True)))
        assert await paying(one) == "paid 3 to the miller"
        assert await soon(one.send(answer=value({"amount": 3}))) == first
        other = await soon(refusal(one.send(answer=value({"amount": 4}))))
        assert other.code is StatusCode.ALREADY_EXISTS


async def test_a_tool_is_called_with_edited_arguments_that_fit_it() -> None:
    async with approving() as one:
        unfit = await soon(refusal(one.send(answer=value({"amount": "much", "by": 1}))))
        assert [*violations(unfit)] == ["answer.by", "answer.amount"]
        refused = await soon(refusal(one.send(answer=value(False))))
        assert [*violations(refused)] == ["answer"]

        await soon(one.send(answer=value({"amount": 2, "to": "the mason"})))
        assert await paying(one) == "paid 2 to the mason"


async def test_a_tool_that_is_declined_is_not_called() -> None:
    async with approving() as one:
        await soon(one.send(decline=True, reason="too dear"))
        run = await one.rest()

    assert run.details == "the call of pay was declined: too dear"


async def test_a_program_tells_which_of_its_tools_ask() -> None:
    async with served(Program(Pays(), name="pays")) as service:
        answer = await soon(service.stub.GetProgram(pb.GetProgramRequest(name="pays")))

    assert [(tool.name, tool.approval) for tool in answer.program.tools] == [("pay", True)]


# Who may


@asynccontextmanager
async def anns(**config: Any) -> AsyncGenerator[Asked, None]:
    async with asked(
        asks, program(name="other"), metadata=ANN, principals=PRINCIPALS, **config
    ) as one:
        yield one


async def test_who_may_answer_answers_runs_of_others_from_a_connection_of_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "headrace.server")

    async with anns() as one:
        async with connected(one.service.address) as stub:
            request = pb.SendInputRequest(
                run_id="r1", input_id=one.input_id, answer_json='"secret"', reason="private"
            )
            await soon(stub.SendInput(request, metadata=BOB))
            await soon(stub.SendInput(request, metadata=BOB))

        assert outline(await one.rest()) == ["ANSWERED", "prediction"]

    lines = [record for record in caplog.records if record.message == "question answered"]
    facts: list[Mapping[str, object]] = [vars(record)["facts"] for record in lines]
    assert [{**one_facts, "peer": ""} for one_facts in facts] == [
        {
            "run_id": "r1",
            "program": "scripted",
            "starter": "ann",
            "principal": "bob",
            "peer": "",
            "input_id": one.input_id,
            "outcome": "ANSWERED",
        }
    ]


@asynccontextmanager
async def connected(address: str) -> AsyncGenerator[Any, None]:
    async with grpc.aio.insecure_channel(address) as channel:
        yield stub_of(channel)


@pytest.mark.parametrize("metadata", [CARL, DORA])
async def test_to_others_the_run_does_not_exist(metadata: Any) -> None:
    async with anns() as one:
        refused = await soon(refusal(one.send(metadata, answer_json='"a"')))
        unknown = await soon(refusal(one.send(metadata, run_id="r2", answer_json='"a"')))
        assert refused_as(refused) == (StatusCode.NOT_FOUND, "RUN_NOT_FOUND")
        assert refused.details == unknown.details.replace("r2", "r1")

        await soon(one.send(answer_json='"a"'))
        assert outline(await one.rest()) == ["ANSWERED", "prediction"]


async def test_of_runs_with_one_name_the_one_that_asked_is_answered() -> None:
    async with anns() as one:
        bobs = Stream(
            one.service.stub.Run(asking("when?", run_id="r1", options=ACCEPTS), metadata=BOB)
        )
        request = (await bobs.read()).input_request
        await soon(one.send(BOB, answer_json='"for ann"'))
        await soon(one.send(BOB, input_id=request.input_id, answer_json='"for bob"'))
        refused = await soon(refusal(one.send(input_id=request.input_id, answer_json='"a"')))
        results = [
            run.events[-1].prediction.outputs["result"]
            for run in (await one.rest(), await soon(heard(bobs)))
        ]

    assert results == ["for ann", "for bob"]
    assert refused_as(refused) == (StatusCode.NOT_FOUND, "INPUT_NOT_FOUND")


# In tests of programs


async def test_a_test_may_answer_for_people_on_a_server_of_its_own() -> None:
    with answering({"why?": "because"}) as questions:
        async with (
            serve_programs(program(asks)) as address,
            connected(address) as stub,
        ):
            run = await soon(heard(stub.Run(asking(options=ACCEPTS))))

    assert outline(run) == ["input_request", "ANSWERED", "prediction"]
    assert [one.message for one in questions] == ["why?"]


async def test_many_branches_ask_at_once() -> None:
    async def play(question: str) -> object:
        kinds = Literal["a", "b"]
        return await asyncio.gather(*(headrace.ask(f"{at}", type=kinds) for at in range(20)))

    async with asked(play) as one:
        requests = [one.request]
        requests += [(await one.stream.read()).input_request for _ in range(19)]
        answers = [
            one.send(input_id=request.input_id, answer_json=f'"{"ab"[int(request.message) % 2]}"')
            for request in reversed(requests)
        ]
        await soon(asyncio.gather(*answers))
        run = await one.rest()

    assert outline(run) == ["ANSWERED"] * 20 + ["prediction"]
    outputs = MessageToDict(run.events[-1].prediction.outputs)
    assert outputs == {"result": ["a", "b"] * 10}
