"""The same id with the same inputs is one run, however they were written; with others it is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, cast

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from grpc import StatusCode
from headrace.errors import InputInvalid, RevisionMismatch, RunIdReused
from headrace.hosting import Program
from headrace.hosting.port import StartRequest
from headrace.module import Module
from headrace.runs.limits import Limits
from headrace.runs.registry import Registry
from headrace.server.config import Principal
from headrace.server.core import Caller, Core, Start
from headrace.server.v1.requests import decode_inputs
from headrace_proto.v1 import headrace_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from server.scripted import Scripted, echo, soon
from server.serving import Heard, Served, asking, heard, program, refusal, served
from server.stores import new_store

LIMITS = Limits()


class Point(BaseModel):
    x: int
    y: float = 0.5


class Takes(Module):
    """Inputs of many types, all with defaults."""

    async def aforward(
        self,
        count: int = 3,
        ratio: float = 1.0,
        flag: bool = False,
        text: str = "why?",
        names: list[str] = ["a"],  # noqa: B006 - nobody changes it
        chosen: set[str] = frozenset({"b", "a"}),  # type: ignore[assignment]
        kind: Literal["one", "two"] = "one",
        point: Point = Point(x=1),  # noqa: B008 - nobody changes it
        anything: Any = None,
    ) -> str:
        return "done"


TAKES = Program(Takes(), name="takes")


def digest(request: pb.RunRequest, hosted: Any = TAKES) -> str:
    """What tells the inputs of a request from others, once they have been checked."""
    return StartRequest(hosted, hosted.check(decode_inputs(request, LIMITS))).digest


def of_text(text: str) -> str:
    return digest(pb.RunRequest(inputs_json=text))


def of_struct(values: dict[str, Any]) -> str:
    return digest(pb.RunRequest(inputs=ParseDict(values, Struct())))


SAME = [
    ("{}", '{"count": 3}'),  # a default, given or left out
    ("{}", '{"text": "why?", "names": ["a"], "kind": "one", "anything": null}'),
    ('{"count": 3}', '{"count": 3.0}'),
    ('{"count": 7}', '{"count": "7"}'),
    ('{"ratio": 2}', '{"ratio": 2.0}'),
    ('{"ratio": 2}', '{"ratio": 2e0}'),
    ('{"flag": true}', '{"flag": "true"}'),
    ('{"chosen": ["x", "y", "z"]}', '{"chosen": ["z", "y", "x", "x"]}'),
    ('{"point": {"x": 2}}', '{"point": {"y": 0.5, "x": 2.0}}'),
    ('{"anything": {"a": 1, "b": 2}}', '{"anything": {"b": 2, "a": 1}}'),
    ('{"anything": [3, 0, 10000000000]}', '{"anything": [3.0, -0.0, 1e10]}'),
    ('{"text": "\\u00e9"}', '{"text": "é"}'),
    (' { "count" : 4 } ', '{"count":4}'),
]
OTHER = [
    ("{}", '{"count": 4}'),
    ('{"text": "3"}', '{"text": "3.0"}'),
    ('{"anything": 3}', '{"anything": "3"}'),
    ('{"anything": 1}', '{"anything": true}'),
    ('{"anything": null}', '{"anything": false}'),
    ('{"anything": [1, 2]}', '{"anything": [2, 1]}'),
    ('{"anything": 9007199254740993}', '{"anything": 9007199254740992}'),
    ('{"count": 9007199254740993}', '{"count": 9007199254740992}'),
    ('{"anything": 0.1}', '{"anything": 0.10000000000000002}'),
    ('{"names": ["a", "b"]}', '{"names": ["b", "a"]}'),
    ('{"anything": {}}', '{"anything": []}'),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_inputs_that_are_the_same_after_coercion_and_defaults(one: str, other: str) -> None:
    assert of_text(one) == of_text(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_inputs_that_are_others(one: str, other: str) -> None:
    assert of_text(one) != of_text(other)


@pytest.mark.parametrize("text", {text for pair in SAME for text in pair})
def test_a_struct_says_the_same_as_text(text: str) -> None:
    assert of_struct(json.loads(text)) == of_text(text)


def test_integers_beyond_a_double_may_be_sent_as_decimals_in_a_struct() -> None:
    assert of_struct({"count": "9007199254740993"}) == of_text('{"count": 9007199254740993}')


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=10,
)


def shuffled(value: Any) -> Any:
    """The value with the members of its objects in another order."""
    match value:
        case dict():
            members = cast("dict[str, Any]", value)
            return {name: shuffled(members[name]) for name in reversed(members)}
        case list():
            return [shuffled(one) for one in value]  # pyright: ignore[reportUnknownVariableType]  # JSON
        case _:
            return value


@given(json_values)
def test_any_value_is_the_same_as_struct_and_as_text_in_any_writing(value: Any) -> None:
    inputs = {"anything": value}
    texts = [
        json.dumps(inputs),
        json.dumps(shuffled(inputs), ensure_ascii=False, indent=2),
        json.dumps(json.loads(json.dumps(inputs), parse_int=float)),
    ]

    assert {of_text(text) for text in texts} == {of_struct(inputs)}


@given(json_values, json_values)
def test_values_that_differ_as_json_are_others(one: Any, other: Any) -> None:
    def canonical(value: Any) -> str:
        return json.dumps(value, sort_keys=True)

    def as_sent(value: Any) -> Any:
        return decode_inputs(pb.RunRequest(inputs=ParseDict({"a": value}, Struct())), LIMITS)

    same = canonical(as_sent(one)) == canonical(as_sent(other))

    assert (of_struct({"anything": one}) == of_struct({"anything": other})) == same


def test_the_program_counts_and_its_revision_does_not() -> None:
    def told(name: str, revision: str) -> str:
        return StartRequest(Scripted(echo, name, revision), {"question": "why?"}).digest

    assert told("one", "1") == told("one", "2")
    assert told("one", "1") != told("other", "1")


async def again(service: Served, **asked: Any) -> Heard:
    return await soon(heard(service.stub.Run(asking(run_id="r1", **asked))))


JOINS: list[Mapping[str, Any]] = [
    {"timeout": Duration(seconds=7)},
    {"linger": Duration(seconds=7)},
    {"labels": {"team": "red"}},
    {"options": pb.StreamOptions(fields=["*"], token_detail=pb.TOKEN_DETAIL_NONE)},
    {"after_sequence": 3},
]


@pytest.mark.usefixtures("each_store")
async def test_what_is_no_input_does_not_count() -> None:
    async with served(program()) as service:
        first = await again(service, labels={"team": "blue"})
        rest = [await again(service, **asked) for asked in JOINS]
        record = (await soon(service.stub.GetRun(pb.GetRunRequest(run_id="r1")))).run

    assert [one.code for one in rest] == [StatusCode.OK] * len(JOINS)
    assert {one.events[-1].sequence for one in rest} == {first.events[-1].sequence}
    assert record.labels == {"team": "blue"}


@pytest.mark.usefixtures("each_store")
async def test_other_inputs_another_program_or_a_revision_it_has_not_are_refused() -> None:
    hosted = program()
    revision = hosted.revision

    async with served(hosted, program(name="other")) as service:
        await again(service)
        refused = [
            await again(service, question="how?"),
            await again(service, revision="another"),
        ]
        request = asking(run_id="r1")
        request.program = "other"
        refused.append(await soon(heard(service.stub.Run(request))))
        predicting = pb.PredictRequest(
            program="scripted", run_id="r1", inputs_json='{"question": "how?"}'
        )
        refused.append(await soon(refusal(service.stub.Predict(predicting))))

        assert [one.code for one in refused] == [StatusCode.ALREADY_EXISTS] * 4
        assert {one.trailers["headrace-error-reason"] for one in refused} == {"RUN_ID_REUSED"}
        assert (await again(service, revision=revision)).code is StatusCode.OK
        predicting.inputs_json = '{"question": "why?"}'
        assert (await soon(service.stub.Predict(predicting))).run_id == "r1"


@pytest.mark.usefixtures("each_store")
async def test_a_run_that_an_earlier_revision_began_is_joined_by_who_asks_for_that_one() -> None:
    def order(asked: str, hosted: str = "2", run_id: str = "r1") -> StartRequest:
        return StartRequest(
            Scripted(echo, revision=hosted), {"question": "why?"}, run_id=run_id, revision=asked
        )

    async with Registry(LIMITS, new_store(LIMITS)) as registry:
        run = await registry.start(order("", hosted="1"))

        for asked in ("", "1"):
            assert (await registry.start(order(asked))).key == run.key

        for asked in ("2", "3"):
            with pytest.raises(RunIdReused, match="r1"):
                await registry.start(order(asked))

        with pytest.raises(RevisionMismatch) as mismatch:
            await registry.start(order("1", run_id="r2"))

        assert mismatch.value.metadata == {"revision": "2"}


async def test_inputs_of_another_revision_are_told_to_be_that() -> None:
    async with Registry(LIMITS, new_store(LIMITS)) as registry:
        core, caller = Core([TAKES], registry), Caller(Principal(name="ann"))
        unfit = {"question": "why?"}

        with pytest.raises(RevisionMismatch):
            await core.start(caller, TAKES, Start("takes", unfit, revision="another"))

        with pytest.raises(InputInvalid):
            await core.start(caller, TAKES, Start("takes", unfit, revision=TAKES.revision))
