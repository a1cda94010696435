"""The interface revision: it changes when callers may have to, and for no other reason."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Literal, TypeVar, cast

import pytest
from headrace import ChainOfThought, JSONAdapter, Module, Predict, Program
from headrace.hosting import interface_revision_of
from headrace.hosting.port import FieldInfo
from headrace.signatures import InputField, OutputField, Signature, make_signature
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, create_model
from scripted_lm import ScriptedLM

T = TypeVar("T")


def signature(**changes: Any) -> type[Signature]:
    """Question and number in, answer and person out; changed fields by name, None for none."""
    fields: dict[str, Any] = {
        "question": (str, InputField(desc="asked")),
        "limit": (int, InputField(default=3)),
        "answer": (str, OutputField()),
        "person": (person(), OutputField(desc="whom it is about")),
        **changes,
    }

    return make_signature(
        {name: field for name, field in fields.items() if field is not None}, "Answer."
    )


def person(**changes: Any) -> type[BaseModel]:
    """A model with a name and a mood, and a place of its own."""
    place = create_model("Place", city=(str, Field(description="where")), zip=(int, 0))
    fields: dict[str, Any] = {
        "name": (str, Field(title="Name")),
        "mood": (Literal["glad", "sad"], ...),
        "place": (place, ...),
        **changes,
    }

    return create_model("Person", **fields)


def hosted(signature: type[Signature], **options: Any) -> Program:
    return Program(Predict(signature), **options)


def revision(**changes: Any) -> str:
    return hosted(signature(**changes)).interface_revision


BASE = revision()
INFO = hosted(signature()).describe()


def test_it_has_twelve_hex_digits_and_is_the_same_in_every_description() -> None:
    program = hosted(signature())

    assert re.fullmatch("[0-9a-f]{12}", program.interface_revision)
    assert program.describe().interface_revision == program.interface_revision == BASE


def test_it_is_the_same_in_every_process() -> None:
    class Answer(Signature):
        """Answers."""

        question: str = InputField()
        answer: str = OutputField()

    assert hosted(Answer).interface_revision == "c00de7126ed0"


def with_demos() -> Program:
    predictor = Predict(signature())
    predictor.demos = [{"question": "why?", "answer": "so"}]

    return Program(predictor)


class Wordy(Predict):
    """Another class, of another source."""

    async def aforward(self, /, *args: Any, **kwargs: Any) -> Any:
        return await super().aforward(*args, **kwargs)


SAME: dict[str, Callable[[], Program]] = {
    "the program's name": lambda: hosted(signature(), name="other"),
    "the program's description": lambda: hosted(signature(), description="Other words."),
    "the prompt": lambda: hosted(signature().with_instructions("Answer at length.")),
    "demos": with_demos,
    "the LM": lambda: hosted(signature(), lm=ScriptedLM()),
    "the adapter": lambda: hosted(signature(), adapter=JSONAdapter()),
    "configuration": lambda: Program(Predict(signature(), temperature=0.5)),
    "examples": lambda: hosted(signature(), examples=[{"question": "why?"}]),
    "the class": lambda: Program(Wordy(signature())),
    "a field's description": lambda: hosted(
        signature(question=(str, InputField(desc="what is asked")))
    ),
    "a default": lambda: hosted(signature(limit=(int, InputField(default=4)))),
    "a nested field's words": lambda: hosted(
        signature(person=(person(name=(str, Field(description="full name"))), OutputField()))
    ),
    "a nested field's default": lambda: hosted(
        signature(
            person=(
                person(place=(create_model("Place", city=(str, ...), zip=(int, 1)), ...)),
                OutputField(),
            )
        )
    ),
    "the order of fields": lambda: hosted(
        make_signature(list(reversed(signature().all_fields)), "Answer.")
    ),
}


@pytest.mark.parametrize("changed", SAME)
def test_it_stays_when_callers_need_not_change(changed: str) -> None:
    assert SAME[changed]().interface_revision == BASE


class Mood(enum.Enum):
    GLAD = "glad"
    SAD = "sad"


class MoreMoods(enum.Enum):
    GLAD = "glad"
    SAD = "sad"
    CALM = "calm"


MoreMoods.__name__ = MoreMoods.__qualname__ = "Mood"

OTHER: dict[str, Mapping[str, Any]] = {
    "an input more": {"tone": (str, InputField())},
    "an input less": {"limit": None},
    "an output more": {"score": (float, OutputField())},
    "an output less": {"answer": None},
    "the type of an input": {"question": (list[str], InputField())},
    "the type of an output": {"answer": (int, OutputField())},
    "an input that need not be given": {"question": (str, InputField(default="why?"))},
    "an input that must be given": {"limit": (int, InputField())},
    "a rule for an input": {"limit": (int, InputField(default=3, ge=1))},
    "a nested field more": {"person": (person(age=(int, ...)), OutputField())},
    "a nested field's type": {"person": (person(name=(int, ...)), OutputField())},
    "a nested choice": {"person": (person(mood=(Literal["glad"], ...)), OutputField())},
    "a field of a model inside": {
        "person": (person(place=(create_model("Place", city=(str, ...)), ...)), OutputField())
    },
    "a nested field that need not be given": {
        "person": (person(name=(str, "nobody")), OutputField())
    },
}


@pytest.mark.parametrize("changed", OTHER)
def test_it_changes_when_callers_may_have_to(changed: str) -> None:
    assert revision(**OTHER[changed]) != BASE


def test_each_change_makes_another_one() -> None:
    every = {revision(**changes) for changes in OTHER.values()}

    assert len(every) == len(OTHER)


def test_a_member_of_an_enum_counts() -> None:
    moods, more = ({"mood": (kind, OutputField())} for kind in (Mood, MoreMoods))

    assert revision(**moods) != revision(**more)


def test_it_follows_the_schema_where_the_type_is_written_alike() -> None:
    schemas: list[Mapping[str, Any]] = [
        {"type": "object", "properties": {"q": {"enum": values}}} for values in (["a"], ["a", "b"])
    ]
    field = [FieldInfo("q", "Kind", required=True)]
    one, other = (interface_revision_of(field, [], schema, {}) for schema in schemas)

    assert one != other


def test_fields_that_are_called_like_words_of_a_schema_count() -> None:
    called = {
        name: (str, OutputField()) for name in ("title", "description", "default", "examples")
    }

    assert len({revision(**{name: field}) for name, field in called.items()} | {BASE}) == 5


class Planner(Module):
    """A program whose inputs are parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.think = ChainOfThought("question -> plan")

    async def aforward(self, question: str, steps: int = 3) -> Any:
        return await self.think.acall(question=question)


