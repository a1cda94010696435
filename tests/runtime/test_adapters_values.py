"""From texts to values: what a text may mean for each type, and what is said of those that fit none."""

from __future__ import annotations

import datetime
import decimal
import enum
from typing import Any, Literal

import pytest
from headrace.adapters import Adapter, ChatAdapter, JSONAdapter, XMLAdapter
from headrace.adapters.conversion import REPAIR_LIMIT, repair_json
from headrace.errors import AdapterParseError
from headrace.signatures import OutputField, Reasoning, Signature
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from runtime.parsing_cases import cut_up, values

NO_INT = "Input should be a valid integer, unable to parse string as an integer"


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Place(BaseModel):
    name: str
    tags: list[str] = []


def value(annotation: Any, text: str, **options: Any) -> Any:
    field = OutputField(**options).named("x", annotation)
    signature = Signature("q -> y").delete("y").append("x", field)

    return ChatAdapter().values(signature, {"x": text})["x"]


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        (str, ' "as it is" ', ' "as it is" '),
        (str | None, "null", "null"),
        (Reasoning, "so", "so"),
        (int, "42", 42),
        (int, '"42"', 42),
        (int, " 42. ", 42),
        (int | None, "null", None),
        (int | None, "None", None),
        (int | None, "7", 7),
        (float, "1e3", 1000.0),
        (bool, "True", True),
        (bool, "false", False),
        (bool, "yes", True),
        (Literal[Color.RED], "red", Color.RED),
        (Literal[Color.RED] | None, "Color.RED", Color.RED),
        (Color, "red", Color.RED),
        (Color, '"red"', Color.RED),
        (Color, "BLUE", Color.BLUE),
        (Color, "Color.BLUE", Color.BLUE),
        (Color | None, "null", None),
        (Level, "2", Level.HIGH),
        (Level, "HIGH", Level.HIGH),
        (Literal["a", "b"], "a", "a"),
        (Literal["a", "b"], "'a'", "a"),
        (Literal["a", "b"], '"b"', "b"),
        (Literal["a", "b"], "`b`", "b"),
        (Literal["a", "b"], "Literal['b']", "b"),
        (Literal["a", "b"], "Literal[b]", "b"),
        (Literal["say 'x'"], "say 'x'", "say 'x'"),
        (Literal["'"], "'", "'"),
        (Literal[1, True], "1", 1),
        (Literal["a"] | int, "3", 3),
        (list[str], '["a", "b\\n"]', ["a", "b\n"]),
        (list[str], '["a", "b\n"]', ["a", "b\n"]),
        (list[str], "['a', \"it's\"]", ["a", "it's"]),
        (list[str], '```json\n["a"]\n```', ["a"]),
        (list[str], '["a", "b"', ["a", "b"]),
        (list[int], "[1, 2,]", [1, 2]),
        (tuple[int, str], '[1, "a"]', (1, "a")),
        (set[int], "[1, 1]", {1}),
        (dict[str, Any], '{"a": null}', {"a": None}),
        (dict[str, Any], "{'a': None}", {"a": None}),
        (dict[int, bool], '{"1": true}', {1: True}),
        (Place, '{"name": "x", "tags": ["y"]}', Place(name="x", tags=["y"])),
        (Place, '{name: "x"', Place(name="x")),
        (Place | None, "null", None),
        (list[Place], '[{"name": "x"}]', [Place(name="x")]),
        (datetime.date, "2024-10-10", datetime.date(2024, 10, 10)),
        (datetime.date, '"2024-01-01"', datetime.date(2024, 1, 1)),
        (decimal.Decimal, "0.1", decimal.Decimal("0.1")),
        (int | str, "3", 3),
        (int | str, "three", "three"),
        (Any, "[1]", [1]),
        (Any, "anything", "anything"),
    ],
)
def test_a_text_is_read_as_its_type(annotation: Any, text: str, expected: object) -> None:
    result = value(annotation, text)

    assert (type(result), result) == (type(expected), expected)


