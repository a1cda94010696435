"""The JSON form of values."""

from __future__ import annotations

import enum
import ipaddress
import json
import math
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pytest
from headrace.errors import OutputUnserialisable
from headrace.signatures import Reasoning
from headrace.values import Example, Prediction, to_jsonable
from headrace.values.limits import UnfitValue, count_elements
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, field_serializer


class Color(enum.Enum):
    RED = "red"
    SET = frozenset({1, 2})


class Size(enum.IntEnum):
    BIG = 3


class Person(BaseModel):
    name: str
    born: date | None = None
    key: SecretStr = SecretStr("s")
    scores: set[int] = set()


class Measured(BaseModel):
    seconds: timedelta

    @field_serializer("seconds")
    def _in_seconds(self, value: timedelta) -> float:
        return value.total_seconds()


class Loose(BaseModel):
    value: Any = None


class Ratio(BaseModel):
    shares: list[float]


class Raising(BaseModel):
    name: str = "n"

    @field_serializer("name")
    def _fail(self, value: object) -> str:
        raise RuntimeError(f"no form for {value}")


@dataclass
class Point:
    x: int
    y: Decimal


class Pair(NamedTuple):
    a: int
    b: str


FORMS: list[tuple[object, object]] = [
    (None, None),
    (True, True),
    (3, 3),
    (1.5, 1.5),
    ("text", "text"),
    (Reasoning("r"), "r"),
    (Color.RED, "red"),
    (Color.SET, [1, 2]),
    (Size.BIG, 3),
    (b"\xff\x00", "/wA="),
    (bytearray(b"a"), "YQ=="),
    (memoryview(b"abc")[::2], "YWM="),
    (date(2024, 2, 29), "2024-02-29"),
    (datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC), "2024-02-29T01:02:03Z"),
    (time(1, 2), "01:02:00"),
    (timedelta(hours=1), "PT1H"),
    (Decimal("1.10"), "1.10"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (PurePosixPath("a/b"), "a/b"),
    (ipaddress.ip_address("::1"), "::1"),
    (SecretStr("s"), "**********"),
    ((1, 2), [1, 2]),
    (range(3), [0, 1, 2]),
    (deque([1]), [1]),
    (Pair(1, "b"), [1, "b"]),
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset({"b", "a", 1}), ["a", "b", 1]),
    (OrderedDict([("a", 1)]), {"a": 1}),
    (Point(1, Decimal(2)), {"x": 1, "y": "2"}),
    (Example(a={1}), {"a": [1]}),
    ([Prediction(p=Person(name="n"))], [{"p": Person(name="n").model_dump(mode="json")}]),
    (
        Person(name="n", born=date(2000, 1, 1), scores={2}),
        {"name": "n", "born": "2000-01-01", "key": "**********", "scores": [2]},
    ),
    (Measured(seconds=timedelta(minutes=1)), {"seconds": 60.0}),
    (Loose(value=b"\xff"), {"value": "/w=="}),
    (Loose(value=Loose(value={1})), {"value": {"value": [1]}}),
]


@pytest.mark.parametrize(("value", "plain"), FORMS)
def test_values_have_one_plain_form(value: object, plain: object) -> None:
    assert to_jsonable(value) == plain
    assert json.loads(json.dumps(to_jsonable(value))) == plain


def test_keys_are_written_as_json_has_them() -> None:
    keys = {1: 1, 1.5: 2, False: 3, None: 4, Size.BIG: 5, date(2024, 1, 1): 6, b"k": 7}

    assert to_jsonable(keys) == {
        "1": 1,
        "1.5": 2,
        "false": 3,
        "null": 4,
        "3": 5,
        "2024-01-01": 6,
        "aw==": 7,
    }


def test_surrogates_are_joined_or_replaced() -> None:
    assert to_jsonable("a\ud83d\ude00b") == "a😀b"
    assert to_jsonable(["\ud800x", "x\udfff"]) == ["\ufffdx", "x\ufffd"]
    assert to_jsonable({"\ud800": 1}) == {"\ufffd": 1}
    assert to_jsonable(PurePosixPath("/\udcff")) == "/\ufffd"


def cyclic_list() -> object:
    items: list[Any] = [1]
    items.append({"again": items})

    return items


def cyclic_model() -> object:
    model = Loose()
    model.value = [model]

    return model


