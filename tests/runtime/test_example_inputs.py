"""Example inputs that the server makes up: whoever pastes them gets a run."""

from __future__ import annotations

import datetime
import decimal
import enum
import pathlib
import uuid
from collections.abc import Mapping
from typing import Any, Literal, Optional

import pytest
from headrace import Predict, Program
from headrace.signatures import InputField, OutputField, make_signature
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, Field
from typing_extensions import TypedDict


class Mood(enum.Enum):
    GLAD = "glad"
    SAD = "sad"


class Visit(BaseModel):
    zone: int = Field(gt=10, lt=12)
    at: datetime.datetime
    mood: Mood
    note: str = "none"
    others: list[Visit] = []


class Pair(TypedDict):
    one: int
    two: list[str]


TYPES: list[Any] = [
    str,
    int,
    float,
    bool,
    bytes,
    Any,
    datetime.date,
    datetime.datetime,
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
    pathlib.Path,
    uuid.UUID,
    AnyUrl,
    Literal["x", "y"],
    Mood,
    int | str,
    list[int],
    list[list[str]],
    tuple[int, str],
    tuple[int, ...],
    set[str],
    dict[str, int],
    Visit,
    list[Visit],
    dict[str, Visit],
    Pair,
]

RULES: list[tuple[Any, Mapping[str, Any]]] = [
    *(
        (kind, rules)
        for kind in (int, float)
        for rules in (
            {"ge": 5},
            {"gt": 5},
            {"le": 0},
            {"lt": -3},
            {"ge": -9, "le": -9},
            {"gt": 2, "lt": 4},
            {"multiple_of": 7},
            {"multiple_of": 7, "gt": 7},
            {"multiple_of": 7, "lt": 0},
        )
    ),
    (float, {"gt": 0, "lt": 1}),
    (float, {"gt": 0.25, "lt": 0.5}),
    (str, {"max_length": 3}),
    (str, {"min_length": 30}),
    (str, {"min_length": 30, "max_length": 31}),
    (list[int], {"min_length": 3}),
    (list[int], {"max_length": 0}),
]


def program(kind: Any, **rules: Any) -> Program:
    fields = {
        "wanted": (kind, InputField(**rules)),
        "spare": (int, InputField(default=1)),
        "perhaps": (Optional[int], InputField()),  # noqa: UP045 - as people write it
        "answer": (str, OutputField()),
    }

    return Program(Predict(make_signature(fields)))


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_values_are_of_their_types_and_only_of_inputs_that_must_be_given(kind: Any) -> None:
    hosted = program(kind)
    made = hosted.describe().example_inputs

    assert list(made) == ["wanted"]
    assert hosted.check(made)


@pytest.mark.parametrize(("kind", "rules"), RULES, ids=str)
def test_values_keep_to_rules(kind: Any, rules: Mapping[str, Any]) -> None:
    hosted = program(kind, **rules)

    assert hosted.check(hosted.describe().example_inputs)


@given(st.integers(-(10**6), 10**6), st.integers(0, 10**6), st.booleans(), st.booleans())
def test_a_whole_number_between_any_bounds_is_found(
    low: int, span: int, above: bool, below: bool
) -> None:
    rules = {"gt" if above else "ge": low, "lt" if below else "le": low + span + above + below}
    hosted = program(int, **rules)

    assert hosted.check(hosted.describe().example_inputs)


def test_a_number_has_the_bounds_in_view() -> None:
    assert [
        program(kind, **rules).describe().example_inputs["wanted"]
        for kind, rules in [(int, {}), (int, {"ge": 5}), (float, {"gt": 0, "lt": 1}), (float, {})]
    ] == [1, 5, 0.5, 1.0]


def test_an_optional_part_is_left_out_and_a_recursive_one_ends() -> None:
    assert program(Visit).describe().example_inputs["wanted"] == {
        "zone": 11,
        "at": "2024-02-29T12:00:00Z",
        "mood": "glad",
    }
