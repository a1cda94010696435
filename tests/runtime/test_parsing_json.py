"""The JSON dialect: decoded strings, JSON text of the rest, and what near-JSON gives."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from headrace.parsing import JSONParser
from hypothesis import given
from hypothesis import strategies as st
from runtime.parsing_cases import (
    Case,
    assert_reads,
    cut_up,
    given_after_each,
    parse,
    values,
)


def make() -> JSONParser:
    return JSONParser({"reasoning": True, "answer": True, "tags": False})


CASES: dict[str, Case] = {
    "strings": (
        '{"reasoning": "It is.", "answer": "Paris"}',
        {"reasoning": "It is.", "answer": "Paris"},
    ),
    "any spacing": ('{\n "answer"\t:\r\n"Paris"\n,"reasoning":"x"  }', {"answer": "Paris", "reasoning": "x"}),
    "whitespace in a string stays": ('{"answer": " \\n Paris  "}', {"answer": " \n Paris  "}),
    "an empty string": ('{"answer": ""}', {"answer": ""}),
    "escapes": (
        r'{"answer": "\"q\" \\ \/ \b\f\n\r\t caf\u00e9 \u4F60"}',
        {"answer": '"q" \\ / \b\f\n\r\t café 你'},
    ),
    "surrogate pairs": (r'{"answer": "\ud83d\ude00!\uD83D\uDE00"}', {"answer": "😀!😀"}),
    "half a pair": (
        r'{"answer": "a\ud83d b\ude00 c\ud83d\ud83d\ude00 d\ud83d\n \ud83d\u0041"}',
        {"answer": "a� b� c�😀 d�\n �A"},
    ),
    "half a pair at the end of the string": (r'{"answer": "a\ud83d"}', {"answer": "a�"}),
    "unknown escapes are text": (r'{"answer": "\d \x41 \u12zz \'"}', {"answer": r"\d \x41 \u12zz '"}),
    "raw line breaks and tabs": ('{"answer": "a\nb\r\n\tc"}', {"answer": "a\nb\r\n\tc"}),
    "braces and quoted keys in a string": (
        r'{"answer": "f() { return {\"reasoning\": [1]}; } \\", "reasoning": "x"}',
        {"answer": 'f() { return {"reasoning": [1]}; } \\', "reasoning": "x"},
    ),
    "other types give their JSON text": (
        '{"tags": [ "a", {"b": ["]", "\\"}"]} ] , "answer": "x"}',
        {"tags": '[ "a", {"b": ["]", "\\"}"]} ]', "answer": "x"},
    ),
    "an object": ('{"tags": {"a": {}}}', {"tags": '{"a": {}}'}),
    "a number": ('{"tags": 12.5 }', {"tags": "12.5"}),
    "null for another type is its text": ('{"tags": null}', {"tags": "null"}),
    "a string for another type is its JSON text": (
        r'{"tags": "a\"b\\ \ud83d\ude00", "answer": "x"}',
        {"tags": r'"a\"b\\ \ud83d\ude00"', "answer": "x"},
    ),
    "a str field gives the JSON text of what is no string": (
        '{"answer": {"a": [1, "}"]}, "reasoning": 42}',
        {"answer": '{"a": [1, "}"]}', "reasoning": "42"},
    ),
    "null for a str field is not given": (
        '{"answer": null, "answer": "late", "reasoning": null}',
        {},
    ),
    "None for a str field is not given": ('{"answer": None, "tags": None}', {"tags": "None"}),
    "a word that begins like null": ('{"answer": nullable, "reasoning": nul}', {"answer": "nullable", "reasoning": "nul"}),
    "a bare value": ('{"answer": Paris, France }', {"answer": "Paris"}),
    "nested keys of the same name are not the field": (
        '{"meta": {"answer": "no", "x": [{"answer": "no"}]}, "answer": "yes"}',
        {"answer": "yes"},
    ),
    "unknown keys are skipped": (
        '{"a": "x", "b": [1, {"c": "]"}], "d": 1, "e": null, "answer": "yes", "f": true}',
        {"answer": "yes"},
    ),
    "the first of a name wins": ('{"answer": "a", "answer": "b", "tags": 1}', {"answer": "a", "tags": "1"}),
    "escaped keys": (r'{"a\nb": 1, "\u0061nswer": "x", "bad\z": 2}', {"answer": "x"}),
    "prose and a fence around": (
        'Here {it} is, {as asked}:\n```json\n{"answer": "x"}\n```\n{"reasoning": "no"}',
        {"answer": "x"},
    ),
    "an object without fields is passed over": (
        '{"type": "object"} {} {"answer": "x"}',
        {"answer": "x"},
    ),
    "in an envelope": ('{"json_input": {"reasoning": "r", "answer": "x"}}', {"reasoning": "r", "answer": "x"}),
    "in an envelope, in a fence": ('```json\n{\n  "response": {\n    "answer": "x"\n  }\n}\n```', {"answer": "x"}),
    "in two envelopes": ('{"name": "f", "arguments": {"json": {"answer": "x"}}} {"answer": "no"}', {"answer": "x"}),
    "in an envelope and beside it": (
        '{"output": {"answer": "x", "tags": {"answer": 1}}, "answer": "no", "reasoning": "r"}',
        {"answer": "x", "tags": '{"answer": 1}', "reasoning": "r"},
    ),
    "an envelope without fields": ('{"result": {"a": {"b": 1}}, "answer": "x"}', {"answer": "x"}),
    "an envelope after a field": ('{"reasoning": "r", "result": {"answer": "no"}}', {"reasoning": "r"}),
    "an envelope cut off": ('{"values": {"answer": "Par', {"answer": "Par"}),
    "text in an envelope": ('{"json": "{\\"answer\\": \\"x\\"}"}', {}),
    "an array around": ('[{"answer": "x"}]', {"answer": "x"}),
    "trailing and doubled commas": ('{"answer": "x",, "tags": [1,],}', {"answer": "x", "tags": "[1,]"}),
    "single quotes": (
        "{'answer': 'It's \"here\", she said', 'tags': ['a'], 'x': 'y, z', 'reasoning': 'b'}",
        {"answer": "It's \"here\", she said", "tags": "['a']", "reasoning": "b"},
    ),
    "unescaped quotes in a string": (
        '{"answer": "He said "hi" to "me".", "tags": "a "b" c", "reasoning": "a "b" , c"}',
        {"answer": 'He said "hi" to "me".', "tags": '"a "b" c"', "reasoning": 'a "b" , c'},
    ),
    "a missing value": ('{"answer": , "reasoning": "x", "tags":}', {"reasoning": "x"}),
    "a missing colon": ('{"answer" "x", "reasoning": "y"}', {"reasoning": "y"}),
    "cut off in a string": ('{"answer": "Par', {"answer": "Par"}),
    "cut off after a quote": ('{"answer": "Paris" ', {"answer": "Paris"}),
    "cut off after a comma": ('{"answer": "Paris" ,\n', {"answer": "Paris"}),
    "cut off in an escape": ('{"answer": "a\\u00', {"answer": "a"}),
    "cut off after a backslash": ('{"answer": "a\\', {"answer": "a"}),
    "cut off in a pair": ('{"answer": "a\\ud83d\\ude', {"answer": "a�"}),
    "cut off in an array": ('{"tags": ["a", "b\\', {"tags": '["a", "b\\'}),
    "cut off in a number": ('{"tags": 12', {"tags": "12"}),
    "cut off in null": ('{"answer": nul', {}),
    "cut off in a key": ('{"answer": "x", "rea\\', {"answer": "x"}),
    "no object": ("I cannot do that.", {}),
    "nothing": ("", {}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_reads_however_it_is_cut(text: str, expected: dict[str, str]) -> None:
    assert_reads(make, text, expected)


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | values(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(values(), inner, max_size=3),
    max_leaves=6,
)


@given(
    answer=values(),
    tags=JSON_VALUES,
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 0, 2]),
    data=st.data(),
)
def test_valid_json_reads_as_json_reads_it(
    answer: str, tags: object, ascii_only: bool, indent: int | None, data: st.DataObject
) -> None:
    outputs = {"answer": answer, "other": tags, "tags": tags, "reasoning": answer}
    text = json.dumps(outputs, ensure_ascii=ascii_only, indent=indent)
    texts = parse(make, *data.draw(cut_up(text)))

    assert list(texts) == ["answer", "tags", "reasoning"]
    assert texts["answer"] == texts["reasoning"] == answer
    assert json.loads(texts["tags"]) == tags


@given(text=values(), data=st.data())
def test_any_text_reads_the_same_however_it_is_cut(text: str, data: st.DataObject) -> None:
    opening = data.draw(
        st.sampled_from(['{"answer": "', '{"answer": ', '{"tags": ', '{"tags": "', '{"'])
    )
    text = opening + text

    assert parse(make, *data.draw(cut_up(text))) == parse(make, text)


OPENING = '{"answer": "'
ESCAPE = r"\\(u([dD]([89abAB]([0-9a-fA-F]([0-9a-fA-F](\\(u([dD]([c-fC-F][0-9a-fA-F]?)?)?)?)?)?)?)?|[0-9a-fA-F]{0,3})?)?"
WAITS = re.compile(rf'(?<!\\)(\\\\)*(?P<held>({ESCAPE})|"\s*(,\s*)?)\Z')


@given(answer=values(), ascii_only=st.booleans())
def test_what_waits_is_an_unfinished_escape_or_a_closing_quote(
    answer: str, ascii_only: bool
) -> None:
    text = json.dumps({"answer": answer, "tags": 1}, ensure_ascii=ascii_only)

    for received, seen in given_after_each(make, text, "answer"):
        content = received[len(OPENING) :]

        if len(content) <= len(json.dumps(answer, ensure_ascii=ascii_only)) - 1:
            waiting = WAITS.search(content)
            known = content[: waiting.start("held")] if waiting else content

            assert len(content) - len(known) <= 11
            assert seen == json.loads(f'"{known}"')


def test_braces_and_brackets_in_a_string_never_wait() -> None:
    text = OPENING + "f() { return [a[0], {b}]; }"

    assert list(given_after_each(make, text, "answer"))[-1][1] == text[len(OPENING) :]


def test_a_word_of_four_characters_waits_where_it_may_be_null() -> None:
    given_so_far = [seen for _, seen in given_after_each(make, '{"answer": nullable', "answer")]

    assert given_so_far[-8:] == ["", "", "", "", "nulla", "nullab", "nullabl", "nullable"]
