"""Defaults: what they say of a parameter without annotation, and that hosting changes nothing in it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import pytest
from headrace.errors import InputInvalid
from headrace.hosting import Program
from headrace.module import Module
from headrace.predict import Predict
from headrace.server.v1.records import program_message
from headrace.signatures import InputField, OutputField, Signature, make_signature
from headrace.tools import Tool
from headrace.values import Prediction
from pydantic import BaseModel, Field

UNSET = object()


class Mode(enum.Enum):
    FAST = "fast"
    SLOW = "slow"


class Weight(BaseModel):
    kilos: float = Field(alias="inKilos")


@dataclass
class Size:
    width: int


def taking(default: Any) -> Program:
    class Take(Module):
        async def aforward(self, question, k=default):  # type: ignore[no-untyped-def]  # pyright: ignore[reportMissingParameterType, reportUnknownParameterType] - so modules are written
            return Prediction(k=k)

    return Program(Take())


async def given(program: Program, **inputs: Any) -> Any:
    """What the program's module is given for `k` where it is hosted."""
    return (await program.module.acall(**program.check({"question": "q", **inputs}))).k


DEFAULTS: list[tuple[Any, str, dict[str, Any], list[tuple[Any, Any]]]] = [
    (3, "int", {"type": "integer", "default": 3}, [(5, 5), (2.5, 2.5), ("5", "5"), (None, None)]),
    (False, "bool", {"type": "boolean", "default": False}, [(True, True), (1, 1), ("no", "no")]),
    (0.5, "float", {"type": "number", "default": 0.5}, [(0.1, 0.1), (1, 1.0), ("1", "1")]),
    ("a", "str", {"type": "string", "default": "a"}, [("b", "b"), (5, 5), ([1], [1])]),
    ([1], "list", {"type": "array", "items": {}, "default": [1]}, [(["a"], ["a"]), ("a", "a")]),
    (
        {"a": 1},
        "dict",
        {"type": "object", "default": {"a": 1}},
        [({"b": [2]}, {"b": [2]}), ([], [])],
    ),
    (None, "Any", {"default": None}, [(5, 5), ("a", "a"), ({"a": [None]}, {"a": [None]})]),
    ((1, 2), "tuple", {"type": "array", "items": {}, "default": [1, 2]}, [(["a"], ("a",))]),
    (
        {1},
        "set",
        {"type": "array", "items": {}, "uniqueItems": True, "default": [1]},
        [([2, 3], {2, 3})],
    ),
    (
        Mode.FAST,
        "Mode",
        {"$ref": "#/$defs/Mode", "default": "fast"},
        [("slow", Mode.SLOW)],
    ),
    (
        date(2024, 2, 29),
        "date",
        {"type": "string", "format": "date", "default": "2024-02-29"},
        [("2025-01-01", date(2025, 1, 1))],
    ),
    (UNSET, "Any", {}, [(5, 5), ("a", "a")]),
    (len, "Any", {}, [("a", "a")]),
    (Mode, "Any", {}, [("fast", "fast")]),
    (float("inf"), "float", {"type": "number"}, [(2.5, 2.5)]),
]


@pytest.mark.parametrize(("default", "type_text", "schema", "values"), DEFAULTS)
async def test_a_parameter_without_annotation_is_what_its_default_is(
    default: Any, type_text: str, schema: dict[str, Any], values: list[tuple[Any, Any]]
) -> None:
    program = taking(default)
    described = program_message(program.describe()).inputs[1]

    assert (described.type, described.required) == (type_text, False)
    stated = program.input_schema["properties"]["k"]
    assert {**stated, "additionalProperties": True} == {**schema, "additionalProperties": True}
    assert described.HasField("default_value") == ("default" in schema)
    assert await given(program) == default

    for value, expected in values:
        got = await given(program, k=value)
        assert (got, type(got)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("default", "value", "expected"),
    [
        (Weight(inKilos=1), {"inKilos": 2.5}, Weight(inKilos=2.5)),
        (Size(1), {"width": 2}, Size(2)),
    ],
)
async def test_a_model_or_dataclass_as_default_is_made_of_what_comes(
    default: Any, value: Any, expected: Any
) -> None:
    program = taking(default)

    assert await given(program, k=value) == expected
    assert await given(program) == default

    with pytest.raises(InputInvalid, match=r"inputs\.k\."):
        program.check({"question": "q", "k": {"other": 1}})


