"""What is said of values that break their types: the place and the rule, and nothing of the value."""

from __future__ import annotations

import datetime
import uuid
from typing import Annotated, Any, Literal

import pytest
from headrace.adapters import JSONAdapter
from headrace.errors import AdapterParseError, FieldViolation, InputInvalid, ToolError
from headrace.hosting.inputs import check_inputs
from headrace.signatures import InputField, OutputField, Signature
from headrace.signatures.violations import OWN_RULE, Violation, violations
from headrace.tools import Tool
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
)
from pydantic_core import PydanticCustomError

NO_INT = "Input should be a valid integer, unable to parse string as an integer"


def even(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")

    return number


def short(text: str) -> str:
    assert len(text) < 3, f"{text} is long"

    return text


def custom(text: str) -> str:
    raise PydanticCustomError("secret_kind", "I never liked {text}", {"text": text})


class Review(BaseModel):
    stars: int = Field(ge=1, le=5)
    text: str = Field(max_length=10)


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["dog"]
    age: Annotated[int, AfterValidator(even)] = 0


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


def broken(annotation: Any, value: object) -> list[tuple[str, str]]:
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)

    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value)

    return [(one.path, one.rule) for one in violations(caught.value, adapter)]


class Renamed(BaseModel):
    item_id: int = Field(
        validation_alias=AliasChoices("item_id", "in_id"), serialization_alias="itemId", ge=1
    )


BROKEN: list[tuple[Any, Any, list[tuple[str, str]]]] = [
    (Annotated[int, Field(le=5)], 7, [("", "Input should be less than or equal to 5")]),
    (Annotated[str, Field(pattern="^a+$")], "secret", [("", "String should match pattern '^a+$'")]),
    (list[Review], [{"stars": 5, "text": ""}, {"stars": 0, "text": "secret secret"}],
        [("[1].stars", "Input should be greater than or equal to 1"), ("[1].text", "String should have at most 10 characters")]),
    (Review, {"stars": 1}, [(".text", "Field required")]),
    (Pet, {"kind": "dog", "age": 3}, [(".age", OWN_RULE)]),
    (Renamed, {"item_id": 0}, [(".itemId", "Input should be greater than or equal to 1")]),
    (list[Renamed], [{"in_id": 1, "itemId": 1}, {"in_id": 0}], [("[1].itemId", "Input should be greater than or equal to 1")]),
    (Pet, {"kind": "secret"}, [("", "'kind' should be one of 'cat', 'dog'")]),
    (Pet, {"kind": "dog", "secret": 1}, [("", "Extra inputs are not permitted")]),
    (Review | int, "secret", [("", f"Input should be a valid dictionary or instance of Review or: {NO_INT}")]),
    (dict[str, int], {"secret": "x"}, [("", NO_INT)]),
    (dict[str, list[Review]], {"secret": [{}]}, [("[0].stars", "Field required"), ("[0].text", "Field required")]),
    (dict[int, str], {"secret": "x"}, [("", NO_INT)]),
    (Annotated[int, AfterValidator(even)], 7, [("", OWN_RULE)]),
    (Annotated[str, AfterValidator(short)], "secret", [("", OWN_RULE)]),
    (Annotated[str, AfterValidator(custom)], "secret", [("", OWN_RULE)]),
    (uuid.UUID, "xecret", [("", "Input should be a valid UUID")]),
    (datetime.date, "2024-13-01", [("", "Input should be a valid date or datetime, month value is outside expected range of 1-12")]),
    (set[int], ["a"] * 5, [(f"[{at}]", NO_INT) for at in range(3)] + [("", "and 2 more")]),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "value", "said"), BROKEN)
def test_a_violation_is_a_place_and_a_rule(
    annotation: Any, value: object, said: list[tuple[str, str]]
) -> None:
    assert broken(annotation, value) == said


def test_a_rule_is_clipped_and_of_many_alternatives_a_few_are_told() -> None:
    [(_, rule)] = broken(Literal[tuple("x" * 9 + str(at) for at in range(99))], 1)
    [(_, rules)] = broken(int | bool | float | list[int] | set[int], {})

    assert (len(rule), rule[-1]) == (200, "…")
    assert rules.count(" or: ") == 2
    assert rules.endswith(" …")


class Strict(BaseModel):
    number: int
    inner: list[Pet] = []
    table: dict[str, int] = {}

    @field_validator("number")
    @classmethod
    def never(cls, number: int) -> int:
        raise ValueError(f"not {number}")


SECRET = "s3cr3t"
LEAVES = st.sampled_from([SECRET, 7, None, {SECRET: SECRET}, [SECRET]])
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["number", "inner", "table", "kind", "age", SECRET]), inner
        )
    ),
    max_leaves=8,
)


@given(VALUES)
def test_nothing_of_the_value_is_ever_said(value: object) -> None:
    said: list[Violation] = []
    adapter: TypeAdapter[Any] = TypeAdapter(Strict | uuid.UUID | dict[str, Pet])

    try:
        adapter.validate_python(value)
    except ValidationError as error:
        said = violations(error, adapter)

    assert SECRET not in str(said)


# Where they are told


class Rated(Signature):
    reviews: list[Review] = InputField()
    pet: Pet = OutputField()


def test_inputs_outputs_and_arguments_are_told_alike() -> None:
    with pytest.raises(InputInvalid) as inputs:
        check_inputs(Rated.input_fields, {"reviews": [{"stars": 9, "text": "fine"}]})

    with pytest.raises(AdapterParseError) as outputs:
        JSONAdapter().parse(Rated, '{"pet": {"kind": "cat", "lives": "nine"}}')

    def rate(reviews: list[Review]) -> None: ...

    with pytest.raises(ToolError) as arguments:
        Tool(rate)(reviews=[{"stars": 9, "text": "fine"}])

    rule = "Input should be less than or equal to 5"
    assert inputs.value.violations == (FieldViolation("inputs.reviews[0].stars", rule),)
    assert outputs.value.message == f"pet.lives: {NO_INT}"
    assert arguments.value.message == f"tool rate: argument 'reviews[0].stars': {rule}"

    for error in (inputs, outputs, arguments):
        assert isinstance(_origin(error.value), ValidationError)


def _origin(error: BaseException) -> BaseException:
    return _origin(error.__cause__) if error.__cause__ else error


def test_rules_of_a_declared_schema_are_told_without_keys_of_the_value() -> None:
    def pay(**arguments: Any) -> None: ...

    schema = {
        "type": "object",
        "additionalProperties": {"properties": {"sum": {"type": "integer"}}},
    }
    tool = Tool(pay, args={"by_name": schema})

    with pytest.raises(ToolError) as caught:
        tool(by_name={SECRET: {"sum": SECRET}})

    assert caught.value.message == (
        "tool pay: argument 'by_name.sum' breaks the rule type 'integer'"
    )