@pytest.mark.parametrize(
    ("annotation", "text", "options", "said"),
    [
        (int, "many", {}, f"x: {NO_INT}"),
        (int, "6", {"le": 5}, "x: Input should be less than or equal to 5"),
        (int, '"6"', {"le": 5}, "x: Input should be less than or equal to 5"),
        (int, "", {"ge": 1}, f"x: {NO_INT}"),
        (list[str], "", {}, "x: Input should be a valid list"),
        (list[str], '["a"]', {"min_length": 2}, "x: List should have at least 2 items after validation, not 1"),
        (list[int], "```json\n[1, 'many']\n```", {}, f"x[1]: {NO_INT}"),
        (Color, "green", {}, "x: Input should be 'red' or 'blue'"),
        (Literal["a"], "A", {}, "x: Input should be 'a'"),
        (Literal["a"] | bool, "A", {}, "x: Input should be 'a' or: Input should be a valid boolean, unable to interpret input"),
        (Place, '{"tags": []}', {}, "x.name: Field required"),
        (list[Place], '[{"name": "b", "tags": [1]}, {"name": 2}]', {}, "x[0].tags[0]: Input should be a valid string; x[1].name: Input should be a valid string"),
        (list[int], "[" * 100_000, {}, "x: Input should be a valid list"),
        (list[int], '["a", "b", "c", "d", "e"]', {}, f"x[0]: {NO_INT}; x[1]: {NO_INT}; x[2]: {NO_INT}; x: and 2 more"),
    ],
)  # fmt: skip
def test_a_text_that_does_not_fit_is_an_error_that_names_the_place_and_the_rule(
    annotation: Any, text: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(AdapterParseError) as caught:
        value(annotation, text, **options)

    assert caught.value.message == said
    assert isinstance(caught.value.__cause__, ValidationError)


class Report(Signature):
    title: str = OutputField()
    score: int = OutputField()
    note: str | None = OutputField()
    tags: list[str] = OutputField(default_factory=lambda: ["none"])
    kind: str = OutputField("plain")


def test_missing_optional_outputs_have_their_default_or_none() -> None:
    assert ChatAdapter().values(Report, {"title": "x", "score": "1"}) == {
        "title": "x",
        "score": 1,
        "note": None,
        "tags": ["none"],
        "kind": "plain",
    }


def test_every_field_at_fault_is_named() -> None:
    with pytest.raises(AdapterParseError) as caught:
        ChatAdapter().values(Report, {"tags": "secret", "note": "x"})

    assert (
        caught.value.message == "`title`, `score` are missing; tags: Input should be a valid list"
    )
    assert caught.value.metadata == {"adapter": "ChatAdapter"}
    assert caught.value.parsed_result == {"note": "x", "kind": "plain"}


@pytest.mark.parametrize(
    ("adapter", "completion", "message"),
    [
        (ChatAdapter(), "[[ ## title ## ]]\nx", "`score` is missing"),
        (JSONAdapter(), '{"title": "x", "score": "secret"}', f"score: {NO_INT}"),
        (XMLAdapter(), "I cannot.", "`title`, `score` are missing"),
        (JSONAdapter(), "I cannot.", "`title`, `score` are missing"),
        (ChatAdapter(), "", "the model gave an empty answer"),
        (JSONAdapter(), " \n", "the model gave an empty answer"),
    ],
)
def test_a_completion_that_does_not_parse_is_kept_inside(
    adapter: Adapter, completion: str, message: str
) -> None:
    with pytest.raises(AdapterParseError) as caught:
        adapter.parse(Report, completion)

    assert (caught.value.message, caught.value.lm_response) == (message, completion)


def test_a_null_string_in_json_is_as_if_not_given() -> None:
    parsed = JSONAdapter().parse(Report, '{"title": "x", "score": 1, "note": null, "kind": null}')

    assert (parsed["note"], parsed["kind"]) == (None, "plain")

    with pytest.raises(AdapterParseError, match=r"^`title` is missing$"):
        JSONAdapter().parse(Report, '{"title": null, "score": 1}')


@pytest.mark.parametrize(
    "completion",
    [
        '{title: "x", score: 1, tags: ["a"]}',
        "Here: {title: 'x', score: 1, tags: ['a']}",
        'First {note: 1, then: 2} and then {title: "x", score: 1, tags: ["a"]',
    ],
)
def test_a_near_object_that_the_parser_finds_nothing_in_is_repaired(completion: str) -> None:
    assert JSONAdapter().parse(
        Signature("q -> title, score: int, tags: list[str]"), completion
    ) == {
        "title": "x",
        "score": 1,
        "tags": ["a"],
    }


class Rich(Signature):
    text: str = OutputField()
    other: str = OutputField()
    number: float = OutputField()
    names: list[str] = OutputField()
    color: Color = OutputField()
    kind: Literal["a", "b c", "d'e"] = OutputField()
    place: Place = OutputField()


TYPED = {
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "names": st.lists(values(), max_size=3),
    "color": st.sampled_from(Color),
    "kind": st.sampled_from(["a", "b c", "d'e"]),
    "place": st.builds(Place, name=values(), tags=st.lists(values(), max_size=2)),
}


def sayable_in_chat(text: str) -> str:
    """Chat has no way to write a line that begins as a header does."""
    return text.replace("[[ ## ", "[[ # ")


@pytest.mark.parametrize(
    "adapter", [ChatAdapter(), JSONAdapter(), XMLAdapter()], ids=["chat", "json", "xml"]
)
@given(text=values(), other=values(), typed=st.fixed_dictionaries(TYPED), data=st.data())
def test_what_an_adapter_writes_it_reads_back_and_streams(
    adapter: Adapter, text: str, other: str, typed: dict[str, Any], data: st.DataObject
) -> None:
    if not isinstance(adapter, JSONAdapter):
        text, other = sayable_in_chat(text).strip(), sayable_in_chat(other).strip()

    outputs = {"text": text, "other": other, **typed}
    completion = adapter.format_assistant_message_content(Rich, outputs)
    parser = adapter.parser(Rich)
    streamed = dict.fromkeys(Rich.output_fields, "")

    for piece in data.draw(cut_up(completion)):
        for delta in parser.feed(piece):
            streamed[delta.field] += delta.text

    for delta in parser.close():
        streamed[delta.field] += delta.text

    assert adapter.parse(Rich, completion) == outputs
    assert adapter.values(Rich, streamed) == outputs
    assert (streamed["text"], streamed["other"]) == (text, other)


def test_a_broken_text_too_long_to_mend_in_time_is_refused() -> None:
    assert repair_json('{"a": 1,') == {"a": 1}

    with pytest.raises(ValueError, match="not mended"):
        repair_json('{"a": ' + "1" * REPAIR_LIMIT)
