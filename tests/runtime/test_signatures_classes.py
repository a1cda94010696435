"""The class form of signatures."""

from __future__ import annotations

import enum
from datetime import date
from typing import Annotated, Any, ClassVar

import pydantic
import pytest
from annotated_types import Ge
from headrace.errors import SignatureError
from headrace.signatures import Field, InputField, OutputField, Reasoning, Signature
from pydantic import BaseModel


class Summary(Signature):
    """Sum up the text.

    Keep names as they are.
    """

    text: str = InputField(desc="what to sum up")
    length: int = InputField(default=3, ge=1, le=9)
    summary: str = OutputField()
    topics: list[str] = OutputField(default_factory=list, max_length=5)


def test_fields_come_in_the_order_they_are_written() -> None:
    assert Summary.signature == "text, length -> summary, topics"
    assert [field.type_text for field in Summary.all_fields] == ["str", "int", "str", "list[str]"]
    assert [field.required for field in Summary.all_fields] == [True, False, True, False]
    assert Summary.input_fields["text"].desc == "what to sum up"


def test_the_docstring_is_the_instructions() -> None:
    assert Summary.instructions == "Sum up the text.\n\nKeep names as they are."


def test_without_a_docstring_the_instructions_name_the_fields() -> None:
    class Bare(Signature):
        question: str = InputField()
        answer: str = OutputField()
        score: float = OutputField()

    assert Bare.stated_instructions is None
    assert Bare.instructions == "From `question`, produce `answer`, `score`."


def test_a_field_without_an_annotation_is_text() -> None:
    class Bare(Signature):
        question = InputField()
        answer: int = OutputField()

    assert Bare.input_fields["question"] == Field("input", "question", prefix="Question:")
    assert not Bare.input_fields["question"].annotated
    assert Bare.output_fields["answer"].annotated


def test_annotations_that_are_strings_are_resolved_where_the_class_stands() -> None:
    class Place(BaseModel):
        city: str

    class Trip(Signature):
        class Means(enum.Enum):
            RAIL = "rail"

        where: Place = InputField()
        others: list[Place] = InputField()
        quoted: "list['Place']" = InputField()  # noqa: UP037 - quoted twice, in effect
        date: date = InputField()
        means: Means = OutputField()
        days: Annotated[int, Ge(1)] = OutputField(le=30)

    assert [field.annotation for field in Trip.all_fields] == [
        Place,
        list[Place],
        list[Place],
        date,
        Trip.Means,
        Annotated[int, Ge(1)],
    ]
    assert Trip.output_fields["days"].constraints == "at least 1, at most 30"


def test_other_attributes_of_the_class_stay_what_they_are() -> None:
    class Limited(Signature):
        LIMIT: ClassVar[int] = 3
        _note: str = "private"
        question: str = InputField()
        answer: str = OutputField()

    assert Limited.LIMIT == 3
    assert not hasattr(Limited, "question")
    assert Limited.signature == "question -> answer"


def test_a_field_may_have_the_name_of_what_signatures_know() -> None:
    class Odd(Signature):
        """Be odd."""

        instructions: str = InputField()
        signature: str = InputField()
        fields: str = OutputField()

    assert Odd.signature == "instructions, signature -> fields"
    assert Odd.instructions == "Be odd."
    assert list(Odd.fields) == ["instructions", "signature", "fields"]


def test_a_subclass_adds_to_its_base() -> None:
    class Longer(Summary):
        audience: str = InputField()
        length: int = InputField(default=5)
        title: str = OutputField()

    assert Longer.signature == "text, length, audience -> summary, topics, title"
    assert Longer.input_fields["length"].default == 5
    assert Longer.instructions == Summary.instructions
    assert Summary.signature == "text, length -> summary, topics"


def test_a_subclass_may_move_a_field_to_the_other_side() -> None:
    class Guess(Summary):
        """Guess how long it was."""

        length: int = OutputField()

    assert Guess.signature == "text -> summary, topics, length"
    assert Guess.instructions == "Guess how long it was."


