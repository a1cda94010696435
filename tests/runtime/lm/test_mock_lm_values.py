"""What the mock answers fits: its numbers, texts and objects, for schemas and for signatures."""

from __future__ import annotations

import asyncio
import json
import math
import re
from typing import Annotated, Any, Literal

import pytest
from headrace import (
    LM,
    ChatAdapter,
    InputField,
    JSONAdapter,
    OutputField,
    Predict,
    Signature,
    XMLAdapter,
)
from headrace.adapters import Adapter
from headrace.adapters.strict_schema import strict_schema
from headrace_mock import MockLM
from headrace_mock.canned import answer_to
from headrace_mock.patterns import matching
from headrace_mock.schemas import example
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, TypeAdapter
from random_signatures import WORDS, signatures

ADAPTERS: list[Adapter] = [ChatAdapter(), JSONAdapter(), XMLAdapter()]


def prose(name: str) -> str:
    return f"prose for {name}"


def asking(
    adapter: Adapter, signature: type[Signature], question: str, **fields: Any
) -> dict[str, Any]:
    return {"messages": adapter.format(signature, [], {"question": question}), **fields}


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        ({"type": "integer"}, [7, 8, 9]),
        ({"type": "integer", "minimum": 1, "maximum": 5}, [5, 1, 2]),
        ({"type": "integer", "exclusiveMinimum": 9}, [10, 11, 12]),
        ({"type": "integer", "exclusiveMaximum": -3}, [-4, -5, -6]),
        ({"type": "integer", "multipleOf": 5, "exclusiveMinimum": 35}, [40, 45, 50]),
        ({"type": "integer", "minimum": 1.5, "maximum": 2.5}, [2, 2, 2]),
        ({"type": "integer", "minimum": 2, "exclusiveMinimum": 7}, [8, 9, 10]),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, [0.9, 0.1, 0.2]),
        ({"type": "number", "exclusiveMinimum": 0.1, "exclusiveMaximum": 0.11}, [0.109, 0.101, 0.102]),
        ({"type": "number", "multipleOf": 0.1, "minimum": 7.05}, [7.1, 7.2, 7.3]),
        ({"type": "boolean"}, [True, False, True]),
        ({"type": ["null", "integer"]}, [7, 8, 9]),
        ({"const": "k"}, ["k", "k", "k"]),
        ({"enum": ["a", None]}, ["a", None, "a"]),
        ({"type": "string", "format": "date"}, ["2026-01-31", "2026-02-01", "2026-02-02"]),
        ({"type": "string", "pattern": "^[ab]$"}, ["a", "b", "a"]),
        ({"type": "string", "examples": ["north"], "default": "south"}, ["north", "south", "3. prose for it"]),
        ({"type": "integer", "maximum": 3, "default": 9}, [3, 2, 1]),
    ],
)  # fmt: skip
def test_the_items_of_an_array_fit_and_differ_where_they_can(
    schema: Any, values: list[Any]
) -> None:
    array = {"type": "array", "items": schema, "minItems": 3}

    assert example({"properties": {"it": array}}, prose) == {"it": values}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, "prose for it"),
        (True, "prose for it"),
        ({"minLength": 14}, "prose for it prose for it"),
        ({"maxLength": 10}, "prose for"),
        ({"minLength": 6, "maxLength": 6}, "prose."),
        ({"maxLength": 3}, "pro"),
        ({"maxLength": 0}, ""),
        ({"type": "string", "contentSchema": {"type": "array", "items": {"const": 1}}}, "[1]"),
        ({"type": "array", "maxItems": 0}, []),
        ({"type": "array", "uniqueItems": True, "minItems": 2, "items": {"type": "boolean"}}, [True, False]),
        ({"prefixItems": [{"type": "integer"}, {"type": "boolean"}], "items": False, "maxItems": 2}, [7, False]),
        ({"items": [{"const": 1}, {"const": 2}]}, [1, 2]),
        ({"required": ["a"]}, {"a": "prose for a"}),
        ({"additionalProperties": {"type": "integer"}}, {"1": 7}),
        ({"additionalProperties": {"type": "integer"}, "minProperties": 3}, {"1": 7, "0": 8, "2": 9}),
        ({"additionalProperties": {"const": 1}, "maxProperties": 0}, {}),
        ({"additionalProperties": {"const": 1}, "propertyNames": {"enum": ["red", "blue"]}, "minProperties": 2}, {"red": 1, "blue": 1}),
        ({"patternProperties": {"^x-": {"type": "integer"}}}, {"x-": 7}),
        ({"properties": {"a": {"const": 1}, "b": {"const": 2}}, "required": ["b"], "maxProperties": 1}, {"b": 2}),
        ({"anyOf": [{"type": "integer", "minimum": 9}, {"type": "null"}]}, 9),
        ({"type": "object", "properties": {"a": {"const": 1}}, "anyOf": [{"required": ["b"]}]}, {"a": 1, "b": "prose for b"}),
        ({"allOf": [{"minimum": 3, "maximum": 30}, {"minimum": 20, "type": "integer"}]}, 20),
        ({"allOf": [{"$ref": "#/$defs/Big"}], "default": 12}, 12),
        ({"$ref": "#/$defs/Big", "maximum": 11}, 11),
    ],
)  # fmt: skip
def test_a_value_fits_its_schema(schema: Any, value: Any) -> None:
    whole = {"properties": {"it": schema}, "$defs": {"Big": {"type": "integer", "minimum": 11}}}

    assert example(whole, prose) == {"it": value}