async def test_a_default_that_is_known_by_its_identity_is_itself() -> None:
    assert await given(taking(UNSET)) is UNSET


async def test_what_a_run_does_to_a_default_is_not_seen_by_the_next() -> None:
    seen: list[list[int]] = []

    class Collect(Module):
        async def aforward(self, *, found: Any = []) -> Any:  # noqa: B006 - so modules are written
            found.append(len(found))
            seen.append(found)

            return found

    program = Program(Collect())

    for _ in range(2):
        await program.module.acall(**program.check({}))

    assert seen == [[0], [0]]


def wrong(default: Any) -> Any:
    """A default that its annotation does not allow, as type checkers would say."""
    return default


def facts(program: Program) -> list[tuple[str, str, bool]]:
    return [(field.name, field.type_text, field.required) for field in program.inputs]


def test_a_default_is_among_the_values_that_its_annotation_allows() -> None:
    class Search(Module):
        async def aforward(
            self,
            limit: int = wrong(None),
            depth: int = wrong("auto"),
            mode: Literal["a", "b"] = wrong("c"),
            exact: bool = True,
        ) -> str:
            return ""

    program = Program(Search())

    assert facts(program) == [
        ("limit", "int | None", False),
        ("depth", "int | Literal['auto']", False),
        ("mode", "Literal['a', 'b'] | Literal['c']", False),
        ("exact", "bool", False),
    ]
    assert program.check({"limit": None, "depth": "auto", "mode": "c"}) == {
        "limit": None,
        "depth": "auto",
        "mode": "c",
        "exact": True,
    }

    with pytest.raises(InputInvalid, match="depth"):
        program.check({"depth": "many"})


def test_an_input_of_a_signature_may_be_sent_its_default_too() -> None:
    class Ask(Signature):
        limit: int = InputField(default=None, ge=1)
        answer: str = OutputField()

    program = Program(Predict(Ask))

    assert program.check({"limit": None}) == program.check({}) == {"limit": None}

    with pytest.raises(InputInvalid, match="greater than or equal to 1"):
        program.check({"limit": 0})


def test_a_field_without_annotation_is_what_its_default_is_too() -> None:
    class Ask(Signature):
        question = InputField()
        k = InputField(default=3)
        bounded = InputField(default=3, ge=1)
        tags = InputField(default_factory=list)
        made = InputField(default_factory=lambda: UNSET)
        stars = OutputField(default=0)

    assert [(one.name, one.type_text) for one in Ask.all_fields] == [
        ("question", "str"),
        ("k", "int"),
        ("bounded", "int"),
        ("tags", "list"),
        ("made", "Any"),
        ("stars", "int"),
    ]
    assert Ask.with_updated_fields("k", default="x").input_fields["k"].type_text == "str"
    assert Ask.input_fields["k"].validate(2.5) == 2.5

    for held, refused in ((Ask.input_fields["bounded"], 0), (Ask.output_fields["stars"], "many")):
        with pytest.raises(ValueError, match="Input should be"):
            held.validate(refused)


def test_fields_may_be_made_again_from_fields() -> None:
    field = InputField(default=3).named("k")

    assert make_signature([field.named("n"), OutputField().named("a")]).input_fields[
        "n"
    ].type_text == ("int")


def test_arguments_of_tools_are_what_their_defaults_are() -> None:
    def search(query: str, limit=3, mode=Mode.FAST, unset=UNSET) -> Any:  # type: ignore[no-untyped-def]
        return query, limit, mode, unset

    tool = Tool(search)

    assert tool.args["limit"] == {"type": "integer", "default": 3}
    assert tool.args["unset"] == {}
    assert tool.parameters_schema["required"] == ["query"]
    assert tool(query="q") == ("q", 3, Mode.FAST, UNSET)
    assert tool(query="q", limit=2.5, mode="slow") == ("q", 2.5, Mode.SLOW, UNSET)


def test_an_argument_of_a_tool_may_be_given_its_default() -> None:
    def search(limit: int = wrong(None)) -> int | None:
        return limit

    tool = Tool(search)

    assert tool.args == {
        "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}
    }
    assert [tool(limit=None), tool(limit="3")] == [None, 3]
