"""Answers whose fields stand one object deeper than they should, as models that speak by tools write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from headrace.adapters import ChatAdapter, JSONAdapter, XMLAdapter
from headrace.errors import AdapterParseError
from runtime.test_adapters_call import ANSWER, QA, Asked, ScriptedLM, plain

WRAPPED = {
    "under any key": {"france": ANSWER},
    "twice": {"a": {"b": ANSWER}},
    "thrice": {"a": {"b": {"c": ANSWER}}},
    "as text": {"json": json.dumps(ANSWER)},
    "as text, indented": {"note": "so", "json": "\n" + json.dumps(ANSWER, indent=2)},
    "as text in a fence": {"json": f"```json\n{json.dumps(ANSWER)}\n```"},
    "as text that wraps it again": {"json": json.dumps({"json": json.dumps(ANSWER)})},
    "as the only one of a list": {"answers": [ANSWER]},
    "in a schema": {"type": "object", "properties": ANSWER, "required": ["answer"]},
    "in a list": [{"response": [ANSWER]}],
    "all as text": json.dumps(ANSWER),
}


@pytest.mark.parametrize("wrapped", WRAPPED.values(), ids=WRAPPED)
async def test_fields_deeper_in_an_object_without_any_are_the_answer(wrapped: Any) -> None:
    asked = Asked(JSONAdapter(), ScriptedLM([json.dumps(wrapped)]), QA)

    assert await asked.answers() == [ANSWER]
    assert plain(asked.written) == [
        ("reasoning", "It is."),
        ("reasoning", None),
        ("answer", "Paris"),
        ("answer", None),
    ]


async def test_fields_in_an_envelope_stream() -> None:
    pieces = ['{"json_input": {"reasoning": "It', ' is.", "answer": "Par', 'is"}}']
    asked = Asked(JSONAdapter(), ScriptedLM(pieces), QA)

    assert await asked.answers() == [ANSWER]
    assert plain(asked.written) == [
        ("reasoning", "It"),
        ("reasoning", " is."),
        ("reasoning", None),
        ("answer", "Par"),
        ("answer", "is"),
        ("answer", None),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{a: {reasoning: 'It is.', answer: 'Paris'}}",
        'Here: {"a": {"reasoning": "It is.", "answer": "Paris"}',
        '{"padding": "' + "x" * 70_000 + '", "a": {"reasoning": "It is.", "answer": "Paris"}}',
    ],
    ids=["bare words", "cut off", "long"],
)
async def test_wrapped_fields_are_found_in_near_json_and_in_long_json(text: str) -> None:
    assert await Asked(JSONAdapter(), ScriptedLM([text]), QA).answers() == [ANSWER]


@pytest.mark.parametrize(
    "wrapped",
    [
        {"properties": {name: {"type": "string"} for name in ANSWER}},
        {"a": ANSWER, "b": {"reasoning": "no", "answer": "no"}},
        {"answers": [ANSWER, ANSWER]},
        {"a": {"b": {"c": {"d": ANSWER}}}},
        {"a": "The answer is {} as in " + json.dumps(ANSWER)},
    ],
    ids=["a schema without values", "two of them", "a list of two", "too deep", "within a text"],
)
async def test_what_may_be_no_wrapper_is_no_answer_and_is_not_asked_again(wrapped: Any) -> None:
    lm = ScriptedLM([json.dumps(wrapped)])
    asked = Asked(JSONAdapter(), lm, QA)

    with pytest.raises(AdapterParseError, match=r"^`reasoning`, `answer` are missing$"):
        await asked.answers()

    assert (len(lm.requests), asked.written) == (1, [])


async def test_a_typed_output_keeps_its_own_objects() -> None:
    text = '{"outputs": {"table": {"table": {"a": 1}}, "answer": "Paris"}}'
    asked = Asked(JSONAdapter(), ScriptedLM([text]), "question -> table: dict[str, dict], answer")

    assert await asked.answers() == [{"table": {"table": {"a": 1}}, "answer": "Paris"}]


async def test_a_field_named_like_an_envelope_is_the_field() -> None:
    text = '{"response": {"response": "Paris"}}'
    asked = Asked(JSONAdapter(), ScriptedLM([text]), "question -> response")

    assert await asked.answers() == [{"response": '{"response": "Paris"}'}]


async def test_a_wrapped_answer_to_the_second_question_counts_too() -> None:
    lm = ScriptedLM(["Paris."], [json.dumps({"france": ANSWER})])

    assert await Asked(ChatAdapter(), lm, QA).answers() == [ANSWER]


async def test_an_element_around_the_fields_is_no_matter_in_xml() -> None:
    text = "<?xml version='1.0'?>\n<response>\n<reasoning>It is.</reasoning>\n<answer>Paris</answer>\n</response>"

    assert await Asked(XMLAdapter(), ScriptedLM([text]), QA).answers() == [ANSWER]