def deep(levels: int) -> object:
    value: object = 0

    for _ in range(levels):
        value = [value]

    return value


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: math.nan, "outputs has no JSON form: it is nan"),
        (lambda: {"items": [1, 2, 3, math.inf]}, "outputs.items[3] has no JSON form: it is inf"),
        (lambda: Decimal("NaN"), "outputs has no JSON form: it is NaN"),
        (lambda: 2**1024, "outputs has no JSON form: it is an integer out of range"),
        (lambda: {"a b": {"c": print}}, "outputs['a b'].c has no JSON form: it is of type builtin"),
        (lambda: {"t": object()}, "outputs.t has no JSON form: it is of type object"),
        (lambda: int, "outputs has no JSON form: it is of type type"),
        (lambda: (one for one in "ab"), "outputs has no JSON form: it is of type generator"),
        (lambda: {"e": ValueError("x")}, "outputs.e has no JSON form: it is of type ValueError"),
        (lambda: {(1, 2): 3}, "outputs has no JSON form: it has a key of type tuple"),
        (lambda: {1: 1, "1": 2}, "outputs has no JSON form: it has two keys that are '1' in JSON"),
        (lambda: Ratio(shares=[math.nan]), "outputs.shares[0] has no JSON form: it is nan"),
        (lambda: Loose(value={"f": print}), "outputs.value.f has no JSON form: it is of type"),
        (cyclic_list, "outputs[1].again has no JSON form: it contains itself"),
        (cyclic_model, "outputs.value[0] has no JSON form: it contains itself"),
        (lambda: deep(101), "has no JSON form: it is nested deeper than 100 levels"),
    ],
)
def test_what_has_no_json_form_is_named_by_its_path(make: Callable[[], object], said: str) -> None:
    with pytest.raises(OutputUnserialisable) as raised:
        to_jsonable(make())

    assert said in raised.value.message


def test_a_hundred_levels_are_not_too_deep() -> None:
    assert to_jsonable(deep(100)) == deep(100)


def test_no_nesting_exhausts_the_stack() -> None:
    hostile = [deep(100_000)]

    with pytest.raises(OutputUnserialisable, match="nested deeper than 100 levels"):
        to_jsonable(hostile)

    with pytest.raises(UnfitValue) as raised:
        count_elements({"a": hostile}, 30)

    assert (raised.value.path, raised.value.reason) == ("a" + "[0]" * 29, "nests too deep")


def test_values_are_counted_and_refused_by_their_path() -> None:
    value: dict[str, object] = {"a": [1, 2.5, "x", None], "b": (True, {})}

    assert count_elements(value, 3) == 9

    for unfit, said in [
        ({"a": [1, {"b": math.inf}]}, "a[1].b: inf is not a number in JSON"),
        ({"a": ["x\ud800"]}, "a[0]: holds half of a surrogate pair"),
        ({"a": {"\ud800": 1}}, "a: holds half of a surrogate pair"),
        ({"a": date(2024, 1, 1)}, "a: date is not a type of JSON"),
        ({"a": {1: 2}}, "a: has a name that is no text"),
        (math.nan, "nan is not a number in JSON"),
    ]:
        with pytest.raises(UnfitValue) as raised:
            count_elements(unfit, 30)

        assert str(raised.value) == said


def test_what_a_value_is_called_is_for_the_caller_to_say() -> None:
    with pytest.raises(OutputUnserialisable, match=r"^inputs\.x has"):
        to_jsonable({"x": print}, "inputs")


def test_a_serializer_that_raises_hurts_nobody() -> None:
    assert to_jsonable({"a": Raising()}) == {"a": {"name": "n"}}


def test_the_form_is_made_of_new_plain_objects() -> None:
    value = {"a": [1]}
    plain = to_jsonable(value)

    assert plain == value
    assert plain is not value
    assert isinstance(plain, dict)
    assert plain["a"] is not value["a"]
    assert type(to_jsonable(Reasoning("r"))) is str


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters()),  # lone surrogates among them
    st.binary(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.timedeltas(),
    st.decimals(),
    st.uuids(),
    st.sampled_from([Color.RED, Color.SET, Size.BIG, PurePosixPath("a"), object(), print]),
)
hashable = st.one_of(st.none(), st.booleans(), st.integers(), st.text(st.characters()), st.dates())
nested: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(hashable, inner, max_size=4),
        st.sets(hashable, max_size=4),
        inner.map(lambda value: Loose(value=value)),
        inner.map(lambda value: Prediction(value=value)),
        st.builds(Point, st.integers(), inner),
    ),
    max_leaves=12,
)


@given(nested)
def test_every_form_survives_json(value: object) -> None:
    try:
        plain = to_jsonable(value)
    except OutputUnserialisable:
        return

    assert json.loads(json.dumps(plain, allow_nan=False).encode()) == plain
    assert json.dumps(plain, ensure_ascii=False).encode()
    assert to_jsonable(plain) == plain
