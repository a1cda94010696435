"""Editing signatures: every edit gives a new one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from headrace.errors import SignatureError
from headrace.signatures import (
    Field,
    InputField,
    OutputField,
    Signature,
    infer_prefix,
    make_signature,
)
from hypothesis import given
from hypothesis import strategies as st


class Quiz(Signature):
    """Answer the question."""

    question: str = InputField(desc="what is asked")
    level: int = InputField(default=1, ge=1)
    answer: str = OutputField()


def test_fields_are_added_at_either_end_of_their_side() -> None:
    signature = (
        Quiz.prepend("reasoning", OutputField())
        .append("score", OutputField(), float)
        .append("hint", InputField())
        .prepend("topic", InputField())
    )

    assert signature.signature == "topic, question, level, hint -> reasoning, answer, score"
    assert signature.output_fields["score"].annotation is float


@pytest.mark.parametrize(
    ("index", "order"),
    [
        (0, "new, question, level"),
        (1, "question, new, level"),
        (2, "question, level, new"),
        (-1, "question, level, new"),
        (-2, "question, new, level"),
        (-3, "new, question, level"),
    ],
)
def test_fields_are_inserted_at_an_index_of_their_side(index: int, order: str) -> None:
    assert Quiz.insert(index, "new", InputField()).signature == f"{order} -> answer"


@pytest.mark.parametrize("index", [3, -4])
def test_an_index_outside_the_side_is_refused(index: int) -> None:
    with pytest.raises(SignatureError, match=f"cannot insert 'new' at {index} among 2 fields"):
        Quiz.insert(index, "new", InputField())


def test_a_field_of_another_signature_keeps_its_type_and_takes_the_new_name() -> None:
    other = Signature("notes: list[str] -> done")
    field = Quiz.append("remarks", other.input_fields["notes"]).input_fields["remarks"]

    assert (field.name, field.annotation, field.prefix) == ("remarks", list[str], "Remarks:")


def test_a_name_may_be_added_to_the_other_side() -> None:
    assert Quiz.append("answer", InputField()).signature == "question, level, answer -> answer"


def test_a_name_its_side_already_has_is_refused() -> None:
    with pytest.raises(SignatureError, match="two output fields named 'answer'"):
        Quiz.append("answer", OutputField())


def test_what_is_no_field_is_refused() -> None:
    with pytest.raises(SignatureError, match="'extra' is no field; give InputField"):
        Quiz.append("extra", str)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_fields_are_deleted_from_both_sides_or_one() -> None:
    both = Quiz.append("answer", InputField())

    assert Quiz.delete("level").signature == "question -> answer"
    assert both.delete("answer").signature == "question, level -> "
    assert both.delete("answer", side="input").signature == "question, level -> answer"
    assert Quiz.delete("nothing").equals(Quiz)


def test_a_field_is_updated_where_it_stands() -> None:
    signature = Quiz.with_updated_fields("level", float, desc="how hard", le=5)
    field = signature.input_fields["level"]

    assert signature.signature == Quiz.signature
    assert (field.annotation, field.desc, field.default) == (float, "how hard", 1)
    assert field.constraints == "at least 1, at most 5"


def test_a_new_default_takes_the_place_of_the_old() -> None:
    made = Quiz.with_updated_fields("level", default_factory=lambda: 7).input_fields["level"]
    stated = Quiz.with_updated_fields("level", default=3).input_fields["level"]

    assert (made.default_value(), stated.default_value()) == (7, 3)


def test_a_name_on_both_sides_is_updated_on_the_side_that_is_named() -> None:
    both = Quiz.append("answer", InputField())

    one = both.with_updated_fields("answer", side="output", desc="new")
    two = both.with_updated_fields("answer", desc="new")

    assert [field.desc for field in one.all_fields if field.name == "answer"] == ["", "new"]
    assert [field.desc for field in two.all_fields if field.name == "answer"] == ["new", "new"]


def test_an_unknown_field_cannot_be_updated() -> None:
    with pytest.raises(SignatureError, match=r"Quiz has no field 'lvl'.*question, level, answer"):
        Quiz.with_updated_fields("lvl", desc="x")


def test_instructions_are_replaced_or_added_to() -> None:
    assert Quiz.with_instructions("  As\nwritten. ").instructions == "  As\nwritten. "
    assert Quiz.append_instructions("Be brief.").instructions == (
        "Answer the question.\n\nBe brief."
    )


def test_instructions_that_nobody_stated_follow_the_fields() -> None:
    signature = Signature("question -> answer").prepend("reasoning", OutputField())

    assert signature.instructions == "From `question`, produce `reasoning`, `answer`."


def test_signatures_are_equal_by_content() -> None:
    assert Signature("a, b: int -> c", "Do.").equals(Signature("a, b: int -> c", "Do."))
    assert not Signature("a, b: int -> c").equals(Signature("a, b -> c"))
    assert not Signature("a, b -> c").equals(Signature("b, a -> c"))
    assert not Quiz.equals(Quiz.with_instructions("Other."))
    assert not Quiz.equals(Quiz.with_updated_fields("answer", desc="x"))


def test_an_edited_signature_keeps_its_name_and_module() -> None:
    edited = Quiz.append("score", OutputField())

    assert (edited.__name__, edited.__module__) == ("Quiz", __name__)
    assert repr(edited) == (
        "<signature Quiz(question: str, level: int -> answer: str, score: str)>"
    )


def test_its_fields_cannot_be_changed_from_outside() -> None:
    with pytest.raises(TypeError):
        Quiz.input_fields["more"] = Field("input")  # type: ignore[index]  # pyright: ignore[reportIndexIssue]

    with pytest.raises(AttributeError):
        Quiz.input_fields["level"].desc = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_fields_by_name_make_a_signature_too() -> None:
    signature = make_signature(
        {"a": (int, InputField()), "b": InputField(desc="x"), "c": (list[str], OutputField())},
        "Do it.",
        name="Made",
    )

    assert repr(signature) == "<signature Made(a: int, b: str -> c: list[str])>"
    assert signature.equals(make_signature(signature.all_fields, "Do it."))


def test_its_texts_are_stored_and_loaded() -> None:
    tuned = Quiz.with_instructions("Answer well.").with_updated_fields(
        "answer", desc="short", prefix="A:"
    )
    state = json.loads(json.dumps(tuned.dump_state()))

    assert Quiz.load_state(state).equals(tuned)

    with pytest.raises(SignatureError, match="no field 'level' to update"):
        Quiz.delete("level").load_state(state)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("question", "Question"),
        ("search_query", "Search Query"),
        ("searchQuery2", "Search Query 2"),
        ("text2HTML", "Text 2 HTML"),
        ("modelHTTPResponse", "Model HTTP Response"),
        ("größe", "Größe"),
        ("__", ""),
    ],
)
def test_a_prefix_is_the_name_in_words(name: str, words: str) -> None:
    assert infer_prefix(name) == words


Edit = Callable[[type[Signature]], type[Signature]]


def edits() -> st.SearchStrategy[Edit]:
    names = st.sampled_from(["question", "level", "answer", "other"])
    fields: st.SearchStrategy[Any] = st.sampled_from([InputField(), OutputField(), OutputField(1)])
    text = st.text(max_size=5)

    def edit(method: str, *arguments: Any, **options: Any) -> Edit:
        return lambda signature: getattr(signature, method)(*arguments, **options)

    return st.one_of(
        st.builds(edit, st.just("with_instructions"), text),
        st.builds(edit, st.just("append_instructions"), text),
        st.builds(edit, st.sampled_from(["append", "prepend"]), names, fields),
        st.builds(edit, st.just("insert"), st.integers(-4, 4), names, fields),
        st.builds(edit, st.just("delete"), names),
        st.builds(edit, st.just("with_updated_fields"), names, st.just(int), desc=text),
    )


@given(st.lists(edits(), max_size=5))
def test_editing_never_changes_what_is_edited(some: list[Edit]) -> None:
    signature: type[Signature] = Quiz

    for edit in some:
        before = signature.source_text()

        try:
            edited = edit(signature)
        except SignatureError:
            edited = signature

        assert signature.source_text() == before
        signature = edited

    assert Quiz.signature == "question, level -> answer"
