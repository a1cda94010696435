"""Aliases: models, dataclasses and typed dicts have one name for each part, going out and coming in."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Any, Generic, Literal, NotRequired, TypeAlias, TypeVar

import pytest
from headrace.adapters import ChatAdapter, History, JSONAdapter, XMLAdapter
from headrace.errors import InputInvalid
from headrace.hosting import Program
from headrace.module import Module
from headrace.signatures import InputField, OutputField, make_signature
from headrace.tools import Tool
from headrace.values import Prediction, to_jsonable
from headrace.values.aliases import coming_in, going_out
from headrace.values.previews import shown
from jsonschema import Draft202012Validator
from pydantic import (
    AliasChoices,
    AliasGenerator,
    AliasPath,
    BaseModel,
    ConfigDict,
    RootModel,
    TypeAdapter,
    computed_field,
    field_serializer,
)
from pydantic import Field as Part
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict

T = TypeVar("T")


class Item(BaseModel):
    item_id: int = Part(alias="itemId")


class Read(BaseModel):
    """Names for reading alone."""

    first: int = Part(validation_alias="one")
    second: int = Part(0, validation_alias=AliasChoices("two", AliasPath("rest", 0)))
    third: str = Part(validation_alias=AliasPath("more", 1, "text"))
    fourth: int = Part(validation_alias=AliasPath("more", 0))


class Written(BaseModel):
    """Names for writing alone, one of them for something with a default."""

    start: int = Part(serialization_alias="from")
    end: int = Part(0, serialization_alias="to")


class Different(BaseModel):
    part: int = Part(validation_alias="readAs", serialization_alias="writtenAs")


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)

    item_name: str
    sub_items: list[Item] = []


class ByName(BaseModel):
    model_config = ConfigDict(
        populate_by_name=True, alias_generator=AliasGenerator(serialization_alias=to_camel)
    )

    item_name: str = Part(alias="theName")
    item_size: int


class OnlyByName(BaseModel):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=False)

    item_id: int = Part(alias="itemId")


class NotByAlias(BaseModel):
    model_config = ConfigDict(serialize_by_alias=False)

    item_id: int = Part(alias="itemId")


class Squared(BaseModel):
    width: int = Part(serialization_alias="w")

    @computed_field(alias="areaOfIt")  # type: ignore[prop-decorator]
    @property
    def area(self) -> int:
        return self.width**2


class Closed(Squared):
    model_config = ConfigDict(extra="forbid")


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")

    item_id: int = Part(serialization_alias="itemId")


class Node(BaseModel):
    value: int = Part(serialization_alias="theValue")
    following: Node | None = Part(None, serialization_alias="next")


class Box(BaseModel, Generic[T]):
    inside: T = Part(serialization_alias="content")


class Several(BaseModel):
    by_name: dict[str, Written] = Part(alias="byName")
    pairs: list[tuple[str, Written]] = Part(alias="allPairs")
    either: Written | Read | str = Part(serialization_alias="oneOf")
    maybe: Read | None = None


class Rows(RootModel[list[Written]]):
    pass


@dataclasses.dataclass
class Plain:
    item_id: Annotated[int, Part(alias="itemId")]
    inner: Annotated[Written, Part(serialization_alias="theInner")]


@pydantic_dataclass(config=ConfigDict(alias_generator=to_camel))
class Checked:
    item_id: int
    all_items: list[Item]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def count(self) -> int:
        return len(self.all_items)


class Typed(TypedDict):
    item_id: Annotated[int, Part(alias="itemId")]
    inner: NotRequired[Annotated[Written, Part(serialization_alias="theInner")]]


class Cat(BaseModel):
    kind: Literal["cat"] = Part("cat", serialization_alias="petType")
    name: str = Part(serialization_alias="catName")


class Dog(BaseModel):
    kind: Literal["dog"] = Part("dog", serialization_alias="petType")
    name: str = Part(serialization_alias="dogName")


class Fox(BaseModel):
    kind: Literal["fox"] = Part("fox", alias="petType")


class Owl(BaseModel):
    kind: Literal["owl"] = Part("owl", alias="petType")


Pet: TypeAlias = Annotated[Cat | Dog, Part(discriminator="kind")]
Wild: TypeAlias = Annotated[Fox | Owl, Part(discriminator="kind")]


def made(type_: type[T], **parts: Any) -> T:
    """A value from names that type checkers know nothing of."""
    return TypeAdapter(type_).validate_python(parts)


read = made(Read, one=1, two=2, more=[4, {"text": "x"}])
written = Written(start=1, end=2)

VALUES: list[tuple[Any, Any, Any]] = [
    (Item, Item(itemId=5), {"itemId": 5}),
    (Read, read, {"first": 1, "second": 2, "third": "x", "fourth": 4}),
    (Written, written, {"from": 1, "to": 2}),
    (Different, made(Different, readAs=1), {"writtenAs": 1}),
    (
        Camel,
        made(Camel, itemName="n", subItems=[Item(itemId=1)]),
        {"itemName": "n", "subItems": [{"itemId": 1}]},
    ),
    (ByName, made(ByName, theName="n", item_size=3), {"theName": "n", "itemSize": 3}),
    (OnlyByName, OnlyByName.model_construct(item_id=1), {"itemId": 1}),
    (NotByAlias, made(NotByAlias, itemId=1), {"itemId": 1}),
    (Squared, made(Squared, width=3), {"w": 3, "areaOfIt": 9}),
    (Open, made(Open, item_id=1, more=2), {"itemId": 1, "more": 2}),
    (
        Node,
        made(Node, value=1, following=made(Node, value=2)),
        {"theValue": 1, "next": {"theValue": 2, "next": None}},
    ),
    (Box[Written], Box[Written](inside=written), {"content": {"from": 1, "to": 2}}),
    (
        Several,
        made(Several, byName={"a": written}, allPairs=[("b", written)], either=read, maybe=read),
        {
            "byName": {"a": {"from": 1, "to": 2}},
            "allPairs": [["b", {"from": 1, "to": 2}]],
            "oneOf": {"first": 1, "second": 2, "third": "x", "fourth": 4},
            "maybe": {"first": 1, "second": 2, "third": "x", "fourth": 4},
        },
    ),
    (Rows, Rows([written]), [{"from": 1, "to": 2}]),
    (Plain, Plain(1, written), {"itemId": 1, "theInner": {"from": 1, "to": 2}}),
    (Checked, made(Checked, itemId=1, allItems=[]), {"itemId": 1, "allItems": [], "count": 0}),
    (
        Typed,
        {"item_id": 1, "inner": written},
        {"itemId": 1, "theInner": {"from": 1, "to": 2}},
    ),
    (list[Typed], [{"item_id": 1}], [{"itemId": 1}]),
    (dict[str, Typed | None], {"a": {"item_id": 1}, "b": None}, {"a": {"itemId": 1}, "b": None}),
    (tuple[Item, ...], (Item(itemId=1), Item(itemId=2)), [{"itemId": 1}, {"itemId": 2}]),
    (Cat | Dog, made(Dog, name="d"), {"petType": "dog", "dogName": "d"}),
    (Pet, made(Dog, name="d"), {"petType": "dog", "dogName": "d"}),
    (list[Pet] | None, [made(Cat, name="c")], [{"petType": "cat", "catName": "c"}]),
    (Wild, made(Owl), {"petType": "owl"}),
]
each = pytest.mark.parametrize(("type_", "value", "plain"), VALUES)


def hosted(type_: Any) -> Program:
    class Echo(Module):
        async def aforward(self, item: Any) -> Prediction:
            return Prediction(item=item)

    Echo.aforward.__annotations__["item"] = type_

    return Program(Echo(), outputs=make_signature({"item": (type_, OutputField())}))


def faults(schema: dict[str, Any], value: object) -> list[str]:
    validator: Any = Draft202012Validator(schema)

    return [error.message for error in validator.iter_errors(value)]


@each
def test_a_value_goes_out_as_its_schema_says_and_comes_in_again(
    type_: Any, value: Any, plain: Any
) -> None:
    program = hosted(type_)
    outputs = program.outputs_of(Prediction(item=value))

    assert outputs == {"item": plain}
    assert faults(program.output_schema, outputs) == []
    assert faults(program.input_schema, outputs) == []
    assert program.check(outputs) == {"item": value}


@each
@pytest.mark.parametrize("adapter", [ChatAdapter(), JSONAdapter(), XMLAdapter()])
def test_a_demo_shows_an_answer_that_can_be_read(
    adapter: Any, type_: Any, value: Any, plain: Any
) -> None:
    ask = make_signature({"question": InputField(), "item": (type_, OutputField())})
    messages = adapter.format(ask, [{"question": "?", "item": value}], {"question": "and now?"})

    assert adapter.parse(ask, messages[2]["content"]) == {"item": value}


def test_names_for_reading_alone_are_still_read() -> None:
    check = hosted(Read).check

    assert check({"item": {"one": 1, "rest": [2], "more": [4, {"text": "x"}]}}) == {"item": read}
    assert check({"item": {"first": 1, "two": 2, "third": "x", "fourth": 4}}) == {"item": read}


def test_what_is_computed_may_come_in_where_nothing_else_may() -> None:
    assert hosted(Closed).check({"item": {"w": 3, "areaOfIt": 9}}) == {"item": Closed(width=3)}

    with pytest.raises(InputInvalid, match="Extra inputs are not permitted"):
        hosted(Closed).check({"item": {"w": 3, "other": 9}})


def test_a_demo_or_a_turn_in_plain_dicts_shows_the_same_names() -> None:
    ask = make_signature(
        {
            "history": (History, InputField()),
            "item": (Written, InputField()),
            "found": (list[Item], OutputField()),
        }
    )
    turn = {"item": {"start": 1, "end": 2}, "found": [{"item_id": 3}]}
    history = History(messages=[{"item": written, "found": [Item(itemId=3)]}])
    messages = JSONAdapter().format(ask, [turn], {"history": history, "item": written})
    told = [json.loads(one["content"]) for one in messages if one["role"] == "assistant"]

    assert told == [{"found": [{"itemId": 3}]}] * 2
    assert [one["content"].count('"from": 1') for one in messages if one["role"] == "user"] == [
        1
    ] * 3


def test_defaults_have_the_names_too() -> None:
    class Move(Module):
        async def aforward(self, item: Written = written, more: Typed | None = None) -> Item:
            return Item(itemId=1)

    assert Program(Move()).input_schema["properties"]["item"]["default"] == {"from": 1, "to": 2}
    field = InputField(default={"item_id": 1}).named("typed", Typed)
    assert field.json_schema()["default"] == {"itemId": 1}


async def test_arguments_and_results_of_tools_have_the_names() -> None:
    def move(item: Written, typed: Typed) -> list[Any]:
        return [item, typed]

    tool = Tool(move)
    given = {"item": {"from": 1, "to": 2}, "typed": {"itemId": 1}}
    result = await tool.acall(**given)

    assert faults(tool.parameters_schema, given) == []
    assert result == [written, {"item_id": 1}]
    assert to_jsonable(result[0]) == given["item"]
    assert await tool.acall(item=given["item"], typed=to_jsonable(result[1])) == result


def test_what_is_shown_of_calls_has_the_names() -> None:
    assert shown({"item": Item(itemId=3)}) == {"item": {"itemId": 3}}
    assert Prediction(item=Item(itemId=3)).toDict() == {"item": {"itemId": 3}}


class Unwritable(BaseModel):
    item_id: int = Part(serialization_alias="itemId")

    @field_serializer("item_id")
    def _fail(self, value: int) -> int:
        raise RuntimeError


def test_a_model_that_cannot_dump_itself_keeps_its_names() -> None:
    assert to_jsonable([Unwritable(item_id=1)]) == [{"itemId": 1}]


class Left(BaseModel):
    deep_in: Left | Right | None = Part(None, alias="deepIn")


class Right(BaseModel):
    deep_in: Left | Right | None = Part(None, alias="deepIn")
    more: int = 0


def nested_in(name: str, levels: int, innermost: object) -> object:
    value = innermost

    for _ in range(levels):
        value = {name: value}

    return value


def test_unions_inside_each_other_are_told_apart_in_linear_time() -> None:
    either: TypeAdapter[Any] = TypeAdapter(Left | Right)
    unfit = nested_in("deep_in", 60, {"other": 1})

    assert going_out(either, nested_in("deep_in", 60, {})) == nested_in("deepIn", 60, {})
    assert going_out(either, unfit) == unfit


@pytest.mark.parametrize("direction", [coming_in, going_out])
def test_what_nests_too_deep_is_left_to_whoever_reads_it(direction: Any) -> None:
    value = nested_in("deep_in", 100_000, None)
    renamed = direction(TypeAdapter(Left | Right), value)

    while renamed:
        (renamed,) = renamed.values()
