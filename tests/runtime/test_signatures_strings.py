"""The string form of signatures: grammar, types, names, errors."""

from __future__ import annotations

import enum
import keyword
import typing
from collections.abc import Callable
from typing import Any, Literal

import pytest
from headrace.errors import SignatureError
from headrace.signatures import Field, Reasoning, Signature, ensure_signature, make_signature
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel


class Person(BaseModel):
    name: str


class Color(enum.Enum):
    RED = "r"
    BLUE = "b"


def types_of(side: typing.Mapping[str, Field]) -> dict[str, Any]:
    return {name: field.annotation for name, field in side.items()}


TYPES: list[tuple[str, Any]] = [
    ("int", int),
    ("float", float),
    ("bool", bool),
    ("bytes", bytes),
    ("list", list),
    ("list[str]", list[str]),
    ("dict[str, list[int]]", dict[str, list[int]]),
    ("tuple[int, ...]", tuple[int, ...]),
    ("tuple[()]", tuple[()]),
    ("set[float]", set[float]),
    ("int | str", int | str),
    ("None", type(None)),
    ("int | None", int | None),
    ("None | int", int | None),
    ("Optional[int]", int | None),
    ("Union[int, str]", int | str),
    ("typing.Optional[int]", int | None),
    ("List[int]", typing.List[int]),  # noqa: UP006 - the old spelling is what is tested
    ("Any", Any),
    ("Callable[[int], str]", Callable[[int], str]),
    ("Literal['a', \"b\"]", Literal["a", "b"]),
    ("Literal['a->b', 'c, d']", Literal["a->b", "c, d"]),
    ("Literal[1, -2, True]", Literal[1, -2, True]),
    ("Literal[Color.RED]", Literal[Color.RED]),
    ("Person", Person),
    ("list['Person']", list[Person]),
    ("Optional[list[Person]]", list[Person] | None),
    ("Color", Color),
    ("typing.Any", Any),
    ("Reasoning", Reasoning),
]


def test_a_name_without_a_type_is_text() -> None:
    signature = Signature("question, context -> answer")

    assert types_of(signature.input_fields) == {"question": str, "context": str}
    assert types_of(signature.output_fields) == {"answer": str}
    assert [field.annotated for field in signature.all_fields] == [False, False, False]


def test_a_name_may_stand_on_both_sides() -> None:
    signature = Signature("question, answer: int -> answer: str, score")

    assert signature.signature == "question, answer -> answer, score"
    assert signature.input_fields["answer"].annotation is int
    assert signature.output_fields["answer"].annotation is str
    assert list(signature.fields) == ["question", "answer", "score"]


@pytest.mark.parametrize(("text", "annotation"), TYPES)
def test_types_are_read_as_python_reads_them(text: str, annotation: Any) -> None:
    signature = Signature(f"question: {text} -> answer: {text}, more")

    assert types_of(signature.input_fields) == {"question": annotation}
    assert types_of(signature.output_fields) == {"answer": annotation, "more": str}


def test_space_lines_and_a_last_comma_do_not_matter() -> None:
    signature = Signature(
        """
        question:str,
            limits : dict[
                str, int
            ],
        -> answer,
        """
    )

    assert types_of(signature.input_fields) == {"question": str, "limits": dict[str, int]}
    assert types_of(signature.output_fields) == {"answer": str}


def test_a_signature_may_have_no_inputs() -> None:
    signature = Signature("-> joke")

    assert signature.signature == " -> joke"
    assert signature.instructions == "Produce `joke`."


def test_types_are_found_where_the_signature_is_written() -> None:
    class Place(BaseModel):
        city: str

    def inner() -> type[Signature]:
        return Signature("place: Place -> color: Color")

    assert types_of(inner().fields) == {"place": Place, "color": Color}


def test_custom_types_come_before_all_others() -> None:
    class Match(BaseModel):
        score: int

    signature = make_signature("m: Match, p: Person -> n", custom_types={"Person": Match})

    assert types_of(signature.input_fields) == {"m": Match, "p": Match}


def test_dotted_names_lead_into_modules_and_classes() -> None:
    class Outer:
        class Inner(BaseModel):
            n: int

    signature = Signature("a: Outer.Inner, b: enum.Enum -> c")

    assert types_of(signature.input_fields) == {"a": Outer.Inner, "b": enum.Enum}


