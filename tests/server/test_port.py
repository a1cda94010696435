"""The port of hosting: a program that is no module, served by what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from headrace.errors import FieldViolation, InputInvalid
from headrace.execution import Work
from headrace.hosting import HostedProgram, ProgramInfo
from headrace.hosting.port import FieldInfo, PredictorInfo, ToolInfo
from headrace_proto.v1 import headrace_pb2 as pb
from server.scripted import write
from server.serving import heard, refusal, served


class Reverser:
    """Writes a word backwards. It knows no signature, no module and no LM."""

    name = "reverser"
    revision = "7"
    interface_revision = "3"

    def __init__(self) -> None:
        self.described = 0

    def describe(self) -> ProgramInfo:
        self.described += 1

        return ProgramInfo(
            self.name,
            self.revision,
            "Writes backwards.",
            inputs=[
                FieldInfo("word", description="any", required=True),
                FieldInfo("times", "int", default=1),
            ],
            outputs=[FieldInfo("drow", streams_text=True)],
            predictors=[
                PredictorInfo(
                    "back", [FieldInfo("drow", streams_text=True)], "word -> drow", "Back"
                )
            ],
            tools=[ToolInfo("turn", "Turns.", {"type": "object"}, idempotent=True)],
            input_schema={"type": "object", "required": ["word"]},
            example_inputs={"word": "stressed"},
            interface_revision=self.interface_revision,
        )

    def check(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        if "word" not in inputs:
            raise InputInvalid([FieldViolation("inputs.word", "is missing")])

        return {"times": 1, **inputs}

    def work(self, inputs: Mapping[str, Any]) -> Work:
        async def call() -> object:
            backwards = inputs["word"][::-1] * inputs["times"]
            write("drow", *backwards, predictor="back")

            return backwards

        return Work(call, self.name, inputs=inputs, outputs_of=lambda value: {"drow": value})


def asked(**inputs: str | int) -> pb.RunRequest:
    request = pb.RunRequest(program="reverser")
    request.inputs.update(inputs)

    return request


@pytest.fixture
def program() -> Reverser:
    return Reverser()


async def test_it_is_listed_as_it_describes_itself(program: HostedProgram) -> None:
    async with served(program) as server:
        listed = await server.stub.ListPrograms(pb.ListProgramsRequest())
        one = await server.stub.GetProgram(pb.GetProgramRequest(name="reverser"))

    assert list(listed.programs) == [one.program]
    assert MessageToDict(one.program, preserving_proto_field_name=True) == {
        "name": "reverser",
        "description": "Writes backwards.",
        "revision": "7",
        "interface_revision": "3",
        "inputs": [
            {"name": "word", "description": "any", "type": "str", "required": True},
            {"name": "times", "type": "int", "default_value": 1.0},
        ],
        "outputs": [{"name": "drow", "type": "str", "streamable": True}],
        "predictors": [
            {
                "name": "back",
                "signature": "word -> drow",
                "module": "Back",
                "outputs": [{"name": "drow", "type": "str", "streamable": True}],
            }
        ],
        "tools": [
            {
                "name": "turn",
                "description": "Turns.",
                "parameters_schema_json": '{"type":"object"}',
                "idempotent": True,
            }
        ],
        "input_schema_json": '{"type":"object","required":["word"]}',
        "output_schema_json": '{"type":"object"}',
        "example_inputs": {"word": "stressed"},
    }


async def test_it_runs_and_streams(program: HostedProgram) -> None:
    async with served(program) as server:
        run = await heard(server.stub.Run(asked(word="on")))

    assert run.outline == [
        "RUN START",
        "MODULE START",
        "token no",
        "MODULE END",
        "RUN END",
        "prediction",
    ]
    assert dict(run.events[-1].prediction.outputs) == {"drow": "no"}
    prediction = run.events[-1].prediction
    assert (prediction.revision, prediction.interface_revision) == ("7", "3")


async def test_it_predicts(program: HostedProgram) -> None:
    request = pb.PredictRequest(program="reverser", inputs_json='{"word": "on", "times": 2}')

    async with served(program) as server:
        answer = await server.stub.Predict(request)

    assert dict(answer.prediction.outputs) == {"drow": "nono"}


async def test_it_refuses_inputs(program: HostedProgram) -> None:
    async with served(program) as server:
        run = await heard(server.stub.Run(asked(times=2)))
        predicted = await refusal(server.stub.Predict(pb.PredictRequest(program="reverser")))

    assert (run.code, run.details) == (predicted.code, predicted.details)
    assert (run.code, run.events) == (grpc.StatusCode.INVALID_ARGUMENT, [])
    assert "inputs.word: is missing" in run.details


async def test_readers_select_from_what_it_says_can_stream(program: Reverser) -> None:
    known, unknown = asked(word="on"), asked(word="on")
    known.options.fields.append("back.drow")
    unknown.options.fields.append("back.word")

    async with served(program) as server:
        run = await heard(server.stub.Run(known))
        refused = await heard(server.stub.Run(unknown))

    assert run.text == "no"
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "'back.word' cannot stream; did you mean back.drow?" in refused.details
    assert program.described == 1
