"""What fields hold values to, and what signatures say of themselves to machines."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType

import pydantic
import pytest
from annotated_types import Interval, Len
from headrace.signatures import InputField, OutputField, Signature
from headrace.signatures.annotations import type_text
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError
from typing_extensions import TypeAliasType

UserId = NewType("UserId", int)


class Color(enum.Enum):
    RED = "red"


class Node(BaseModel):
    name: str
    children: list[Node] = []


@dataclass
class Point:
    x: int
    y: int


class Handle:
    """No type that pydantic knows."""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gt": 1}, "greater than 1"),
        ({"ge": 1, "lt": 10}, "at least 1, less than 10"),
        ({"le": 0.5}, "at most 0.5"),
        ({"multiple_of": 5}, "a multiple of 5"),
        ({"allow_inf_nan": False}, "finite"),
        ({"title": "T", "examples": [1]}, ""),
        ({}, ""),
    ],
)
def test_constraints_on_numbers_are_said_in_words(options: dict[str, Any], said: str) -> None:
    assert InputField(**options).named("n", float).constraints == said


Stars = TypeAliasType("Stars", Annotated[int, Interval(le=5)])


def test_constraints_on_texts_decimals_and_in_annotations_are_said_too() -> None:
    class Constrained(Signature):
        code: str = InputField(min_length=2, max_length=4, pattern="[a-z]+")
        price: Decimal = InputField(max_digits=6, decimal_places=2)
        share: Annotated[float, Interval(ge=0, le=1)] = InputField()
        tags: Annotated[list[str], Len(1, 3)] = InputField(max_length=3)
        name: Annotated[str, pydantic.StringConstraints(max_length=9)] = InputField()
        days: Annotated[int, Interval(gt=1)] | None = InputField(le=9)
        stars: Stars = InputField()
        done: bool = OutputField()

    assert [field.constraints for field in Constrained.all_fields] == [
        "length at least 2, length at most 4, matching the pattern [a-z]+",
        "at most 6 digits, at most 2 decimal places",
        "at least 0, at most 1",
        "length at least 1, length at most 3",
        "length at most 9",
        "greater than 1, at most 9",
        "at most 5",
        "",
    ]


@pytest.mark.parametrize(
    ("annotation", "options", "given", "value"),
    [
        (int, {}, "3", 3),
        (int, {"ge": 3}, 3.0, 3),
        (float, {}, "1.5", 1.5),
        (bool, {}, "true", True),
        (list[int], {"max_length": 2}, ["1", 2], [1, 2]),
        (set[int], {}, [1, 1], {1}),
        (tuple[int, ...], {}, [1], (1,)),
        (date, {}, "2024-02-29", date(2024, 2, 29)),
        (Color, {}, "red", Color.RED),
        (Literal["a"], {}, "a", "a"),
        (Point, {}, {"x": 1, "y": "2"}, Point(1, 2)),
        (Node, {}, {"name": "n"}, Node(name="n")),
        (int | None, {"gt": 3}, None, None),
        (UserId, {}, "3", 3),
    ],
)
def test_values_become_what_the_field_asks_for(
    annotation: Any, options: dict[str, Any], given: object, value: object
) -> None:
    assert OutputField(**options).named("field", annotation).validate(given) == value


@pytest.mark.parametrize(
    ("annotation", "options", "given"),
    [
        (int, {}, "three"),
        (int, {"ge": 3}, 2),
        (str, {}, 3),
        (str, {"pattern": "^a"}, "b"),
        (list[int], {"max_length": 1}, [1, 2]),
        (Color, {}, "blue"),
        (int | None, {"gt": 3}, 2),
        (Handle, {}, "handle"),
    ],
)
def test_values_that_do_not_fit_are_refused(
    annotation: Any, options: dict[str, Any], given: object
) -> None:
    with pytest.raises(ValidationError):
        OutputField(**options).named("field", annotation).validate(given)


def test_a_field_without_a_stated_type_takes_numbers_as_text() -> None:
    signature = Signature("a, b: str -> c")

    assert signature.input_fields["a"].validate(3) == "3"

    with pytest.raises(ValidationError):
        signature.input_fields["b"].validate(3)


def test_classes_that_pydantic_does_not_know_are_checked_by_instance() -> None:
    signature = Signature("handle: Handle -> done: bool")
    handle = Handle()

    assert signature.input_fields["handle"].validate(handle) is handle
    assert signature.json_schema("input")["properties"] == {"handle": {}}


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (UserId, "UserId"),
        (Color, "Color"),
        (list[Node], "list[Node]"),
        (Annotated[int, Interval(ge=1)], "int"),
        (dict[str, int | None], "dict[str, int | None]"),
        (Literal[Color.RED, "a", 1], "Literal[Color.RED, 'a', 1]"),
        (type(None), "None"),
    ],
)
def test_types_are_shown_as_they_are_written(annotation: Any, text: str) -> None:
    assert type_text(annotation) == text


class Trip(Signature):
    """Plan."""

    start: Node = InputField(desc="where it begins")
    stops: list[Node] = InputField(default_factory=list)
    days: int = InputField(default=3, ge=1, title="Days", examples=[2])
    tags: set[str] = InputField(default={"c", "a", "b"})
    note: str | None = InputField()
    first: date = OutputField(json_schema_extra={"x-order": 1})


def test_a_side_is_one_object_with_shared_definitions() -> None:
    schema = Trip.json_schema("input")
    properties = schema["properties"]
    node = {"$ref": "#/$defs/Node"}

    Draft202012Validator.check_schema(schema)
    assert schema["required"] == ["start"]
    assert schema["additionalProperties"] is False
    assert list(schema["$defs"]) == ["Node"]
    assert schema["$defs"]["Node"]["properties"]["children"]["items"] == node
    assert properties["start"] == {**node, "description": "where it begins"}
    assert properties["stops"] == {"type": "array", "items": node}
    assert properties["days"] == {
        "type": "integer",
        "minimum": 1,
        "title": "Days",
        "examples": [2],
        "default": 3,
    }
    assert properties["tags"]["default"] == ["a", "b", "c"]


def test_a_schema_accepts_what_the_field_accepts() -> None:
    validator: Any = Draft202012Validator(Trip.json_schema("input"))

    assert validator.is_valid({"start": {"name": "a", "children": [{"name": "b"}]}, "days": 1})
    assert not validator.is_valid({"start": {"name": "a", "children": [{}]}})
    assert not validator.is_valid({"start": {"name": "a"}, "days": 0})
    assert not validator.is_valid({"start": {"name": "a"}, "other": 0})


def test_the_schema_of_one_field_is_complete_in_itself() -> None:
    schema = Trip.input_fields["stops"].json_schema()

    assert schema["items"] == {"$ref": "#/$defs/Node"}
    assert list(schema["$defs"]) == ["Node"]


def test_the_output_side_has_a_schema_of_its_own() -> None:
    assert Trip.json_schema("output") == {
        "type": "object",
        "properties": {"first": {"type": "string", "format": "date", "x-order": 1}},
        "required": ["first"],
        "additionalProperties": False,
    }


def test_descriptions_do_not_leak_into_the_schemas_of_other_fields() -> None:
    class Two(Signature):
        a: Node = InputField(title="A", desc="first")
        b: Node = InputField()
        c: str = OutputField()

    assert Two.json_schema("input")["properties"]["b"] == {"$ref": "#/$defs/Node"}


def test_unions_keep_their_order() -> None:
    one, two = Signature("a: int | str -> b"), Signature("a: str | int -> b")

    assert [
        [member["type"] for member in signature.json_schema("input")["properties"]["a"]["anyOf"]]
        for signature in (one, two)
    ] == [["integer", "string"], ["string", "integer"]]


def test_the_source_text_changes_with_every_part_of_a_signature() -> None:
    variants: list[type[Signature]] = [
        Trip,
        Trip.with_instructions("Other."),
        Trip.with_updated_fields("note", desc="x"),
        Trip.with_updated_fields("days", default=4),
        Trip.with_updated_fields("days", le=9),
        Trip.with_updated_fields("first", str),
        Trip.append("last", OutputField()),
        Trip.delete("note"),
    ]

    assert len({one.source_text() for one in variants}) == len(variants)
    assert Trip.with_instructions("Plan.").source_text() == Trip.source_text()


SCRIPT = """
from headrace.signatures import InputField, OutputField, Signature

class Odd(Signature):
    a: set[str] = InputField(default=frozenset("abcdefgh"))
    b: object = InputField(default=object())
    c: list[str] = OutputField(default_factory=lambda: [])

print(Odd.source_text())
"""


def test_the_source_text_is_the_same_in_every_process() -> None:
    texts = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(texts) == 1
    assert "0x" not in texts.pop()