@pytest.mark.parametrize(
    ("pattern", "least", "most", "text"),
    [
        (r"^[A-Z]{3}-\d{4}$", 0, math.inf, "ABC-5678"),
        (r"^\d+$", 5, 5, "12345"),
        (r"^[a-z]+-[a-z]+$", 10, 10, "abc-efgaaa"),
        (r"^(ab)+$", 11, 12, "abababababab"),
        (r"^(ab|c)$", 0, 1, "c"),
        (r"^(a|b)\1$", 0, math.inf, "aa"),
        ("weir", 6, math.inf, "weiraa"),
        (r"^(?=.*[A-Z])(?=.*\d)[A-Za-z\d]{8,}$", 0, 12, "A1cdefghij"),
        (r"(?<=@)\w+", 0, math.inf, "@bcd"),
        (r"^(?!no)\w{2}$", 0, math.inf, "ab"),
        (r"^(?<year>\d{4})\p{Lu}[\p{L}]\z", 0, math.inf, "1234Ef"),
        (r"^[^\s@]+@[^\s@]+\.[a-z]{2,}$", 0, math.inf, "abc@efg.ijkl"),
        (r"^[^a-z]\W$", 0, math.inf, 'A"'),
        (r"^[\u3041-\u3096]{2}$", 0, math.inf, "あ\u3041"),
        (r"^(25[0-5]|2[0-4]\d|1?\d?\d)(\.\d{1,3}){3}$", 0, math.inf, "253.567.901.345"),
        ("(not a pattern", 0, math.inf, None),
        (r"^\d$", 2, math.inf, None),
        (r"^[^\s\S]$", 0, math.inf, None),
    ],
)  # fmt: skip
def test_a_text_matches_its_pattern(
    pattern: str, least: int, most: float, text: str | None
) -> None:
    assert matching(pattern, least, most) == text


@given(
    st.text("ab", max_size=4).map(re.escape) | st.from_regex(r"\A[ab.]([*+?]|\{1,3\})(\|[cd]+)?\Z"),
    st.integers(0, 9),
)
def test_a_text_of_a_simple_pattern_is_always_found(pattern: str, least: int) -> None:
    text = matching(pattern, least, least + 9)

    assert text is not None
    assert re.search(pattern, text)
    assert least <= len(text) <= least + 9


class Tree(BaseModel):
    name: Annotated[str, Field(max_length=9)]
    children: list[Tree] = []
    parent: Tree | None = None
    named: dict[str, Tree] = {}


class Chain(BaseModel):
    following: Chain


class Leaf(BaseModel):
    kind: Literal["leaf"]


class Fork(BaseModel):
    kind: Literal["fork"]
    left: Annotated[Fork | Leaf, Field(discriminator="kind")]
    right: Annotated[Fork | Leaf, Field(discriminator="kind")]


@pytest.mark.parametrize("kind", [Tree, Fork])
def test_a_schema_within_itself_ends(kind: type[BaseModel]) -> None:
    value = example(kind.model_json_schema(), prose)

    assert kind.model_validate(value)
    assert len(json.dumps(value)) < 2_000


def test_a_value_that_would_be_endless_is_null() -> None:
    assert example(Chain.model_json_schema(), prose) is None


def test_definitions_that_all_refer_to_each_other_take_no_longer() -> None:
    names = [f"Node{at}" for at in range(12)]
    properties = {name: {"$ref": f"#/$defs/{name}"} for name in names}
    node = {"type": "object", "properties": properties}
    value = example({"$ref": "#/$defs/Node0", "$defs": dict.fromkeys(names, node)}, prose)

    assert len(json.dumps(value)) < 100_000


@settings(max_examples=300)
@given(signatures(), st.sampled_from(ADAPTERS), WORDS)
def test_an_answer_to_any_signature_reads_back_as_a_prediction(
    signature: type[Signature], adapter: Adapter, question: str
) -> None:
    answer = answer_to(asking(adapter, signature, question))
    values = adapter.parse(signature, answer)

    assert list(values) == list(signature.output_fields)
    assert answer_to(asking(adapter, signature, question)) == answer