class Renamed(Module):
    """The same with another name for a parameter."""

    async def aforward(self, question: str, steps_wanted: int = 3) -> Any:
        return await ChainOfThought("question -> plan").acall(question=question)


def test_parameters_of_a_module_are_its_interface() -> None:
    described = Program(Planner(), description="Plans.").interface_revision

    assert described == Program(Planner()).interface_revision
    assert described != Program(Renamed(), outputs="reasoning, plan").interface_revision


def shuffled(order: Random, value: object) -> Any:
    """The value with the members of its objects, and sets, in another order."""
    if isinstance(value, list):
        return [shuffled(order, one) for one in cast("list[object]", value)]

    if not isinstance(value, dict):
        return value

    members = [
        (name, mixed(order, one) if is_set(name, one) else shuffled(order, one))
        for name, one in cast("dict[str, Any]", value).items()
    ]

    return dict(mixed(order, members))


def is_set(name: str, value: object) -> bool:
    return name in ("required", "enum") and isinstance(value, list)


def mixed(order: Random, items: Sequence[T]) -> list[T]:
    return order.sample(items, len(items))


@given(st.randoms(use_true_random=False))
def test_order_that_means_nothing_does_not_count(order: Random) -> None:
    assert (
        interface_revision_of(
            mixed(order, INFO.inputs),
            mixed(order, INFO.outputs),
            shuffled(order, json.loads(json.dumps(INFO.input_schema))),
            shuffled(order, json.loads(json.dumps(INFO.output_schema))),
        )
        == BASE
    )
