"""Signatures at random, for properties that hold for all of them.

Left out is what a JSON schema cannot say, so that no model could know of it: bounds of dates inside
other types, keys that are constrained numbers, Literals inside other types that hold members of an Enum.
"""

from __future__ import annotations

import enum
import uuid
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias, Union

from headrace import InputField, OutputField, Signature
from headrace.signatures import make_signature
from hypothesis import strategies as st
from pydantic import BaseModel, Field, create_model

Type: TypeAlias = Any
Draw: TypeAlias = Callable[[st.SearchStrategy[Any]], Any]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "deep blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


def of(generic: Any, *types: Type) -> Type:
    return generic[types]


def constrained(kind: Type, constraints: dict[str, Any]) -> Type:
    return Annotated[kind, Field(**constraints)] if constraints else kind


@st.composite
def bounds(
    draw: Draw, numbers: st.SearchStrategy[Any], widths: st.SearchStrategy[Any]
) -> dict[str, Any]:
    low = draw(numbers)
    lower = draw(st.sampled_from([(), ("ge",), ("gt",)]))
    upper = draw(st.sampled_from([(), ("le",), ("lt",)]))

    return dict.fromkeys(lower, low) | dict.fromkeys(upper, low + draw(widths))


@st.composite
def whole_numbers(draw: Draw) -> Type:
    found = draw(bounds(st.integers(-1000, 1000), st.integers(11, 60)))
    factor = draw(st.sampled_from([{}, {"multiple_of": 2}, {"multiple_of": 5}]))

    return constrained(int, found | factor)


@st.composite
def texts(draw: Draw) -> Type:
    least = draw(st.integers(0, 300))
    chosen = draw(
        st.sampled_from([(), ("min_length",), ("max_length",), ("min_length", "max_length")])
    )
    lengths = {"min_length": least, "max_length": least + draw(st.integers(1, 300))}

    return constrained(str, {name: lengths[name] for name in chosen})


PIECES = [r"[a-z]+", r"\d{2,4}", "-", "(?:ab|cd)", r"\w", r"[^\s,]{3}", "x?", r"\.", r"a\sb", "(a|b)", "[A-F0-9]*"]  # fmt: skip
PATTERNS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map(
    lambda pieces: constrained(str, {"pattern": f"^{''.join(pieces)}$"})
)
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8
)
OPTIONS = st.lists(
    st.one_of(WORDS, st.integers(-5, 5), st.booleans()), min_size=1, max_size=4, unique_by=str
).map(lambda options: of(Literal, *options))
NAMES = st.lists(WORDS, min_size=1, max_size=4, unique=True).map(lambda names: of(Literal, *names))

LEAVES = st.one_of(
    whole_numbers(),
    bounds(st.floats(-1e6, 1e6), st.floats(0.001, 10)).map(lambda found: constrained(float, found)),
    texts(),
    PATTERNS,
    OPTIONS,
    st.sampled_from(
        [bool, bytes, date, datetime, time, timedelta, Decimal, uuid.UUID, Colour, Level, Any]
    ),
    st.just(constrained(Decimal, {"gt": 0, "lt": 1, "decimal_places": 2})),
    st.just(Literal["a; b", 'it\'s "q"', "x"]),
)
KEYS = st.one_of(texts(), NAMES, st.sampled_from([int, Colour, date, uuid.UUID]))


@st.composite
def models(draw: Draw, inner: st.SearchStrategy[Type]) -> type[BaseModel]:
    types = draw(st.lists(inner, min_size=1, max_size=3))
    fields: dict[str, Any] = {
        f"field_{at}": (one, ...) if draw(st.booleans()) else (of(Union, one, None), None)
        for at, one in enumerate(types)
    }

    return create_model(f"Model{draw(st.integers(0, 9))}", **fields)


def containers(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(["min_length", "max_length"]), st.integers(0, 4)).map(
            lambda drawn: constrained(of(list, drawn[0]), {drawn[1]: drawn[2]})
        ),
        KEYS.map(lambda one: of(set, one)),
        st.tuples(KEYS, inner).map(lambda types: of(dict, *types)),
        st.lists(inner, min_size=1, max_size=3).map(lambda types: of(tuple, *types)),
        inner.map(lambda one: of(Union, one, None)),
        st.tuples(inner, inner).map(lambda types: of(Union, *types)),
        models(inner),
    )


TYPES = st.one_of(
    st.recursive(LEAVES, containers, max_leaves=5),
    st.sampled_from(
        [
            Literal[Colour.RED],
            constrained(date, {"gt": date(2030, 1, 1)}),
            constrained(datetime, {"lt": datetime(2020, 1, 1)}) | None,
            constrained(timedelta, {"ge": timedelta(days=3)}),
        ]
    ),
)


@st.composite
def signatures(draw: Draw) -> type[Signature]:
    """A question, and some outputs of any type."""
    types = draw(st.lists(TYPES, min_size=1, max_size=4))
    described = [OutputField(desc=draw(st.sampled_from(["", "how: (sure)"]))) for _ in types]
    outputs = [
        field.named(f"output_{at}", one)
        for at, (field, one) in enumerate(zip(described, types, strict=True))
    ]

    return make_signature([InputField().named("question", str), *outputs], "Answer.")