@settings(max_examples=100)
@given(signatures(), WORDS)
def test_an_answer_under_a_strict_schema_fits_the_schema_and_the_prompt(
    signature: type[Signature], question: str
) -> None:
    adapter = JSONAdapter()
    schema = strict_schema(signature)

    if schema is not None:
        form = {"type": "json_schema", "json_schema": {"schema": schema}}
        answer = answer_to(asking(adapter, signature, question, response_format=form))

        validator: Any = Draft202012Validator(schema)
        validator.validate(json.loads(answer))
        adapter.parse(signature, answer)


@settings(max_examples=20)
@given(st.lists(signatures(), min_size=3, max_size=3))
def test_a_provider_over_http_answers_any_signature(asked: list[type[Signature]]) -> None:
    async def ask() -> None:
        async with MockLM() as mock:
            lm = LM("openai/any", api_base=mock.base_url, api_key="any", cache=False)

            for signature, adapter in zip(asked, ADAPTERS, strict=True):
                values = await adapter.acall(lm, {}, signature, [], {"question": "why?"}, None)
                assert [list(one) for one in values] == [list(signature.output_fields)]

    asyncio.run(ask())


class Rated(Signature):
    """Rate it."""

    question: str = InputField()
    code: str = OutputField(pattern=r"^[A-Z], [a-z]{2}$", max_length=5)
    short: str = OutputField(min_length=4, max_length=12)
    stars: int = OutputField(desc="Constraints: none.", ge=1, le=5)
    years: Annotated[int, Field(gt=1900)] | None = OutputField(lt=1950, multiple_of=3)
    share: float = OutputField(gt=0, lt=1)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_what_a_prompt_says_of_bounds_holds_for_text_too(adapter: Adapter) -> None:
    values = adapter.parse(Rated, answer_to(asking(adapter, Rated, "how?")))

    assert values == {"code": "A, de", "short": "This is", "stars": 5, "years": 1902, "share": 0.9}


def test_dspys_words_for_types_and_bounds_are_read_too() -> None:
    prompt = (
        "Your output fields are:\n"
        "1. `stars` (int): \nConstraints: greater than or equal to: 1, less than: 5\n"
        "2. `tags` (list[str]): \nConstraints: minimum length: 2\n"
        "All interactions will be structured in the following way\n\n"
        "[[ ## stars ## ]]\n{stars}        # note: the value you produce must be a single int value\n\n"
        "[[ ## tags ## ]]\n{tags}        # note: the value you produce must adhere to the JSON schema: "
        '{"type": "array", "items": {"enum": ["a", "b"]}}\n\n'
        "Respond with the corresponding output fields, starting with the field `[[ ## stars ## ]]` "
        "(must be formatted as a valid Python int), then `[[ ## tags ## ]]` (must be formatted as a "
        "valid Python list[str]), and then ending with the marker for `[[ ## completed ## ]]`."
    )
    answer = answer_to({"messages": [{"role": "user", "content": prompt}]})

    assert ChatAdapter().parse(Predict("q -> stars: int, tags: list[str]").signature, answer) == {
        "stars": 4,
        "tags": ["a", "b"],
    }


FORMATS = [
    "date", "date-time", "time", "duration", "email", "hostname", "uri", "uri-reference", "ipv4", "ipv6",
    "uuid", "regex", "json-pointer",
]  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
def test_texts_have_the_format_that_is_asked_for_and_differ(format: str) -> None:
    schema = {
        "type": "array",
        "items": {"type": "string", "format": format},
        "minItems": 3,
        "uniqueItems": True,
    }
    values = example(schema, prose)
    checker = Draft202012Validator.FORMAT_CHECKER

    assert [value for value in values if not checker.conforms(value, format)] == []
    assert len(values) == 3


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        ({"formatMinimum": "2030-01-01"}, "2030-01-01"),
        ({"formatExclusiveMinimum": "2030-01-01"}, "2030-01-02"),
        ({"formatExclusiveMaximum": "2020-01-01"}, "2019-12-31"),
        ({"formatMaximum": "no date"}, "2026-01-31"),
    ],
)
def test_dates_keep_to_the_bounds_that_are_stated(bounds: dict[str, str], text: str) -> None:
    assert example({"type": "string", "format": "date", **bounds}, prose) == text


@pytest.mark.parametrize("kind", ["UUID1", "UUID4", "IPvAnyAddress", "IPvAnyNetwork", "AnyUrl", "PostgresDsn"])  # fmt: skip
def test_pydantics_own_formats_are_known(kind: str) -> None:
    import pydantic

    adapter: TypeAdapter[Any] = TypeAdapter(getattr(pydantic, kind))

    assert adapter.validate_python(example(adapter.json_schema(), prose))