def test_variables_that_are_no_types_are_passed_over() -> None:
    Person = None

    assert Person is None
    assert types_of(Signature("a: Person -> b").input_fields) == {"a": globals()["Person"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("question", "has no '->'"),
        ("", "has no '->'"),
        ("a -> b -> c", "more than one '->'"),
        ("question ->", "has no output"),
        ("a,, b -> c", "input '' is not a field"),
        ("a b -> c", "input 'a b' is not a field"),
        ("a -> class", "output 'class' is not a field"),
        ("*args -> c", "input '*args' is not a field"),
        ("a: -> b", "input field 'a': there is no type after the colon"),
        ("a: int = 3 -> b", "input field 'a': 'int = 3' is not a type"),
        ("a: 3 -> b", "input field 'a': '3' cannot stand in a type"),
        ("a -> b: f(1)", "output field 'b': 'f(1)' cannot stand in a type"),
        ("a: int[3] -> b", "'3' cannot stand in a type"),
        ("a: int[str] -> b", "input field 'a': 'int[str]' is not a type"),
        ("a: Optional -> b", "input field 'a': 'Optional' is not a type"),
        ("a: typing -> b", "input field 'a': 'typing' is not a type"),
        ("a: ClassVar[int] -> b", "input field 'a': 'ClassVar[int]' is not a type"),
        ("a: Color.GREEN -> b", "input field 'a': 'Color.GREEN' is not a type"),
        ("a: Literal[x] -> b", "'x' cannot stand in a Literal"),
        ("a: list[int -> b", "brackets do not match"),
        ("a: int), (b -> c", "'(int, b)' cannot stand in a type"),
        ("_a -> b", "input field '_a': a field's name"),
        ("a, a -> b", "two input fields named 'a'"),
        ("a -> b, b: int", "two output fields named 'b'"),
    ],
)
def test_what_is_wrong_is_said_with_the_field(text: str, said: str) -> None:
    with pytest.raises(SignatureError) as raised:
        Signature(text)

    assert said in raised.value.message


def test_an_unknown_type_is_named_with_the_way_to_pass_it() -> None:
    with pytest.raises(
        SignatureError, match=r"input field 'a': unknown type 'Persn'.*custom_types"
    ):
        Signature("a: list[Persn] -> b")


def test_nothing_is_imported_to_find_a_type() -> None:
    with pytest.raises(SignatureError, match="unknown type 'antigravity'"):
        Signature("a: antigravity.fly -> b")


def test_a_string_or_a_class_makes_a_signature() -> None:
    signature = Signature("a -> b", "Do it.")

    assert ensure_signature(signature) is signature
    assert ensure_signature("a -> b", "Do it.").equals(signature)
    assert ensure_signature(signature, "Do that.").instructions == "Do that."

    with pytest.raises(SignatureError, match="3 is no signature"):
        ensure_signature(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_checkers_know_that_calling_signature_gives_a_class() -> None:
    typing.assert_type(Signature("a -> b"), type[Signature])
    typing.assert_type(Signature("a -> b").append("c", Field("output")), type[Signature])


def of(origin: Any, *arguments: object) -> Any:
    """A type with parameters that are known when the test runs."""
    first, *rest = arguments

    return origin[arguments if rest else first]


names = st.from_regex(r"[a-z][a-z_0-9]{0,8}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name)
)
options = st.one_of(st.text(max_size=8), st.integers(), st.booleans(), st.sampled_from(Color))
types: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.sampled_from([str, int, float, bool, bytes, Person, Color, Any, Reasoning]),
        st.lists(options, min_size=1, max_size=3).map(lambda some: of(Literal, *some)),
    ),
    lambda inner: st.one_of(
        inner.map(lambda one: of(list, one)),
        inner.map(lambda one: of(dict, str, one)),
        inner.map(lambda one: of(tuple, one, ...)),
        st.tuples(inner, inner).map(lambda two: of(tuple, *two)),
        inner.map(lambda one: of(typing.Optional, one)),
    ),
    max_leaves=4,
)
sides: st.SearchStrategy[dict[str, Any]] = st.dictionaries(names, types, min_size=1, max_size=4)


def written(fields: typing.Iterable[Field]) -> str:
    return ", ".join(f"{field.name}: {field.type_text}" for field in fields)


@given(sides, sides)
def test_a_signature_written_out_reads_as_itself(
    inputs: dict[str, Any], outputs: dict[str, Any]
) -> None:
    signature = make_signature(
        [
            *(Field("input").named(name, type_) for name, type_ in inputs.items()),
            *(Field("output").named(name, type_) for name, type_ in outputs.items()),
        ]
    )
    text = (
        f"{written(signature.input_fields.values())} -> {written(signature.output_fields.values())}"
    )

    assert Signature(text).equals(signature)


@given(st.text(alphabet="ab,:->[]()|'\" \n#=*.3Literal", max_size=30) | st.text())
def test_any_text_is_a_signature_or_a_signature_error(text: str) -> None:
    try:
        signature = Signature(text)
    except SignatureError:
        return

    assert signature.output_fields
