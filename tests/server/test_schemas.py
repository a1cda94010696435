"""Schemas on the wire: JSON text, in which everything stands in the order of whoever wrote it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from headrace import Module, Program, ReAct
from headrace.signatures import InputField, OutputField, Signature
from headrace_proto.v1 import headrace_pb2 as pb
from pydantic import BaseModel
from server.serving import served


class Zone(BaseModel):
    width: int
    name: str
    depth: int = 2**63


class Visit(BaseModel):
    zones: list[Zone]
    at: str
    mood: str


class Plan(Signature):
    """Plans a visit."""

    question: str = InputField()
    budget: int = InputField(default=3)
    area: Zone = InputField()
    visit: Visit = OutputField()
    answer: str = OutputField()


def measure(width: int, at: Zone, depth: int = 1, a_word: str = "deep") -> str:
    """Measures."""
    return a_word


class Open(Module):
    """Gives what it likes."""

    async def aforward(self, question: str) -> Any:
        return {question: 1}


@pytest.fixture
async def program() -> pb.Program:
    async with served(Program(ReAct(Plan, tools=[measure]), name="plan")) as service:
        return (await service.stub.GetProgram(pb.GetProgramRequest(name="plan"))).program


def named(schema: Mapping[str, Any]) -> list[str]:
    """The names of an object's properties, in order."""
    return list(schema["properties"])


def test_inputs_keep_the_order_of_the_signature(program: pb.Program) -> None:
    schema = json.loads(program.input_schema_json)

    assert named(schema) == ["question", "budget", "area"]
    assert schema["required"] == ["question", "area"]
    assert named(schema["$defs"]["Zone"]) == ["width", "name", "depth"]
    assert [field.name for field in program.inputs] == named(schema)


def test_outputs_and_the_models_in_them_keep_theirs(program: pb.Program) -> None:
    schema = json.loads(program.output_schema_json)

    assert named(schema) == ["trajectory", "reasoning", "visit", "answer"]
    assert named(schema["$defs"]["Visit"]) == ["zones", "at", "mood"]
    assert named(schema["$defs"]["Zone"]) == ["width", "name", "depth"]
    assert [field.name for field in program.outputs] == named(schema)


def test_tools_keep_the_order_of_their_parameters(program: pb.Program) -> None:
    (tool,) = program.tools
    schema = json.loads(tool.parameters_schema_json)

    assert named(schema) == ["width", "at", "depth", "a_word"]
    assert named(schema["$defs"]["Zone"]) == ["width", "name", "depth"]


def test_whole_numbers_stay_whole_and_exact(program: pb.Program) -> None:
    assert '"default":3' in program.input_schema_json.replace(" ", "")
    assert '"default":9223372036854775808' in program.input_schema_json.replace(" ", "")


async def test_outputs_that_are_not_declared_are_any_object() -> None:
    async with served(Program(Open(), name="open")) as service:
        program = (await service.stub.GetProgram(pb.GetProgramRequest(name="open"))).program

    assert (list(program.outputs), program.output_schema_json) == ([], '{"type":"object"}')