def test_default_instructions_of_a_subclass_name_its_own_fields() -> None:
    class Base(Signature):
        question: str = InputField()

    class Derived(Base):
        answer: str = OutputField()

    assert Derived.instructions == "From `question`, produce `answer`."


def test_a_fresh_default_is_made_each_time() -> None:
    topics = Summary.output_fields["topics"]
    topics.default_value().append("x")

    class Listed(Signature):
        tags: list[str] = InputField(default=["a"])
        answer: str = OutputField()

    Listed.input_fields["tags"].default_value().append("b")

    assert topics.default_value() == []
    assert Listed.input_fields["tags"].default_value() == ["a"]


def test_a_field_that_may_be_none_is_not_required() -> None:
    class Search(Signature):
        query: str = InputField()
        site: str | None = InputField()
        answer: str | None = OutputField()
        anything: Any = OutputField()

    assert [field.required for field in Search.all_fields] == [True, False, False, True]
    assert Search.input_fields["site"].default_value() is None


def test_text_fields_stream() -> None:
    class Mixed(Signature):
        a: str = OutputField()
        b: str | None = OutputField()
        c: Annotated[str, pydantic.Field(max_length=3)] | None = OutputField()
        d: Reasoning = OutputField()
        e: int = OutputField()
        f: list[str] = OutputField()
        g: str | int = OutputField()
        h: None = OutputField()

    assert [name for name, one in Mixed.output_fields.items() if one.streams_text] == list("abcd")


def test_descriptions_prefixes_and_their_defaults() -> None:
    class Labelled(Signature):
        search_query: str = InputField()
        topK2: int = InputField(prefix="How many:", description="a number")
        answer: str = OutputField(desc="short")

    assert [(field.prefix, field.desc) for field in Labelled.all_fields] == [
        ("Search Query:", ""),
        ("How many:", "a number"),
        ("Answer:", "short"),
    ]


def test_a_name_without_a_field_is_refused() -> None:
    with pytest.raises(SignatureError, match=r"Wrong\.answer is neither input nor output"):

        class Wrong(Signature):  # pyright: ignore[reportUnusedClass] - never made
            question: str = InputField()
            answer: str


def test_a_field_of_another_library_is_refused() -> None:
    with pytest.raises(SignatureError, match=r"write question: … = InputField\(\)"):

        class Wrong(Signature):  # pyright: ignore[reportUnusedClass] - never made
            question: str = pydantic.Field()


def test_a_field_declared_on_both_sides_is_refused_with_the_way_out() -> None:
    with pytest.raises(SignatureError, match=r"'answer' is declared twice.*append\('answer'"):

        class Wrong(Signature):  # pyright: ignore[reportUnusedClass] - never made
            answer: str = InputField()
            answer: str = OutputField()  # type: ignore[no-redef]  # noqa: F811, PIE794 - what is tested


def test_an_unknown_type_is_refused_with_the_field() -> None:
    with pytest.raises(SignatureError, match=r"Wrong\.question: unknown type 'Persn'"):

        class Wrong(Signature):  # pyright: ignore[reportUnusedClass] - never made
            question: list[Persn] = InputField()  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"descr": "x"}, "no option 'descr'; did you mean 'desc'"),
        ({"zzz": "x"}, "no option 'zzz'; there are allow_inf_nan"),
        ({"default": 1, "default_factory": int}, "a default or a default_factory, not both"),
    ],
)
def test_an_unknown_option_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SignatureError, match=said):
        InputField(**options)


def test_a_constraint_that_cannot_apply_is_refused() -> None:
    with pytest.raises(SignatureError, match="output field 'b': int does not work"):

        class Wrong(Signature):  # pyright: ignore[reportUnusedClass] - never made
            a: str = InputField()
            b: int = OutputField(discriminator="kind")


@pytest.mark.parametrize("arguments", [{}, {"text": "a"}, {"signature": "text -> summary"}])
def test_a_signature_has_no_instances(arguments: dict[str, Any]) -> None:
    with pytest.raises(SignatureError, match=r"Summary has no instances.*Predict\(Summary\)"):
        Summary(**arguments)
